/** Caches of the network stack, one file each in /proc/net/stat. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { listDirectory, scanLines, uintOf, words } from './files.ts'

export function lnstatCollector({ disk, procfs }: NodeContext): Collector {
  const base = `${procfs}/net/stat`
  return {
    name: 'lnstat',
    update() {
      const out = new FamilySet()
      for (const subsystem of listDirectory(disk, base)) {
        const file = `${base}/${subsystem}`
        const [header = '', ...rows] = scanLines(disk.readText(file))
        const columns = words(header)
        // One line a CPU, hexadecimal.
        const cpus = new Map<string, number>()
        for (const row of rows) {
          words(row).forEach((value, i) => {
            const column = columns[i]
            if (column === undefined)
              throw new Error(`Cannot read ${file}: ${columns.length} numbers expected in "${row}"`)
            const cpu = cpus.get(column) ?? 0
            cpus.set(column, cpu + 1)
            const labels = ['cpu', String(cpu), 'subsystem', subsystem]
            out.counter(`lnstat_${column}_total`, 'linux network cache stats', labels, uintOf(value, file, 16))
          })
        }
      }
      return out.list()
    },
  }
}
