/** File descriptors of the whole system. */
import { type Collector, type NodeContext, single } from './collector.ts'
import { floatOf } from './files.ts'

export function filefdCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/sys/fs/file-nr`
  return {
    name: 'filefd',
    update() {
      const [allocated, , maximum] = disk.readText(file).trim().split('\t')
      return [
        single('gauge', 'filefd_allocated', 'File descriptor statistics: allocated.', floatOf(allocated, file)),
        single('gauge', 'filefd_maximum', 'File descriptor statistics: maximum.', floatOf(maximum, file)),
      ]
    },
  }
}
