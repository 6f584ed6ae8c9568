/**
 * Properties of network interfaces over netlink, for `collector.netclass.netlink`. Layout: Linux if_link.h (attributes,
 * struct rtnl_link_stats64), ethtool_netlink.h. Semantics: node_exporter collector/netclass_rtnl_linux.go.
 */
import type { Kernel } from '../../protocol/env/mod.ts'
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import type { FamilySet } from './collector.ts'
import { resolveFamily } from './generic-netlink.ts'
import { type Link, listLinks } from './links.ts'
import {
  attribute,
  cString,
  macAddress,
  NETLINK_GENERIC,
  parseAttributes,
  requestNetlink,
  u32,
  u64,
} from './netlink.ts'

const IFLA = {
  address: 1,
  broadcast: 2,
  mtu: 4,
  link: 5,
  txQueueLength: 13,
  operstate: 16,
  linkMode: 17,
  alias: 20,
  stats64: 23,
  group: 27,
  carrier: 33,
  carrierChanges: 35,
  carrierUp: 47,
  carrierDown: 48,
} as const
const OPERSTATES = ['unknown', 'notpresent', 'down', 'lowerlayerdown', 'testing', 'dormant', 'up']
const DUPLEX: Readonly<Record<number, string>> = { 0: 'Half', 1: 'Full', 255: 'Unknown' }
const UNKNOWN_SPEED = 0xffffffff
const MEGABIT_BYTES = 1e6 / 8

/** What netlink does not tell. */
const SYSFS_ONLY = [
  ['addr_assign_type', 'address_assign_type'],
  ['dev_id', 'device_id'],
  ['name_assign_type', 'name_assign_type'],
] as const

/** In the order of struct rtnl_link_stats64. */
const STATISTICS = [
  ...['receive_packets', 'transmit_packets', 'receive_bytes', 'transmit_bytes', 'receive_errors', 'transmit_errors'],
  ...['receive_dropped', 'transmit_dropped', 'multicast', 'collisions', 'receive_length_errors'],
  ...['receive_over_errors', 'receive_crc_errors', 'receive_frame_errors', 'receive_fifo_errors'],
  ...['receive_missed_errors', 'transmit_aborted_errors', 'transmit_carrier_errors', 'transmit_fifo_errors'],
  ...['transmit_heartbeat_errors', 'transmit_window_errors', 'receive_compressed', 'transmit_compressed'],
  'receive_nohandler',
]

export function addLinkProperties(
  out: FamilySet,
  kernel: Kernel,
  ignored: (device: string) => boolean,
  withStatistics: boolean,
  readSysfs: (device: string, file: string) => number | null,
): void {
  const modes = linkModes(kernel)
  for (const link of listLinks(kernel)) {
    if (ignored(link.name)) continue
    const { name: device, attributes } = link
    const mode = modes.get(device)
    const add = (type: FamilyType, name: string, value: number): void =>
      out.add(type, `network_${name}`, `Network device property: ${name}`, ['device', device], value)
    if (mode && mode.speed !== UNKNOWN_SPEED) add('gauge', 'speed_bytes', mode.speed * MEGABIT_BYTES)
    const operstate = OPERSTATES[attributes.get(IFLA.operstate)?.[0] ?? 0] ?? 'unknown'
    const up = "Value is 1 if operstate is 'up', 0 otherwise."
    out.gauge('network_up', up, ['device', device], operstate === 'up' ? 1 : 0)
    out.gauge('network_info', 'Non-numeric data of <iface>, value is always 1.', [
      ...['address', macAddress(attributes.get(IFLA.address)), 'broadcast', macAddress(attributes.get(IFLA.broadcast))],
      ...['device', device, 'duplex', mode?.duplex ?? '', 'ifalias', cString(attributes.get(IFLA.alias))],
      ...['operstate', operstate],
    ])
    addNumbers(link, add)
    for (const [file, name] of SYSFS_ONLY) {
      const value = readSysfs(device, file)
      if (value !== null) add('gauge', name, value)
    }
    const statistics = attributes.get(IFLA.stats64)
    if (withStatistics && statistics)
      // Upstream types these as gauges.
      STATISTICS.forEach((name, i) => {
        add('gauge', `${name}_total`, u64(statistics, i * 8))
      })
  }
}

function addNumbers(
  { index, flags, type, attributes }: Link,
  add: (type: FamilyType, name: string, value: number) => void,
): void {
  const linkMode = attributes.get(IFLA.linkMode)?.[0] ?? 0
  add('gauge', 'carrier', attributes.get(IFLA.carrier)?.[0] ?? 0)
  add('counter', 'carrier_changes_total', u32(attributes.get(IFLA.carrierChanges)))
  add('counter', 'carrier_up_changes_total', u32(attributes.get(IFLA.carrierUp)))
  add('counter', 'carrier_down_changes_total', u32(attributes.get(IFLA.carrierDown)))
  add('gauge', 'flags', flags)
  add('gauge', 'iface_id', index)
  add('gauge', 'iface_link_mode', linkMode)
  add('gauge', 'dormant', linkMode)
  // The kernel leaves out the link of a device that is its own.
  add('gauge', 'iface_link', u32(attributes.get(IFLA.link)) || index)
  add('gauge', 'mtu_bytes', u32(attributes.get(IFLA.mtu)))
  add('gauge', 'net_dev_group', u32(attributes.get(IFLA.group)))
  add('gauge', 'transmit_queue_length', u32(attributes.get(IFLA.txQueueLength)))
  add('gauge', 'protocol_type', type)
}

const ETHTOOL_MSG_LINKMODES_GET = 4
const ETHTOOL_A_LINKMODES = { header: 1, speed: 5, duplex: 6 } as const
const ETHTOOL_A_HEADER_DEV_NAME = 2
const GENL_HEADER = new Uint8Array([ETHTOOL_MSG_LINKMODES_GET, 1, 0, 0])

/** By device; empty where the kernel has no ethtool over netlink (before 5.6). */
function linkModes(kernel: Kernel): Map<string, { readonly speed: number; readonly duplex: string }> {
  const out = new Map<string, { readonly speed: number; readonly duplex: string }>()
  const family = resolveFamily(kernel, 'ethtool')
  if (family === null) return out
  const empty = attribute(ETHTOOL_A_LINKMODES.header | 0x8000, new Uint8Array())
  const request = new Uint8Array([...GENL_HEADER, ...empty])
  for (const message of requestNetlink(kernel, NETLINK_GENERIC, family.id, request)) {
    const attributes = parseAttributes(message, GENL_HEADER.length)
    const header = attributes.get(ETHTOOL_A_LINKMODES.header)
    if (!header) continue
    const duplex = attributes.get(ETHTOOL_A_LINKMODES.duplex)?.[0]
    out.set(cString(parseAttributes(header).get(ETHTOOL_A_HEADER_DEV_NAME)), {
      speed: attributes.has(ETHTOOL_A_LINKMODES.speed) ? u32(attributes.get(ETHTOOL_A_LINKMODES.speed)) : UNKNOWN_SPEED,
      duplex: duplex === undefined ? '' : (DUPLEX[duplex] ?? ''),
    })
  }
  return out
}
