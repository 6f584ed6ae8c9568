/**
 * Drivers of network devices, their counters and the modes of their ports, by the SIOCETHTOOL ioctl. Layouts: Linux
 * include/uapi/linux/ethtool.h. Semantics: node_exporter collector/ethtool_linux.go (v1.12).
 */
import type { Kernel } from '../../protocol/env/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, includeOrExclude, kernelOf, NoDataError, type NodeContext } from './collector.ts'
import { portModes } from './ethtool-modes.ts'
import { openDirectory } from './files.ts'
import { cString, u32, u64, viewOf } from './netlink.ts'

const ETHTOOL_GDRVINFO = 3
const ETHTOOL_GSTRINGS = 0x1b
const ETHTOOL_GSTATS = 0x1d
const DRVINFO_BYTES = 196
const ETH_SS_STATS = 1
const ETH_GSTRING_LEN = 32
/** Drivers with a queue per CPU have thousands; more than this is no counter list. */
const MAX_STATISTICS = 65_536

/** By the driver's name for it. */
const WELL_KNOWN: Readonly<Record<string, readonly [name: string, help: string]>> = {
  rx_bytes: ['received_bytes_total', 'Network interface bytes received'],
  rx_dropped: ['received_dropped_total', 'Number of received frames dropped'],
  rx_errors: ['received_errors_total', 'Number of received frames with errors'],
  rx_packets: ['received_packets_total', 'Network interface packets received'],
  tx_bytes: ['transmitted_bytes_total', 'Network interface bytes sent'],
  tx_errors: ['transmitted_errors_total', 'Number of sent frames with errors'],
  tx_packets: ['transmitted_packets_total', 'Network interface packets sent'],
}

export function ethtoolCollector(context: NodeContext): Collector {
  const { disk, sysfs, flags, log } = context
  const keep = includeOrExclude(flags, 'collector.ethtool.device')
  const wanted = compileRegex(stringFlag(flags, 'collector.ethtool.metrics-include', '.*'))
  return {
    name: 'ethtool',
    update() {
      const devices = openDirectory(disk, `${sysfs}/class/net`)
      if (devices === null) throw new NoDataError('sysfs shows no network devices')
      if (devices.length === 0) throw new Error('no network devices found')
      const kernel = kernelOf(context)
      const out = new FamilySet()
      /** null where the device does not know the command; other errors are this device's alone too. */
      const attempt = <T>(device: string, read: () => T): T | null => {
        try {
          return read()
        } catch (err) {
          const code = (err as { code?: string }).code
          if (code === 'UNAVAILABLE') throw err
          const say = code === 'EOPNOTSUPP' || code === 'ENODEV' || code === 'EINVAL' ? log.debug : log.error
          say('The ethtool ioctl failed', { device, err })
          return null
        }
      }
      for (const device of devices.filter(keep)) {
        const modes = attempt(device, () => portModes(kernel, device))
        for (const [name, help, labels, value] of modes ?? [])
          out.gauge(`network_${name}`, help, ['device', device, ...labels], value)
        const driver = attempt(device, () => driverLabels(kernel, device))
        if (driver) {
          const help =
            "A metric with a constant '1' value labeled by bus_info, device, driver, expansion_rom_version, firmware_version, version."
          out.gauge('ethtool_info', help, driver)
        }
        const statistics = attempt(device, () => readStatistics(kernel, device)) ?? new Map<string, number>()
        for (const [name, help, value] of named(statistics, (name) => wanted.matcher(name).find()))
          out.add('untyped', `ethtool_${name}`, help, ['device', device], value)
      }
      return out.list()
    },
  }
}

function driverLabels(kernel: Kernel, device: string): string[] {
  const data = command(ETHTOOL_GDRVINFO, DRVINFO_BYTES)
  kernel.ethtool(device, data)
  const text = (at: number, length: number): string => cString(data.subarray(at, at + length))
  return [
    ...['bus_info', text(100, 32), 'device', device, 'driver', text(4, 32)],
    ...['expansion_rom_version', text(132, 32), 'firmware_version', text(68, 32), 'version', text(36, 32)],
  ]
}

/** The driver's names of its counters, and their values. */
function readStatistics(kernel: Kernel, device: string): Map<string, number> {
  const info = command(ETHTOOL_GDRVINFO, DRVINFO_BYTES)
  kernel.ethtool(device, info)
  const count = u32(info, 180)
  const out = new Map<string, number>()
  if (count === 0) return out
  if (count > MAX_STATISTICS)
    throw new Error(`${device} tells of ${count} counters; at most ${MAX_STATISTICS} are read`)
  const names = command(ETHTOOL_GSTRINGS, 12 + count * ETH_GSTRING_LEN)
  viewOf(names).setUint32(4, ETH_SS_STATS, true)
  viewOf(names).setUint32(8, count, true)
  kernel.ethtool(device, names)
  const values = command(ETHTOOL_GSTATS, 8 + count * 8)
  viewOf(values).setUint32(4, count, true)
  kernel.ethtool(device, values)
  for (let i = 0; i < count; i++) {
    const at = 12 + i * ETH_GSTRING_LEN
    const name = cString(names.subarray(at, at + ETH_GSTRING_LEN))
    if (name !== '') out.set(name, u64(values, 8 + i * 8))
  }
  return out
}

/** The structure of a command: its number, then zeros. */
export function command(number: number, length: number): Uint8Array {
  const data = new Uint8Array(length)
  viewOf(data).setUint32(0, number, true)
  return data
}

/** Under the exposed names, sorted; drivers' names that differ in signs only would be one series twice: none is shown. */
function named(
  statistics: ReadonlyMap<string, number>,
  wanted: (name: string) => boolean,
): (readonly [name: string, help: string, value: number])[] {
  const out = new Map<string, readonly [help: string, value: number] | null>()
  for (const [statistic, value] of statistics) {
    const clean = statistic.replace(/_*[^0-9A-Za-z_]+_*/g, '_')
    if (!wanted(clean)) continue
    const [name, help] = WELL_KNOWN[clean] ?? [metricName(clean), `Network interface ${clean}`]
    out.set(name, out.has(name) ? null : [help, value])
  }
  return [...out.keys()].sort().flatMap((name) => {
    const found = out.get(name)
    return found ? [[name, ...found] as const] : []
  })
}

/** `rx_queue_0_bytes` → `received_queue_0_bytes`; of `tx_tx` the second shares its `_` with the first and stays. */
function metricName(clean: string): string {
  return clean
    .toLowerCase()
    .replace(/^_+/, '')
    .replace(/(^|_)rx(_|$)/g, '$1received$2')
    .replace(/(^|_)tx(_|$)/g, '$1transmitted$2')
}
