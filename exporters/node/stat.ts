/** Counters of /proc/stat that belong to no CPU. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { booleanFlag } from '../contract.ts'
import { type Collector, family, type NodeContext, single } from './collector.ts'

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
      const out: MetricFamily[] = []
      for (const line of disk.readText(`${procfs}/stat`).split('\n')) {
        const [name = '', ...fields] = line.split(' ')
        const first = Number(fields[0])
        if (name === 'intr') out.push(single('counter', 'intr_total', 'Total number of interrupts serviced.', first))
        else if (name === 'ctxt')
          out.push(single('counter', 'context_switches_total', 'Total number of context switches.', first))
        else if (name === 'processes') out.push(single('counter', 'forks_total', 'Total number of forks.', first))
        else if (name === 'btime') out.push(single('gauge', 'boot_time_seconds', 'Node boot time, in unixtime.', first))
        else if (name === 'procs_running')
          out.push(single('gauge', 'procs_running', 'Number of processes in runnable state.', first))
        else if (name === 'procs_blocked')
          out.push(single('gauge', 'procs_blocked', 'Number of processes blocked waiting for I/O to complete.', first))
        else if (name === 'softirq' && withSoftirq) {
          const metrics = SOFTIRQ_VECTORS.map((vector, i) => ({
            labels: ['vector', vector],
            value: Number(fields[i + 1]),
          }))
          out.push(family('counter', 'softirqs_total', 'Number of softirq calls.', metrics))
        }
      }
      return out
    },
  }
}
