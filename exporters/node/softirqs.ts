/** Software interrupts by CPU and kind. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { scanLines, uintOf, words } from './files.ts'

const TYPES = new Set(
  ['HI', 'TIMER', 'NET_TX', 'NET_RX', 'BLOCK', 'IRQ_POLL', 'TASKLET', 'SCHED', 'HRTIMER', 'RCU'].map(
    (type) => `${type}:`,
  ),
)

export function softirqsCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/softirqs`
  return {
    name: 'softirqs',
    update() {
      const [header, ...rows] = scanLines(disk.readText(file))
      if (header === undefined) throw new Error(`Cannot read ${file}: it is empty`)
      const out = new FamilySet()
      for (const row of rows) {
        const [type = '', ...values] = words(row)
        if (!TYPES.has(type)) continue
        values.forEach((value, cpu) => {
          const labels = ['cpu', String(cpu), 'type', type.slice(0, -1)]
          out.counter('softirqs_functions_total', 'Softirq counts per CPU.', labels, uintOf(value, file))
        })
      }
      return out.list()
    },
  }
}
