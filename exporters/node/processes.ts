/** Processes and threads by state: every /proc/PID/task/TID/stat is read. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { listDirectory, readNumber, readOptional } from './files.ts'

/** Of /proc/PID/stat, counted after the command's closing parenthesis. */
const STATE = 0
const THREADS = 17

export function processesCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'processes',
    update() {
      const byState = new Map<string, number>()
      const threadsByState = new Map<string, number>()
      let processes = 0
      let threads = 0
      for (const pid of disk.readDirectory(procfs)) {
        if (!/^\d+$/.test(pid)) continue
        const stat = statFields(disk, `${procfs}/${pid}/stat`)
        // It ended between the two readings.
        if (stat === null) continue
        processes++
        threads += Number(stat[THREADS])
        count(byState, stat[STATE]!)
        for (const tid of listDirectory(disk, `${procfs}/${pid}/task`)) {
          const task = tid === pid ? stat : statFields(disk, `${procfs}/${pid}/task/${tid}/stat`)
          if (task !== null) count(threadsByState, task[STATE]!)
        }
      }
      const out = new FamilySet()
      out.gauge('processes_threads', 'Allocated threads in system', [], threads)
      out.gauge('processes_pids', 'Number of PIDs', [], processes)
      for (const [state, n] of byState)
        out.gauge('processes_state', 'Number of processes in each state.', ['state', state], n)
      for (const [state, n] of threadsByState)
        out.gauge('processes_threads_state', 'Number of threads in each state.', ['thread_state', state], n)
      const maxThreads = readNumber(disk, `${procfs}/sys/kernel/threads-max`)
      if (maxThreads !== null) out.gauge('processes_max_threads', 'Limit of threads in the system', [], maxThreads)
      const maxPids = readNumber(disk, `${procfs}/sys/kernel/pid_max`)
      if (maxPids !== null) out.gauge('processes_max_processes', 'Number of max PIDs limit', [], maxPids)
      return out.list()
    },
  }
}

/** The command may hold spaces and parentheses. */
function statFields(disk: NodeContext['disk'], file: string): string[] | null {
  const text = readOptional(disk, file)
  return text === null ? null : text.slice(text.lastIndexOf(')') + 2).split(' ')
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
