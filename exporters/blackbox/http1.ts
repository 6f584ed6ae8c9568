/** One HTTP/1 exchange over a stream: the head by itself, and then the body, so that both can be timed. RFC 9112. */
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { type HeaderList, NetError } from '../../protocol/env/mod.ts'
import type { ByteStream } from './stream.ts'

export type ResponseHead = {
  /** As the server says it: `HTTP/1.1`. */
  readonly protocol: string
  readonly status: number
  readonly headers: HeaderList
  /** -1 where it is not known before the end. */
  readonly contentLength: number
  readonly isChunked: boolean
}

export type RequestHead = {
  readonly method: string
  /** A path with its query, an absolute URL for proxies, HOST:PORT for CONNECT. */
  readonly target: string
  readonly headers: HeaderList
}

const MAX_HEAD_BYTES = 64 * 1024
const MAX_INTERIM = 10
const MAX_CHUNK_LINE_BYTES = 4096

/** @throws ProbeFailure-worthy Error for what cannot be put into a head */
export function writeHead({ method, target, headers }: RequestHead): Uint8Array {
  let text = `${method} ${target} HTTP/1.1\r\n`
  for (const [name, value] of headers) {
    if (!isToken(name) || /[\r\n\0]/.test(value))
      throw new Error(`net/http: invalid header field ${JSON.stringify(name)}`)
    text += `${name}: ${value}\r\n`
  }
  return Uint8Array.from(`${text}\r\n`, (char) => char.charCodeAt(0) & 0xff)
}

/** Interim answers are passed over. @throws NetError */
export async function readHead(stream: ByteStream, method: string): Promise<ResponseHead> {
  for (let interim = 0; interim <= MAX_INTERIM; interim++) {
    const line = await stream.readLine(MAX_HEAD_BYTES)
    const match = /^(HTTP\/\d\.\d) (\d{3})(?: .*)?$/.exec(line)
    if (!match) throw new NetError('PROTOCOL', `malformed HTTP response ${JSON.stringify(line.slice(0, 100))}`)
    const headers = await readHeaders(stream)
    const status = Number(match[2])
    if (status < 200 && status !== 101) continue
    const isChunked = isChunkedBody(headers)
    return {
      protocol: match[1]!,
      status,
      headers,
      isChunked,
      contentLength: lengthOf(headers, { method, status, isChunked }),
    }
  }
  throw new NetError('PROTOCOL', 'too many interim responses')
}

async function readHeaders(stream: ByteStream): Promise<HeaderList> {
  const out: [string, string][] = []
  for (let left = MAX_HEAD_BYTES; ; ) {
    const line = await stream.readLine(MAX_HEAD_BYTES)
    left -= line.length + 2
    if (left <= 0) throw new NetError('PROTOCOL', `server response headers exceeded ${MAX_HEAD_BYTES} bytes`)
    if (line === '') return out
    if (/^[ \t]/.test(line) && out.length > 0) {
      out.at(-1)![1] += ` ${line.trim()}`
      continue
    }
    const at = line.indexOf(':')
    // A name with a space within is taken, as Go's client does.
    if (at <= 0 || !isToken(line.slice(0, at).replaceAll(' ', '')) || CONTROL.test(line.slice(at + 1)))
      throw new NetError('PROTOCOL', `malformed MIME header line: ${JSON.stringify(line.slice(0, 100))}`)
    out.push([line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim()])
  }
}

/** What a name or a method is made of. */
export const isToken = (text: string): boolean => /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

/** Go's client knows one coding alone. */
function isChunkedBody(headers: HeaderList): boolean {
  const codings = headersOf(headers, 'transfer-encoding')
  if (codings.length === 0) return false
  if (codings.length > 1) throw new NetError('PROTOCOL', `too many transfer encodings: ${JSON.stringify(codings)}`)
  if (codings[0]!.toLowerCase() !== 'chunked')
    throw new NetError('PROTOCOL', `unsupported transfer encoding: ${JSON.stringify(codings[0])}`)
  return true
}

function lengthOf(
  headers: HeaderList,
  { method, status, isChunked }: { readonly method: string; readonly status: number; readonly isChunked: boolean },
): number {
  const lengths = headersOf(headers, 'content-length')
  if (new Set(lengths).size > 1)
    throw new NetError(
      'PROTOCOL',
      `http: message cannot contain multiple Content-Length headers; got ${JSON.stringify(lengths)}`,
    )
  const text = lengths[0] ?? ''
  if (text !== '' && !/^\d{1,15}$/.test(text))
    throw new NetError('PROTOCOL', `bad Content-Length ${JSON.stringify(text)}`)
  if (method === 'HEAD') return text === '' ? -1 : Number(text)
  if (status < 200 || status === 204 || status === 304) return 0
  return isChunked || text === '' ? -1 : Number(text)
}

/** The first one; '' where there is none. */
export function headerOf(headers: HeaderList, name: string): string {
  return headers.find(([key]) => key === name)?.[1] ?? ''
}

export const headersOf = (headers: HeaderList, name: string): readonly string[] =>
  headers.flatMap(([key, value]) => (key === name ? [value] : []))

/** @param onChunk what it throws ends the reading @throws NetError */
export async function readBody(
  stream: ByteStream,
  head: ResponseHead,
  method: string,
  onChunk: (chunk: Uint8Array) => void,
): Promise<void> {
  if (method === 'HEAD' || head.contentLength === 0) return
  if (head.isChunked) return readChunked(stream, onChunk)
  for (let left = head.contentLength < 0 ? Number.POSITIVE_INFINITY : head.contentLength; left > 0; ) {
    const chunk = await stream.read()
    if (chunk === null) {
      if (head.contentLength < 0) return
      throw new NetError('UNEXPECTED_EOF', 'unexpected EOF')
    }
    const taken = chunk.subarray(0, Math.min(left, chunk.length))
    left -= taken.length
    onChunk(taken)
  }
}

async function readChunked(stream: ByteStream, onChunk: (chunk: Uint8Array) => void): Promise<void> {
  for (;;) {
    const line = await stream.readLine(MAX_CHUNK_LINE_BYTES)
    const match = /^([\da-fA-F]{1,8})\s*(?:;.*)?$/.exec(line)
    if (!match) throw new NetError('PROTOCOL', 'invalid byte in chunk length')
    let left = Number.parseInt(match[1]!, 16)
    if (left === 0) {
      await readHeaders(stream)
      return
    }
    while (left > 0) {
      const chunk = await stream.read()
      if (chunk === null) throw new NetError('UNEXPECTED_EOF', 'unexpected EOF')
      const taken = chunk.subarray(0, Math.min(left, chunk.length))
      left -= taken.length
      stream.unread(chunk.subarray(taken.length))
      onChunk(taken)
    }
    if ((await stream.readLine(2)) !== '') throw new NetError('PROTOCOL', 'malformed chunked encoding')
  }
}

/** Keeps a body, up to a bound. */
export class BodyBuffer {
  readonly #parts: Uint8Array[] = []
  readonly #maxBytes: number
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  push(chunk: Uint8Array): void {
    this.#length += chunk.length
    if (this.#length > this.#maxBytes)
      throw new NetError('BODY_TOO_LARGE', `the body has more than ${this.#maxBytes} bytes`)
    this.#parts.push(chunk)
  }

  bytes(): Uint8Array {
    return joinBytes(this.#parts)
  }
}
