/**
 * What a port supports and advertises. Layout and bits: struct ethtool_cmd and ethtool_link_mode_bit_indices of Linux
 * include/uapi/linux/ethtool.h. Upstream asks by the same command, whose masks hold the first 32 modes.
 */
import type { Kernel } from '../../protocol/env/mod.ts'
import { u32, viewOf } from './netlink.ts'

const ETHTOOL_GSET = 1
const ETHTOOL_CMD_BYTES = 44
const OFFSET = { supported: 4, advertising: 8, autonegotiation: 18 } as const
const AUTONEGOTIATE_BIT = 6
const PAUSE_BIT = 13
const ASYMMETRIC_PAUSE_BIT = 14
const MEGABIT_BYTES = 1e6 / 8

const PORTS: readonly (readonly [bit: number, type: string])[] = [
  [8, 'AUI'],
  [11, 'BNC'],
  [16, 'Backplane'],
  [10, 'FIBRE'],
  [9, 'MII'],
  [7, 'TP'],
]

const SPEEDS: readonly (readonly [bit: number, megabits: number, duplex: 'full' | 'half', medium: string])[] = [
  [0, 10, 'half', 'T'],
  [1, 10, 'full', 'T'],
  [2, 100, 'half', 'T'],
  [3, 100, 'full', 'T'],
  [4, 1000, 'half', 'T'],
  [5, 1000, 'full', 'T'],
  [12, 10000, 'full', 'T'],
  [17, 1000, 'full', 'KX'],
  [18, 10000, 'full', 'KX4'],
  [19, 10000, 'full', 'KR'],
  [20, 10000, 'full', 'R_FEC'],
  [21, 20000, 'full', 'MLD2'],
  [22, 20000, 'full', 'KR2'],
  [23, 40000, 'full', 'KR4'],
  [24, 40000, 'full', 'CR4'],
  [25, 40000, 'full', 'SR4'],
  [26, 40000, 'full', 'LR4'],
  [27, 56000, 'full', 'KR4'],
  [28, 56000, 'full', 'CR4'],
  [29, 56000, 'full', 'SR4'],
  [30, 56000, 'full', 'LR4'],
  [31, 25000, 'full', 'CR'],
]

/** Name (after `network_`), help, labels without the device, value. */
export type PortMetric = readonly [name: string, help: string, labels: readonly string[], value: number]

/** @throws KernelError EOPNOTSUPP for a device without a port */
export function portModes(kernel: Kernel, device: string): PortMetric[] {
  const data = new Uint8Array(ETHTOOL_CMD_BYTES)
  viewOf(data).setUint32(0, ETHTOOL_GSET, true)
  kernel.ethtool(device, data)
  return describePort(u32(data, OFFSET.supported), u32(data, OFFSET.advertising), data[OFFSET.autonegotiation]!)
}

/** @param supported, advertised masks of link modes */
export function describePort(supported: number, advertised: number, autonegotiation: number): PortMetric[] {
  const has = (mask: number, bit: number): boolean => ((mask >>> bit) & 1) === 1
  const flag = (mask: number, bit: number): number => (has(mask, bit) ? 1 : 0)
  const out: PortMetric[] = []
  const speeds = (mask: number, prefix: string, verb: string): void => {
    const help = `Combination of speeds and features ${verb} by network device`
    for (const [bit, megabits, duplex, medium] of SPEEDS)
      if (has(mask, bit))
        out.push([
          `${prefix}_speed_bytes`,
          help,
          ['duplex', duplex, 'mode', `${megabits}base${medium}`],
          megabits * MEGABIT_BYTES,
        ])
  }
  speeds(supported, 'supported', 'supported')
  for (const [bit, type] of PORTS)
    if (has(supported, bit))
      out.push(['supported_port_info', 'Type of ports or PHYs supported by network device', ['type', type], 1])
  speeds(advertised, 'advertised', 'offered')
  const asymmetric = ASYMMETRIC_PAUSE_BIT
  out.push(
    ['autonegotiate_supported', 'If this port device supports autonegotiate', [], flag(supported, AUTONEGOTIATE_BIT)],
    ['pause_supported', 'If this port device supports pause frames', [], flag(supported, PAUSE_BIT)],
    [
      'asymmetricpause_supported',
      'If this port device supports asymmetric pause frames',
      [],
      flag(supported, asymmetric),
    ],
    ['autonegotiate_advertised', 'If this port device offers autonegotiate', [], flag(advertised, AUTONEGOTIATE_BIT)],
    ['pause_advertised', 'If this port device offers pause capability', [], flag(advertised, PAUSE_BIT)],
    [
      'asymmetricpause_advertised',
      'If this port device offers asymmetric pause capability',
      [],
      flag(advertised, asymmetric),
    ],
    ['autonegotiate', 'If this port is using autonegotiate', [], autonegotiation],
  )
  return out
}
