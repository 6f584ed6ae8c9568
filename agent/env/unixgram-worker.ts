/** Entry of the thread that waits for datagrams on a socket of the file system. */
import { parentPort, workerData } from 'node:worker_threads'
import { datagramReader, setReceiveTimeout } from './datagram-calls.ts'
import type { UnixgramWork } from './net-unixgram.ts'

const WAIT_MS = 250

if (parentPort) serve(parentPort, workerData as UnixgramWork)

function serve(port: NonNullable<typeof parentPort>, { fd, stop }: UnixgramWork): void {
  setReceiveTimeout(fd, WAIT_MS)
  const read = datagramReader(fd)
  while (Atomics.load(stop, 0) === 0) {
    const { bytes, starts, lengths, count } = read({ waits: true })
    if (count === 0) continue
    const packed = new Uint8Array(lengths.subarray(0, count).reduce((sum, length) => sum + length, 0))
    const packedStarts = new Uint32Array(count)
    let at = 0
    for (let i = 0; i < count; i++) {
      packedStarts[i] = at
      packed.set(bytes.subarray(starts[i]!, starts[i]! + lengths[i]!), at)
      at += lengths[i]!
    }
    const message = { bytes: packed, starts: packedStarts, lengths: lengths.slice(0, count), count }
    port.postMessage(message, [packed.buffer, packedStarts.buffer, message.lengths.buffer])
  }
}
