/**
 * A second process that sends StatsD packets at a given rate: `node statsd-sender.ts HOST PORT PACKETS PER_SECOND`.
 * Prints one line of JSON at the end: how many it sent, and in how long. sendmmsg(2) through libc, for a sender that
 * costs more than the receiver measures itself.
 */
import { createRequire } from 'node:module'

const BATCH = 64
const SERIES = 50

const [host = '127.0.0.1', port = '9125', packets = '100000', perSecond = '100000'] = process.argv.slice(2)
await main(host, Number(port), Number(packets), Number(perSecond))

async function main(address: string, toPort: number, count: number, rate: number): Promise<void> {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const lib = koffi.load('libc.so.6')
  const socket = lib.func('int socket(int domain, int type, int protocol)')
  const connect = lib.func('int connect(int fd, const uint8_t *address, uint32_t length)')
  const sendmmsg = lib.func('int sendmmsg(int fd, _Inout_ uint8_t *headers, uint32_t count, int flags)')
  const fd = Number(socket(2, 2, 0))
  const to = new Uint8Array(16)
  const view = new DataView(to.buffer)
  view.setUint16(0, 2, true)
  view.setUint16(2, toPort)
  to.set(address.split('.').map(Number), 4)
  if (Number(connect(fd, to, to.length)) < 0) throw new Error(`connect failed: ${koffi.errno()}`)

  const messages = Array.from({ length: SERIES }, (_, i) => Buffer.from(messageOf(i)))
  const vectors = new Uint8Array(SERIES * 16)
  const headers = new Uint8Array(BATCH * 64)
  const vectorView = new DataView(vectors.buffer)
  const headerView = new DataView(headers.buffer)
  messages.forEach((message, i) => {
    vectorView.setBigUint64(i * 16, BigInt(koffi.address(message)), true)
    vectorView.setBigUint64(i * 16 + 8, BigInt(message.length), true)
  })
  const at = BigInt(koffi.address(vectors))
  let sent = 0
  const start = performance.now()
  while (sent < count) {
    const due = Math.min(count, Math.floor(((performance.now() - start) / 1000) * rate))
    while (sent < due) {
      const size = Math.min(BATCH, due - sent)
      for (let i = 0; i < size; i++) {
        headerView.setBigUint64(i * 64 + 16, at + BigInt(((sent + i) % SERIES) * 16), true)
        headerView.setBigUint64(i * 64 + 24, 1n, true)
      }
      const taken = Number(sendmmsg(fd, headers, size, 0))
      // A full queue of the device, not of the receiver.
      if (taken <= 0) break
      sent += taken
    }
    if (sent < count) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  const seconds = (performance.now() - start) / 1000
  process.stdout.write(`${JSON.stringify({ sent, seconds, perSecond: sent / seconds, bytes: messages.length })}\n`)
}

/** Counters, a gauge, timers and tags, as a web application sends them. */
function messageOf(i: number): string {
  if (i < 20) return `load.requests.route${i}:1|c`
  if (i < 30) return `load.tagged:1|c|#route:r${i},method:get`
  if (i < 40) return `load.queue.q${i}:${i}|g`
  return `load.latency.route${i}:${i}.5|ms`
}
