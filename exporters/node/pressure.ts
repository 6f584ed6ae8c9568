/** Pressure stall information of /proc/pressure. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, NoDataError, type NodeContext, single } from './collector.ts'
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
      const texts = new Map<string, string | null>()
      const out: MetricFamily[] = []
      for (const [resource, line, name, help] of METRICS) {
        if (!texts.has(resource)) texts.set(resource, readOptional(disk, `${procfs}/pressure/${resource}`))
        const match = new RegExp(`^${line} .*total=(\\d+)`, 'm').exec(texts.get(resource) ?? '')
        if (match) out.push(single('counter', name, help, Number(match[1]) / 1000 / 1000))
      }
      if (out.length === 0) throw new NoDataError('pressure stall information is unavailable')
      return out
    },
  }
}
