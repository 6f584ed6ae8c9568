/** Software interrupts by CPU and kind. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, uintOf, words } from './files.ts'

export function softirqsCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/softirqs`
  return {
    name: 'softirqs',
    update() {
      const [header = '', ...rows] = lines(disk.readText(file))
      const cpus = words(header).map((name) => name.replace(/^CPU/, ''))
      const out = new FamilySet()
      for (const row of rows) {
        const [type = '', ...values] = words(row)
        // A row that ends early has the CPUs that it has.
        values.slice(0, cpus.length).forEach((value, i) => {
          const labels = ['cpu', cpus[i]!, 'type', type.replace(/:$/, '')]
          out.counter('softirqs_functions_total', 'Softirq counts per CPU.', labels, uintOf(value, file))
        })
      }
      return out.list()
    },
  }
}
