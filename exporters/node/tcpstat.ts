/**
 * TCP connections by state and what waits in their queues, as the kernel lists sockets over netlink, or from
 * /proc/net/tcp where it does not. Semantics: node_exporter collector/tcpstat_linux.go.
 */
import type { Disk, Kernel } from '../../protocol/env/mod.ts'
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, readOptional, words } from './files.ts'
import { requestNetlink, u32, viewOf } from './netlink.ts'

/** Names of the kernel's states 1 to 12. */
const STATES = [
  ...['established', 'syn_sent', 'syn_recv', 'fin_wait1', 'fin_wait2', 'time_wait', 'close', 'close_wait'],
  ...['last_ack', 'listen', 'closing', 'new_syn_recv'],
]
const STATE = 3
const QUEUES = 4

/** Layout: Linux include/uapi/linux/inet_diag.h. */
const NETLINK_SOCK_DIAG = 4
const SOCK_DIAG_BY_FAMILY = 20
const REQUEST_BYTES = 56
const MESSAGE_BYTES = 72
const OFFSET = { state: 1, receiving: 56, sending: 60 } as const
const FAMILIES = [2, 10]
const IPPROTO_TCP = 6
const EVERY_STATE = 0xfff

type Sum = (state: number, receiving: number, sending: number) => void

export function tcpstatCollector({ disk, procfs, kernel }: NodeContext): Collector {
  return {
    name: 'tcpstat',
    update() {
      const counts = new Map<string, number>()
      const add = (state: string, value: number): void => void counts.set(state, (counts.get(state) ?? 0) + value)
      const sum: Sum = (state, receiving, sending) => {
        const name = STATES[state - 1]
        if (name === undefined) return
        add(name, 1)
        add('rx_queued_bytes', receiving)
        add('tx_queued_bytes', sending)
      }
      const sockets = kernel && askSockets(kernel)
      if (sockets)
        for (const socket of sockets)
          sum(socket[OFFSET.state]!, u32(socket, OFFSET.receiving), u32(socket, OFFSET.sending))
      else readSockets(disk, procfs, sum)
      const out = new FamilySet()
      for (const [state, count] of counts)
        out.gauge('tcp_connection_states', 'Number of connection states.', ['state', state], count)
      return out.list()
    },
  }
}

/** Of a listening socket the queues are its backlog and the backlog's limit. Null where the kernel has no inet_diag. */
function askSockets(kernel: Kernel): Uint8Array[] | null {
  try {
    return FAMILIES.flatMap((family) => {
      const request = new Uint8Array(REQUEST_BYTES)
      request.set([family, IPPROTO_TCP])
      viewOf(request).setUint32(4, EVERY_STATE, true)
      const messages = requestNetlink(kernel, NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, request)
      return messages.filter((message) => message.length >= MESSAGE_BYTES)
    })
  } catch {
    return null
  }
}

/** procfs does not tell the limit of a backlog. */
function readSockets(disk: Disk, procfs: string, sum: Sum): void {
  const texts = [disk.readText(`${procfs}/net/tcp`), readOptional(disk, `${procfs}/net/tcp6`) ?? '']
  for (const line of texts.flatMap((text) => lines(text).slice(1))) {
    const fields = words(line)
    const [tx = '0', rx = '0'] = (fields[QUEUES] ?? '').split(':')
    sum(Number.parseInt(fields[STATE] ?? '', 16), Number.parseInt(rx, 16), Number.parseInt(tx, 16))
  }
}
