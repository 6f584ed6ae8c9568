/** Free blocks of the buddy allocator by node, zone and order. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, numberOf, words } from './files.ts'

export function buddyinfoCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/buddyinfo`
  return {
    name: 'buddyinfo',
    update() {
      const out = new FamilySet()
      let orders: number | undefined
      for (const line of lines(disk.readText(file))) {
        const match = /^Node\s+(\d+),\s+zone\s+(\S+)\s+(.*)$/.exec(line)
        if (!match) throw new Error(`Cannot read ${file}: unexpected line "${line}"`)
        const counts = words(match[3]!)
        orders ??= counts.length
        if (counts.length !== orders)
          throw new Error(`Cannot read ${file}: ${orders} orders expected, got ${counts.length}`)
        counts.forEach((count, order) => {
          out.gauge(
            'buddyinfo_blocks',
            'Count of free blocks according to size.',
            ['node', match[1]!, 'size', String(order), 'zone', match[2]!],
            numberOf(count, file),
          )
        })
      }
      return out.list()
    },
  }
}
