/** Counters of /proc/stat that belong to no CPU. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { booleanFlag } from '../contract.ts'
import { type Collector, family, type NodeContext, single } from './collector.ts'
import { uintOf, words } from './files.ts'

const LINES: readonly (readonly [line: string, type: FamilyType, name: string, help: string])[] = [
  ['intr', 'counter', 'intr_total', 'Total number of interrupts serviced.'],
  ['ctxt', 'counter', 'context_switches_total', 'Total number of context switches.'],
  ['processes', 'counter', 'forks_total', 'Total number of forks.'],
  ['btime', 'gauge', 'boot_time_seconds', 'Node boot time, in unixtime.'],
  ['procs_running', 'gauge', 'procs_running', 'Number of processes in runnable state.'],
  ['procs_blocked', 'gauge', 'procs_blocked', 'Number of processes blocked waiting for I/O to complete.'],
]

const SOFTIRQ_VECTORS = [
  'hi',
  'timer',
  'net_tx',
  'net_rx',
  'block',
  'block_iopoll',
  'tasklet',
  'sched',
  'hrtimer',
  'rcu',
]

export function statCollector({ disk, procfs, flags }: NodeContext): Collector {
  const withSoftirq = booleanFlag(flags, 'collector.stat.softirq', false)
  return {
    name: 'stat',
    update() {
      const file = `${procfs}/stat`
      const found = new Map<string, number>()
      let softirqs: readonly number[] = []
      for (const [name, line] of statLines(disk.readText(file), file)) {
        if (name === 'softirq') softirqs = words(line).slice(1).map(Number)
        else if (LINES.some(([line]) => line === name)) found.set(name, uintOf(words(line)[1], file))
      }
      const out = LINES.map(([line, type, name, help]) => single(type, name, help, found.get(line) ?? 0))
      if (withSoftirq) {
        const metrics = SOFTIRQ_VECTORS.map((vector, i) => ({
          labels: ['vector', vector],
          value: softirqs[i + 1] ?? 0,
        }))
        out.push(family('counter', 'softirqs_total', 'Number of softirq calls.', metrics))
      }
      return out
    },
  }
}

/** Each line has to be whole, those that nobody shows too. @throws Error naming the file */
export function* statLines(text: string, file: string): Iterable<readonly [name: string, line: string]> {
  for (const line of text.split('\n')) {
    const name = /^\s*(\S+)\s+\S/.exec(line)?.[1]
    if (name === undefined) continue
    if (!isWhole(name, line)) throw new Error(`Cannot read ${file}: numbers expected in "${line.slice(0, 200)}"`)
    yield [name, line]
  }
}

function isWhole(name: string, line: string): boolean {
  // There may be thousands of interrupts.
  if (name === 'intr') return /^[\d\s]*$/.test(line.slice(line.indexOf('intr') + 4))
  if (LINES.some(([line]) => line === name)) return /^\d+$/.test(words(line)[1]!)
  const numbers = name.startsWith('cpu') || name === 'softirq' ? words(line).slice(1) : []
  // Times in floats; a kernel may have fewer than ten.
  if (name !== 'softirq')
    return numbers.slice(0, 10).every((number) => /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(number))
  return numbers.length > 10 && numbers.slice(0, 11).every((number) => /^\d+$/.test(number))
}
