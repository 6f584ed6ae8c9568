/** Caches of the network stack, one file each in /proc/net/stat. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, numberOf, words } from './files.ts'

export function lnstatCollector({ disk, procfs }: NodeContext): Collector {
  const base = `${procfs}/net/stat`
  return {
    name: 'lnstat',
    update() {
      const out = new FamilySet()
      for (const subsystem of disk.readDirectory(base)) {
        const file = `${base}/${subsystem}`
        const [header = '', ...rows] = lines(disk.readText(file))
        const columns = words(header)
        // One line a CPU, hexadecimal.
        rows.forEach((row, cpu) => {
          words(row).forEach((value, i) => {
            const labels = ['cpu', String(cpu), 'subsystem', subsystem]
            const name = `lnstat_${columns[i]}_total`
            out.counter(name, 'linux network cache stats', labels, numberOf(`0x${value}`, file))
          })
        })
      }
      return out.list()
    },
  }
}
