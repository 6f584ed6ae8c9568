/** Swap devices and files. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { intOf, scanLines, words } from './files.ts'

const KIB = 1024

export function swapCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/swaps`
  return {
    name: 'swap',
    update() {
      const out = new FamilySet()
      for (const line of scanLines(disk.readText(file)).slice(1)) {
        const [device = '', type = '', size, used, priority] = words(line)
        const labels = ['device', device, 'swap_type', type]
        out.gauge('swap_size_bytes', 'Swap device size in bytes.', labels, intOf(size, file) * KIB)
        out.gauge('swap_used_bytes', 'Swap device used in bytes.', labels, intOf(used, file) * KIB)
        out.gauge('swap_priority', 'Swap device priority.', labels, intOf(priority, file))
      }
      return out.list()
    },
  }
}
