/** Pressure stall information of /proc/pressure. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, NoDataError, type NodeContext, PartialError, single } from './collector.ts'
import { readOptional } from './files.ts'

const METRICS: readonly (readonly [resource: string, line: 'some' | 'full', name: string, help: string])[] = [
  [
    'cpu',
    'some',
    'pressure_cpu_waiting_seconds_total',
    'Total time in seconds that processes have waited for CPU time',
  ],
  [
    'io',
    'some',
    'pressure_io_waiting_seconds_total',
    'Total time in seconds that processes have waited due to IO congestion',
  ],
  [
    'io',
    'full',
    'pressure_io_stalled_seconds_total',
    'Total time in seconds no process could make progress due to IO congestion',
  ],
  [
    'memory',
    'some',
    'pressure_memory_waiting_seconds_total',
    'Total time in seconds that processes have waited for memory',
  ],
  [
    'memory',
    'full',
    'pressure_memory_stalled_seconds_total',
    'Total time in seconds no process could make progress due to memory congestion',
  ],
  [
    'irq',
    'full',
    'pressure_irq_stalled_seconds_total',
    'Total time in seconds no process could make progress due to IRQ congestion',
  ],
]

/** A kernel without PSI has no such folder: no data, as upstream; a resource that it lacks (irq before 6.1) is left out. */
export function pressureCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'pressure',
    update() {
      const out: MetricFamily[] = []
      for (const [resource, line, name, help] of METRICS) {
        const file = `${procfs}/pressure/${resource}`
        const text = readOptional(disk, file)
        if (text === null) continue
        const total = totals(text).get(line)
        if (total === undefined)
          throw new PartialError(out, new Error(`Cannot read ${file}: no line "${line} avg10=… total=…"`))
        out.push(single('counter', name, help, total / 1000 / 1000))
      }
      if (out.length === 0) throw new NoDataError('pressure stall information is unavailable')
      return out
    },
  }
}

/** Microseconds by `some` and `full`. */
function totals(text: string): Map<string, number> {
  const number = '[+-]?\\d*\\.?\\d+'
  const line = new RegExp(`^(some|full) avg10=${number} avg60=${number} avg300=${number} total=(\\d{1,19})$`, 'gm')
  return new Map(Array.from(text.matchAll(line), ([, kind, total]) => [kind!, Number(total)]))
}
