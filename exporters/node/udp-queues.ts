/** Bytes that wait in the queues of UDP sockets. */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { readOptional, scanLines, uintOf } from './files.ts'

/** `sl  local_address rem_address st tx_queue:rx_queue tr:when retrnsmt uid timeout inode ref pointer drops`. */
const LINE =
  /^\s*\d+:\s+(?:[\dA-Fa-f]{8}|[\dA-Fa-f]{32}):[\dA-Fa-f]{1,16}\s+(?:[\dA-Fa-f]{8}|[\dA-Fa-f]{32}):[\dA-Fa-f]{1,16}\s+[\dA-Fa-f]+\s+([\dA-Fa-f]+):([\dA-Fa-f]+)\s+\S+\s+\S+\s+(?:0x[\da-f]+|\d+)\s+\S+\s+(?:0x[\da-f]+|\d+)\s+\S+\s+\S+\s+(?:0x[\da-f]+|\d+)(?:\s|$)/i

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
        for (const line of scanLines(text).slice(1)) {
          const file = `${procfs}/net/udp`
          const match = LINE.exec(line)
          if (match === null) throw new Error(`Cannot read ${file}: unexpected line "${line}"`)
          tx += uintOf(match[1], file, 16)
          rx += uintOf(match[2], file, 16)
        }
        const help = 'Number of allocated memory in the kernel for UDP datagrams in bytes.'
        out.gauge('udp_queues', help, ['ip', ip, 'queue', 'tx'], tx)
        out.gauge('udp_queues', help, ['ip', ip, 'queue', 'rx'], rx)
      }
      return out.list()
    },
  }
}
