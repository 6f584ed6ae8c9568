/** Bytes that wait in the queues of UDP sockets. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, readOptional, uintOf, words } from './files.ts'

const QUEUES = 4
const MIN_FIELDS = 10

export function udpQueuesCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'udp_queues',
    update() {
      const out = new FamilySet()
      const versions = [
        ['v4', disk.readText(`${procfs}/net/udp`)],
        ['v6', readOptional(disk, `${procfs}/net/udp6`)],
      ] as const
      for (const [ip, text] of versions) {
        if (text === null) continue
        let tx = 0
        let rx = 0
        for (const line of lines(text).slice(1)) {
          const fields = words(line)
          const [sending, receiving] = (fields[QUEUES] ?? '').split(':')
          const file = `${procfs}/net/udp`
          if (fields.length < MIN_FIELDS) throw new Error(`Cannot read ${file}: unexpected line "${line}"`)
          tx += uintOf(sending, file, 16)
          rx += uintOf(receiving, file, 16)
        }
        const help = 'Number of allocated memory in the kernel for UDP datagrams in bytes.'
        out.gauge('udp_queues', help, ['ip', ip, 'queue', 'tx'], tx)
        out.gauge('udp_queues', help, ['ip', ip, 'queue', 'rx'], rx)
      }
      return out.list()
    },
  }
}
