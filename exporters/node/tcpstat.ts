/** TCP connections by state and what waits in their queues, from /proc/net/tcp: costly on hosts with many. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, readOptional, words } from './files.ts'

/** Names of the kernel's states 1 to 12. */
const STATES = [
  ...['established', 'syn_sent', 'syn_recv', 'fin_wait1', 'fin_wait2', 'time_wait', 'close', 'close_wait'],
  ...['last_ack', 'listen', 'closing', 'new_syn_recv'],
]
const STATE = 3
const QUEUES = 4

export function tcpstatCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'tcpstat',
    update() {
      const counts = new Map<string, number>()
      const texts = [disk.readText(`${procfs}/net/tcp`), readOptional(disk, `${procfs}/net/tcp6`) ?? '']
      const add = (state: string, value: number): void => void counts.set(state, (counts.get(state) ?? 0) + value)
      for (const line of texts.flatMap((text) => lines(text).slice(1))) {
        const fields = words(line)
        const state = STATES[Number.parseInt(fields[STATE] ?? '', 16) - 1]
        if (state === undefined) continue
        // For a listening socket this is the backlog of connections, not of bytes.
        const [tx = '0', rx = '0'] = (fields[QUEUES] ?? '').split(':')
        add(state, 1)
        add('rx_queued_bytes', Number.parseInt(rx, 16))
        add('tx_queued_bytes', Number.parseInt(tx, 16))
      }
      const out = new FamilySet()
      for (const [state, count] of counts)
        out.gauge('tcp_connection_states', 'Number of connection states.', ['state', state], count)
      return out.list()
    },
  }
}
