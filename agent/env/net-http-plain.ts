/**
 * HTTP requests and answers straight on Node's, without the Web objects that hono's listener makes: for small answers,
 * of which those are most of the cost. Hot: bench/query, the instant queries.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { PlainAnswer, PlainHandler, PlainRequest } from '../../protocol/env/mod.ts'
import { formatAddress } from './net-errors.ts'

/**
 * Head and body of smaller ones go to the socket as one string. Larger ones are not made into text: two copies of them
 * are what a young space of a megabyte is full of after fifty answers.
 */
const ONE_TEXT_MAX_BYTES = 4 << 10
/**
 * What came from another thread is freed as soon as it is sent: the collector of an idle process may not look for hours,
 * that of a busy one looks twice as often (answers of 0.4 MB).
 */
const FREE_AT_ONCE_BYTES = 64 << 10

/** False: the handler does not want it. `onError` hears what it threw; the client gets a plain 500. */
export function answerPlainly(
  handler: PlainHandler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  onError: (error: unknown, request: string) => void,
): boolean {
  const fail = (error: unknown): void => {
    if (outgoing.destroyed || error instanceof ClientGone) return
    onError(error, `${incoming.method} ${incoming.url}`)
    sendBytes(outgoing, 500, { 'content-type': 'text/plain' }, Buffer.from('Internal Server Error\n'))
  }
  try {
    const answer = handler(new IncomingRequest(incoming, outgoing))
    if (answer === null) return false
    if (answer instanceof Promise) void answer.then((given) => send(outgoing, given)).catch(fail)
    else send(outgoing, answer)
  } catch (error) {
    fail(error)
  }
  return true
}

function send(outgoing: ServerResponse, { status, headers, body }: PlainAnswer): void {
  sendBytes(outgoing, status, headers, body)
}

class IncomingRequest implements PlainRequest {
  readonly #incoming: IncomingMessage
  readonly #outgoing: ServerResponse
  #signal: AbortSignal | undefined

  constructor(incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#incoming = incoming
    this.#outgoing = outgoing
  }

  get method(): string {
    return this.#incoming.method ?? ''
  }

  get target(): string {
    return this.#incoming.url ?? ''
  }

  get remoteAddress(): string {
    const { remoteAddress, remotePort } = this.#incoming.socket
    return formatAddress(remoteAddress ?? '', remotePort ?? 0)
  }

  get signal(): AbortSignal {
    this.#signal ??= closedSignal(this.#outgoing)
    return this.#signal
  }

  header(name: string): string {
    const value = this.#incoming.headers[name]
    return typeof value === 'string' ? value : (value?.join(', ') ?? '')
  }

  body(maxBytes: number): Promise<Uint8Array | null> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let size = 0
      this.#incoming.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size <= maxBytes) chunks.push(chunk)
        else resolve(null)
      })
      this.#incoming.on('end', () => resolve(size <= maxBytes ? Buffer.concat(chunks) : null))
      this.#incoming.on('error', (cause) => reject(new ClientGone(cause)))
      this.#incoming.on('close', () => reject(new ClientGone()))
    })
  }
}

/** Nobody is left to answer, and nothing failed here. Not every runtime has destroyed the answer by then. */
class ClientGone extends Error {
  constructor(cause?: Error) {
    super('Client closed the connection', { cause })
    this.name = 'ClientGone'
  }
}

/** Aborts when the client goes before the answer is done. */
export function closedSignal(outgoing: ServerResponse): AbortSignal {
  const controller = new AbortController()
  const onClose = (): void => {
    if (!outgoing.writableFinished) controller.abort(new Error('Client closed the connection'))
  }
  if (outgoing.destroyed) onClose()
  else outgoing.on('close', onClose)
  return controller.signal
}

/** @param body taken over; a large one that begins its buffer is freed with it when it has been sent */
export function sendBytes(
  outgoing: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array,
): void {
  const { buffer, byteOffset, length } = body
  if (length >= FREE_AT_ONCE_BYTES && byteOffset === 0 && buffer instanceof ArrayBuffer) {
    // The socket is closed, or has all of it: nothing reads it any more.
    const free = (): void => void buffer.transfer(0)
    if (outgoing.destroyed) free()
    else outgoing.once('close', free)
  }
  if (outgoing.destroyed) return
  // Where there can be no content, its length is not told either.
  outgoing.writeHead(status, status === 204 ? headers : { 'content-length': length, ...headers })
  if (outgoing.req.method === 'HEAD') outgoing.end()
  else if (length > ONE_TEXT_MAX_BYTES) outgoing.end(body)
  // Each char is a byte: any bytes pass.
  else outgoing.end(Buffer.from(buffer, byteOffset, length).toString('latin1'), 'latin1')
}
