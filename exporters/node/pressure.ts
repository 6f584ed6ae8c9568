/** Pressure stall information of /proc/pressure. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, NoDataError, type NodeContext, PartialError, single } from './collector.ts'
import { readOptional, scanLines, uintOf } from './files.ts'

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
        let total: number | undefined
        try {
          total = totals(text, file).get(line)
        } catch (error) {
          throw new PartialError(out, error as Error)
        }
        if (total === undefined)
          throw new PartialError(out, new Error(`Cannot read ${file}: no line "${line} avg10=… total=…"`))
        out.push(single('counter', name, help, total / 1000 / 1000))
      }
      if (out.length === 0) throw new NoDataError('pressure stall information is unavailable')
      return out
    },
  }
}

/** Microseconds by `some` and `full`; lines of other kinds may come with a later kernel. */
function totals(text: string, file: string): Map<string, number> {
  const out = new Map<string, number>()
  for (const line of scanLines(text)) {
    const kind = line.split(' ', 1)[0]!
    if (kind !== 'some' && kind !== 'full') continue
    const total = LINE.exec(line)?.[1]
    if (total === undefined) throw new Error(`Cannot read ${file}: "${kind} avg10=… total=…" expected, got "${line}"`)
    out.set(kind, uintOf(total, file))
  }
  return out
}

const NUMBER = '\\s*[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?'
const LINE = new RegExp(`^(?:some|full)\\s+avg10=${NUMBER}\\s+avg60=${NUMBER}\\s+avg300=${NUMBER}\\s+total=\\s*(\\d+)`)
