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
      for (const line of disk.readText(file).split('\n')) {
        const name = /^\s*(\S+)\s+\S/.exec(line)?.[1]
        if (name === undefined) continue
        // Each line has to be whole, those that are not shown too. There may be thousands of interrupts.
        const isWhole = name.startsWith('cpu') ? CPU.test(line) : name !== 'intr' || NUMBERS.test(line)
        if (!isWhole) throw new Error(`Cannot read ${file}: numbers expected in "${line.slice(0, 200)}"`)
        if (name === 'softirq') softirqs = softirqNumbers(line, file)
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

/** Times in floats; a kernel may have fewer than ten. */
const TIME = '\\s+[+-]?(?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?'
const CPU = new RegExp(`^\\s*cpu\\d*(?:(?:${TIME}){0,9}\\s*|(?:${TIME}){10}(?:\\s.*)?)$`)
const NUMBERS = /^\s*\S+(?:\s+\d+)+\s*$/

function softirqNumbers(line: string, file: string): number[] {
  const numbers = words(line).slice(1, SOFTIRQ_VECTORS.length + 2)
  if (numbers.length <= SOFTIRQ_VECTORS.length)
    throw new Error(`Cannot read ${file}: ${SOFTIRQ_VECTORS.length + 1} numbers expected in "${line}"`)
  return numbers.map((number) => uintOf(number, file))
}
