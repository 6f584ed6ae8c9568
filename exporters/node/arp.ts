/** Entries of the ARP table by device, from /proc/net/arp: the same count as netlink gives, without states. */
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, type NodeContext, nameFilter } from './collector.ts'
import { lines, words } from './files.ts'

const DEVICE_COLUMN = 5

export function arpCollector({ disk, procfs, flags }: NodeContext): Collector {
  const keep = nameFilter(
    stringFlag(flags, 'collector.arp.device-include', ''),
    stringFlag(flags, 'collector.arp.device-exclude', ''),
  )
  return {
    name: 'arp',
    update() {
      const counts = new Map<string, number>()
      for (const line of lines(disk.readText(`${procfs}/net/arp`)).slice(1)) {
        const device = words(line)[DEVICE_COLUMN]
        if (device !== undefined && keep(device)) counts.set(device, (counts.get(device) ?? 0) + 1)
      }
      const out = new FamilySet()
      for (const [device, count] of counts) out.gauge('arp_entries', 'ARP entries by device', ['device', device], count)
      return out.list()
    },
  }
}
