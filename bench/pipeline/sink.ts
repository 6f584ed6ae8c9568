/**
 * A remote-write receiver that keeps nothing: it counts the bytes of its connections and the samples in the requests.
 * Semantics: Prometheus Remote-Write 1.0 and 2.0 specifications; a 2.0 sender takes an answer without the number of
 * samples written for a receiver that did not understand it.
 */
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { snappyDecompress } from '../../protocol/remote-write/mod.ts'
import type { WireBytes } from './proxy.ts'

export type WriteProtocol = '1.0' | '2.0'

/** Field of `repeated TimeSeries timeseries` in the request; the samples of a series are field 2 in both. */
const TIMESERIES: Readonly<Record<WriteProtocol, number>> = { '1.0': 1, '2.0': 5 }
const SAMPLES = 2

export class WriteSink implements AsyncDisposable {
  readonly #server: http.Server
  readonly #sockets = new Set<Socket>()
  #closed: WireBytes = { up: 0, down: 0 }
  #samples = 0
  #requests = 0
  #problem: string | null = null

  static async listen(protocol: WriteProtocol): Promise<WriteSink> {
    const sink = new WriteSink(protocol)
    await new Promise<void>((resolve) => sink.#server.listen(0, '127.0.0.1', resolve))
    return sink
  }

  private constructor(protocol: WriteProtocol) {
    this.#server = http.createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        try {
          const samples = countSamples(snappyDecompress(Buffer.concat(chunks)), protocol)
          this.#samples += samples
          this.#requests++
          response.writeHead(204, { 'x-prometheus-remote-write-samples-written': String(samples) }).end()
        } catch (error) {
          this.#problem = (error as Error).message
          response.writeHead(400).end()
        }
      })
    })
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => {
        this.#sockets.delete(socket)
        this.#closed = add(this.#closed, { up: socket.bytesRead, down: socket.bytesWritten })
      })
    })
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api/v1/write`
  }

  /** So far, HTTP's headers included. @throws Error if a request could not be read */
  counts(): { readonly bytes: WireBytes; readonly samples: number; readonly requests: number } {
    if (this.#problem !== null) throw new Error(`The sink could not read a remote-write request: ${this.#problem}`)
    let bytes = this.#closed
    for (const socket of this.#sockets) bytes = add(bytes, { up: socket.bytesRead, down: socket.bytesWritten })
    return { bytes, samples: this.#samples, requests: this.#requests }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

function add(a: WireBytes, b: WireBytes): WireBytes {
  return { up: a.up + b.up, down: a.down + b.down }
}

/** Float samples in a WriteRequest (1.0) or Request (2.0). @throws Error for what is no protobuf */
export function countSamples(message: Uint8Array, protocol: WriteProtocol): number {
  let samples = 0
  eachMessage(message, 0, message.length, TIMESERIES[protocol], (from, to) => {
    eachMessage(message, from, to, SAMPLES, () => {
      samples++
    })
  })
  return samples
}

/** Calls `visit` with the bounds of every length-delimited field `wanted` in bytes[from, to). */
function eachMessage(
  bytes: Uint8Array,
  from: number,
  to: number,
  wanted: number,
  visit: (from: number, to: number) => void,
): void {
  let at = from
  const varint = (): number => {
    let value = 0
    for (let shift = 1; at < to; shift *= 128) {
      const byte = bytes[at++]!
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
    throw new Error(`protobuf: ends inside a number at byte ${at}`)
  }
  while (at < to) {
    const key = varint()
    const wireType = key & 7
    if (wireType === 0) varint()
    else if (wireType === 1) at += 8
    else if (wireType === 5) at += 4
    else if (wireType === 2) {
      const length = varint()
      if (length > to - at) throw new Error(`protobuf: a field of ${length} bytes passes the end at byte ${at}`)
      if (Math.floor(key / 8) === wanted) visit(at, at + length)
      at += length
    } else throw new Error(`protobuf: wire type ${wireType} at byte ${at}`)
  }
  if (at > to) throw new Error(`protobuf: a field passes the end at byte ${at}`)
}
