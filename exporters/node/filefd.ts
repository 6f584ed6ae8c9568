/** File descriptors of the whole system. */
import { type Collector, type NodeContext, single } from './collector.ts'
import { numberOf, words } from './files.ts'

export function filefdCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/sys/fs/file-nr`
  return {
    name: 'filefd',
    update() {
      const [allocated, , maximum] = words(disk.readText(file))
      return [
        single('gauge', 'filefd_allocated', 'File descriptor statistics: allocated.', numberOf(allocated, file)),
        single('gauge', 'filefd_maximum', 'File descriptor statistics: maximum.', numberOf(maximum, file)),
      ]
    },
  }
}
