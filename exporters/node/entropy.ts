/** The kernel's entropy pool. */
import { type Collector, type NodeContext, single } from './collector.ts'
import { uintOf } from './files.ts'

export function entropyCollector({ disk, procfs }: NodeContext): Collector {
  const base = `${procfs}/sys/kernel/random`
  return {
    name: 'entropy',
    update() {
      const read = (file: string): number => uintOf(disk.readText(`${base}/${file}`).trim(), `${base}/${file}`)
      return [
        single('gauge', 'entropy_available_bits', 'Bits of available entropy.', read('entropy_avail')),
        single('gauge', 'entropy_pool_size_bits', 'Bits of entropy pool.', read('poolsize')),
      ]
    },
  }
}
