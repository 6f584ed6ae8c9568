/**
 * Queueing disciplines. The kernel tells them over netlink only, which the runtime lacks: without the recorded answers
 * of `collector.qdisc.fixtures` the collector has no data.
 */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext, nameFilter } from './collector.ts'

const FIELDS: readonly (readonly [field: string, type: FamilyType, name: string, help: string])[] = [
  ['Bytes', 'counter', 'bytes_total', 'Number of bytes sent.'],
  ['Packets', 'counter', 'packets_total', 'Number of packets sent.'],
  ['Drops', 'counter', 'drops_total', 'Number of packets dropped.'],
  ['Requeues', 'counter', 'requeues_total', 'Number of packets dequeued, not transmitted, and requeued.'],
  ['Overlimits', 'counter', 'overlimits_total', 'Number of overlimit packets.'],
  ['Qlen', 'gauge', 'current_queue_length', 'Number of packets currently in queue to be sent.'],
  ['Backlog', 'gauge', 'backlog', 'Number of bytes currently in queue to be sent.'],
]

export function qdiscCollector({ disk, flags }: NodeContext): Collector {
  const fixtures = stringFlag(flags, 'collector.qdisc.fixtures', '')
  const wanted = nameFilter(
    stringFlag(flags, 'collector.qdisc.device-include', ''),
    stringFlag(flags, 'collector.qdisc.device-exclude', ''),
  )
  return {
    name: 'qdisc',
    update() {
      if (fixtures === '') throw new NoDataError('queueing disciplines need netlink, which this runtime lacks')
      const out = new FamilySet()
      const recorded = JSON.parse(disk.readText(`${fixtures.replace(/\/$/, '')}/results.json`)) as Record<
        string,
        unknown
      >[]
      for (const entry of recorded) {
        const device = String(entry['IfaceName'])
        // Only the root of each device.
        if (entry['Parent'] || !wanted(device)) continue
        for (const [field, type, name, help] of FIELDS)
          out.add(
            type,
            `qdisc_${name}`,
            help,
            ['device', device, 'kind', String(entry['Kind'])],
            Number(entry[field] ?? 0),
          )
      }
      return out.list()
    },
  }
}
