/**
 * Datagram sockets of the file system. A thread waits in recvmmsg(2) and hands over what came; between two waits, of a
 * quarter of a second at most, it looks whether it is wanted any longer.
 */
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import { type DatagramListener, type DatagramOptions, type Datagrams, NetError } from '../../protocol/env/mod.ts'
import { closeDescriptor, openUnixgram } from './datagram-calls.ts'
import { errorCode, errorMessage } from './net-errors.ts'

export type UnixgramWork = {
  readonly fd: number
  /** Not 0: stop. */
  readonly stop: Int32Array<SharedArrayBuffer>
}

/** @throws NetError naming the path */
export async function listenUnixgram(
  path: string,
  mode: number,
  { readBufferBytes, onDatagrams, onError }: Omit<DatagramOptions, 'address'>,
): Promise<DatagramListener> {
  let fd: number
  try {
    fd = openUnixgram(path, readBufferBytes)
    fs.chmodSync(path, mode)
  } catch (error) {
    if (error instanceof NetError) throw error
    throw new NetError(errorCode(error), `Cannot listen on ${path}: ${errorMessage(error)}`, { cause: error })
  }
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const url = new URL('./unixgram-worker.ts', import.meta.url)
  const worker = new Worker(url, { name: 'unixgram', workerData: { fd, stop } satisfies UnixgramWork })
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  worker.on('message', (datagrams: Datagrams) => onDatagrams(datagrams))
  worker.on('error', (error) => {
    onError(new NetError('EUNKNOWN', `Reading ${path} failed: ${errorMessage(error)}`, { cause: error }))
  })
  return {
    address: { host: path, port: 0 },
    // Senders wait, or are told that the queue is full: nothing is dropped in silence.
    drops: () => null,
    close: async () => {
      Atomics.store(stop, 0, 1)
      await ended
      closeDescriptor(fd)
      fs.rmSync(path, { force: true })
    },
  }
}
