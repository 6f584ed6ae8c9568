/**
 * Queueing disciplines, as the kernel tells them over rtnetlink. Layout: Linux include/uapi/linux/gen_stats.h,
 * pkt_sched.h. Semantics: node_exporter collector/qdisc_linux.go.
 */
import type { Disk, Kernel } from '../../protocol/env/mod.ts'
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, FamilySet, kernelOf, type NodeContext, nameFilter } from './collector.ts'
import { listLinks } from './links.ts'
import { cString, NETLINK_ROUTE, parseAttributes, requestNetlink, u32, u64, viewOf } from './netlink.ts'

const RTM_GETQDISC = 38
const TCMSG_BYTES = 20
const TCA = { kind: 1, statistics: 3, statistics2: 7 } as const
const TCA_STATS = { basic: 1, queue: 3 } as const
/** The parent of what hangs on a device itself; `noqueue` and `mq` have parent 0. */
const TC_H_ROOT = 0xffffffff

type Qdisc = {
  readonly device: string
  readonly kind: string
  readonly parent: number
  /** In the order of FIELDS. */
  readonly values: readonly number[]
}

const FIELDS: readonly (readonly [recorded: string, type: FamilyType, name: string, help: string])[] = [
  ['Bytes', 'counter', 'bytes_total', 'Number of bytes sent.'],
  ['Packets', 'counter', 'packets_total', 'Number of packets sent.'],
  ['Drops', 'counter', 'drops_total', 'Number of packets dropped.'],
  ['Requeues', 'counter', 'requeues_total', 'Number of packets dequeued, not transmitted, and requeued.'],
  ['Overlimits', 'counter', 'overlimits_total', 'Number of overlimit packets.'],
  ['Qlen', 'gauge', 'current_queue_length', 'Number of packets currently in queue to be sent.'],
  ['Backlog', 'gauge', 'backlog', 'Number of bytes currently in queue to be sent.'],
]

export function qdiscCollector(context: NodeContext): Collector {
  const { disk, flags } = context
  const fixtures = stringFlag(flags, 'collector.qdisc.fixtures', '').replace(/\/$/, '')
  const wanted = nameFilter(
    stringFlag(flags, 'collector.qdisc.device-include', ''),
    stringFlag(flags, 'collector.qdisc.device-exclude', ''),
  )
  return {
    name: 'qdisc',
    update() {
      const out = new FamilySet()
      for (const { device, kind, parent, values } of fixtures ? recorded(disk, fixtures) : asked(kernelOf(context))) {
        // Only the root of each device.
        if (parent !== 0 || !wanted(device)) continue
        FIELDS.forEach(([, type, name, help], i) => {
          out.add(type, `qdisc_${name}`, help, ['device', device, 'kind', kind], values[i]!)
        })
      }
      return out.list()
    },
  }
}

/** Answers recorded as upstream's library tells them. */
function recorded(disk: Disk, fixtures: string): Qdisc[] {
  const entries = JSON.parse(disk.readText(`${fixtures}/results.json`)) as Record<string, unknown>[]
  return entries.map((entry) => ({
    device: String(entry['IfaceName']),
    kind: String(entry['Kind']),
    parent: Number(entry['Parent'] ?? 0),
    values: FIELDS.map(([field]) => Number(entry[field] ?? 0)),
  }))
}

function asked(kernel: Kernel): Qdisc[] {
  const devices = new Map(listLinks(kernel).map(({ index, name }) => [index, name]))
  const messages = requestNetlink(kernel, NETLINK_ROUTE, RTM_GETQDISC, new Uint8Array(TCMSG_BYTES))
  return messages.flatMap((message): Qdisc[] => {
    if (message.length < TCMSG_BYTES) return []
    const attributes = parseAttributes(message, TCMSG_BYTES)
    const parent = u32(message, 12)
    return [
      {
        device: devices.get(viewOf(message).getInt32(4, true)) ?? '',
        kind: cString(attributes.get(TCA.kind)),
        parent: parent === TC_H_ROOT ? 0 : parent,
        values: statistics(attributes.get(TCA.statistics2), attributes.get(TCA.statistics)),
      },
    ]
  })
}

/** Bytes, packets, drops, requeues, overlimits, queue length, backlog; the old form tells 32 bits and no requeues. */
function statistics(nested: Uint8Array | undefined, old: Uint8Array | undefined): number[] {
  if (nested) {
    const parts = parseAttributes(nested)
    const basic = parts.get(TCA_STATS.basic)
    const queue = parts.get(TCA_STATS.queue)
    const [length, backlog, drops, requeues, overlimits] = [0, 4, 8, 12, 16].map((at) => u32(queue, at))
    return [u64(basic), u32(basic, 8), drops!, requeues!, overlimits!, length!, backlog!]
  }
  return [u64(old), u32(old, 8), u32(old, 12), 0, u32(old, 16), u32(old, 28), u32(old, 32)]
}
