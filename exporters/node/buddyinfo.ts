/** Free blocks of the buddy allocator by node, zone and order. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { floatOf, scanLines, words } from './files.ts'

export function buddyinfoCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/buddyinfo`
  return {
    name: 'buddyinfo',
    update() {
      const out = new FamilySet()
      let orders: number | undefined
      for (const line of scanLines(disk.readText(file))) {
        const [, node, , zone, ...counts] = words(line)
        if (zone === undefined) throw new Error(`Cannot read ${file}: unexpected line "${line}"`)
        orders ??= counts.length
        if (counts.length !== orders)
          throw new Error(`Cannot read ${file}: ${orders} orders expected, got ${counts.length}`)
        const labels = ['node', node!.replace(/,$/, ''), 'zone', zone.replace(/,$/, '')] as const
        counts.forEach((count, order) => {
          out.gauge(
            'buddyinfo_blocks',
            'Count of free blocks according to size.',
            [labels[0], labels[1], 'size', String(order), labels[2], labels[3]],
            floatOf(count, file),
          )
        })
      }
      return out.list()
    },
  }
}
