/**
 * The head of an HTTP/1.1 answer: status, headers, and how its body ends. Lenient where Go's net/http is (bare newlines,
 * missing reason), strict where two readings of one message would let a server smuggle a second one in.
 * Semantics: RFC 9112 sections 4 and 6; Go net/http readTransfer.
 */
import { NetError } from '../../protocol/env/mod.ts'

export type ResponseHead = {
  readonly status: number
  /** Lower-case names, repeated ones joined. */
  readonly headers: Readonly<Record<string, string>>
  /** Bytes of the body, or how they are framed. */
  readonly framing: number | 'chunked' | 'close'
  /** Whether the connection may carry another exchange after this one. */
  readonly keepAlive: boolean
}

const CR = 13
const LF = 10

/** One past the blank line that ends the head, or -1. @param from where the search may start (the head's bytes before it hold no end) */
export function headEnd(bytes: Uint8Array, from: number): number {
  for (let i = bytes.indexOf(LF, from); i >= 0; i = bytes.indexOf(LF, i + 1)) {
    if (bytes[i + 1] === LF) return i + 2
    if (bytes[i + 1] === CR && bytes[i + 2] === LF) return i + 3
  }
  return -1
}

const STATUS_LINE = /^HTTP\/1\.([01]) (\d{3})(?: [^\r\n]*)?$/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * @param text the head as latin1, with its blank line
 * @param method of the request: HEAD has no body
 * @throws NetError `PROTOCOL`
 */
export function parseHead(text: string, method: string): ResponseHead {
  const lines = text.split('\n')
  const first = trimCr(lines[0]!)
  const match = STATUS_LINE.exec(first)
  if (match === null) throw malformed(`malformed HTTP response ${JSON.stringify(first.slice(0, 60))}`)
  const status = Number(match[2])
  const headers: Record<string, string> = {}
  for (let i = 1; i < lines.length; i++) {
    const line = trimCr(lines[i]!)
    if (line === '') break
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon))
    if (!NAME.test(name)) throw malformed(`malformed MIME header line: ${JSON.stringify(line.slice(0, 60))}`)
    addHeader(headers, name.toLowerCase(), line.slice(colon + 1).trim())
  }
  const connection = (headers['connection'] ?? '').toLowerCase()
  const keepAlive = match[1] === '1' ? !connection.includes('close') : connection.includes('keep-alive')
  const framing = bodyFraming(status, method, headers)
  // Both framings at once is what request smuggling looks like: such a connection is not used again.
  const isAmbiguous = framing === 'chunked' && headers['content-length'] !== undefined
  // After 101 the connection speaks something else.
  const isReusable = keepAlive && framing !== 'close' && !isAmbiguous && status !== 101
  return { status, headers, framing, keepAlive: isReusable }
}

function addHeader(headers: Record<string, string>, name: string, value: string): void {
  const known = headers[name]
  if (known === undefined) headers[name] = value
  else if (name !== 'content-length') headers[name] = `${known}, ${value}`
  else if (known !== value) throw malformed('http: message cannot contain multiple Content-Length headers')
}

function bodyFraming(
  status: number,
  method: string,
  headers: Readonly<Record<string, string>>,
): ResponseHead['framing'] {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return 0
  const encoding = headers['transfer-encoding']
  if (encoding !== undefined) {
    if (encoding.toLowerCase() !== 'chunked')
      throw malformed(`unsupported transfer encoding: ${JSON.stringify(encoding)}`)
    return 'chunked'
  }
  const length = headers['content-length']
  if (length === undefined) return 'close'
  if (!/^\d{1,15}$/.test(length)) throw malformed(`bad Content-Length ${JSON.stringify(length)}`)
  return Number(length)
}

function malformed(reason: string): NetError {
  return new NetError('PROTOCOL', `net/http: HTTP/1.x transport connection broken: ${reason}`)
}

function trimCr(line: string): string {
  return line.charCodeAt(line.length - 1) === CR ? line.slice(0, -1) : line
}
