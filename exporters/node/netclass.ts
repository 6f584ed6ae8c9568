/** Properties of network interfaces from sysfs, or over netlink where that is asked for. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { booleanFlag, stringFlag } from '../contract.ts'
import { intLiteralOrZero } from './attributes.ts'
import { type Collector, FamilySet, kernelOf, NoDataError, type NodeContext } from './collector.ts'
import { openDirectory, readNumber, readTrimmed } from './files.ts'
import { addLinkProperties } from './netclass-rtnl.ts'

const NUMBERS: readonly (readonly [file: string, name: string, type: FamilyType])[] = [
  ['addr_assign_type', 'address_assign_type', 'gauge'],
  ['carrier', 'carrier', 'gauge'],
  ['carrier_changes', 'carrier_changes_total', 'counter'],
  ['carrier_down_count', 'carrier_down_changes_total', 'counter'],
  ['carrier_up_count', 'carrier_up_changes_total', 'counter'],
  ['dev_id', 'device_id', 'gauge'],
  ['dormant', 'dormant', 'gauge'],
  ['flags', 'flags', 'gauge'],
  ['ifindex', 'iface_id', 'gauge'],
  ['iflink', 'iface_link', 'gauge'],
  ['link_mode', 'iface_link_mode', 'gauge'],
  ['mtu', 'mtu_bytes', 'gauge'],
  ['name_assign_type', 'name_assign_type', 'gauge'],
  ['netdev_group', 'net_dev_group', 'gauge'],
  ['speed', 'speed_bytes', 'gauge'],
  ['tx_queue_len', 'transmit_queue_length', 'gauge'],
  ['type', 'protocol_type', 'gauge'],
]
const MEGABIT_BYTES = 1e6 / 8
const IFF_UP = 1

export function netclassCollector(context: NodeContext): Collector {
  const { disk, sysfs, flags } = context
  const base = `${sysfs}/class/net`
  const ignored = compileRegex(stringFlag(flags, 'collector.netclass.ignored-devices', '^$'))
  const ignoreInvalidSpeed = booleanFlag(flags, 'collector.netclass.ignore-invalid-speed', false)
  const overNetlink = booleanFlag(flags, 'collector.netclass.netlink', false)
  const withStatistics = booleanFlag(flags, 'collector.netclass_rtnl.with-stats', false)
  return {
    name: 'netclass',
    update() {
      if (overNetlink) {
        const out = new FamilySet()
        addLinkProperties(
          out,
          kernelOf(context),
          (device) => ignored.matcher(device).find(),
          withStatistics,
          (device, file) => readNumber(disk, `${base}/${device}/${file}`),
        )
        return out.list()
      }
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('sysfs shows no network interfaces')
      const out = new FamilySet()
      for (const device of names) {
        const folder = `${base}/${device}`
        if (ignored.matcher(device).find() || !disk.stat(folder)?.isDirectory) continue
        const read = (file: string): string | null => readTrimmed(disk, `${folder}/${file}`)
        const operstate = read('operstate') ?? ''
        // What is no number is 0, as upstream; many answer EINVAL while the interface is down, and are left out.
        const number = (file: string): number | null => {
          const text = read(file)
          return text === null ? null : intLiteralOrZero(text)
        }
        const interfaceFlags = number('flags')
        out.gauge(
          'network_up',
          "Value is 1 if operstate is 'up', 0 otherwise.",
          ['device', device],
          operstate === 'up' ? 1 : 0,
        )
        out.gauge('network_info', 'Non-numeric data from /sys/class/net/<iface>, value is always 1.', [
          ...['address', read('address') ?? '', 'adminstate', adminState(interfaceFlags)],
          ...['broadcast', read('broadcast') ?? '', 'device', device, 'duplex', read('duplex') ?? ''],
          ...['ifalias', read('ifalias') ?? '', 'operstate', operstate],
        ])
        for (const [file, name, type] of NUMBERS) {
          const value = file === 'flags' ? interfaceFlags : number(file)
          if (value === null || (file === 'speed' && value < 0 && ignoreInvalidSpeed)) continue
          const shown = file === 'speed' ? value * MEGABIT_BYTES : value
          out.add(type, `network_${name}`, `Network device property: ${name}`, ['device', device], shown)
        }
      }
      return out.list()
    },
  }
}

const adminState = (flags: number | null): string => (flags === null ? 'unknown' : flags & IFF_UP ? 'up' : 'down')
