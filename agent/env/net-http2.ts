/** One exchange over HTTP/2 on a connection that is there already, TLS with `h2` agreed upon or plain. */
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2'
import type { Socket } from 'node:net'
import { type HeaderList, type Http2Answer, type Http2Request, NetError } from '../../protocol/env/mod.ts'
import { errorMessage } from './net-errors.ts'

/** Of one connection alone; HTTP/2 has none of these. */
const NOT_FORWARDED = new Set(['connection', 'host', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])
const MAX_HEADER_PAIRS = 512

export function exchangeHttp2(socket: Socket, request: Http2Request): Promise<Http2Answer> {
  const { scheme, authority, timeoutMs, body } = request
  return new Promise((resolve, reject) => {
    let session: ClientHttp2Session
    const finish = (outcome: Http2Answer | Error): void => {
      clearTimeout(timer)
      session?.destroy()
      socket.destroy()
      if (outcome instanceof Error) reject(outcome)
      else resolve(outcome)
    }
    const fail = (error: unknown): void =>
      finish(
        error instanceof NetError ? error : new NetError('PROTOCOL', `http2: ${errorMessage(error)}`, { cause: error }),
      )
    const timer = setTimeout(() => finish(new NetError('TIMEOUT', 'context deadline exceeded')), timeoutMs)
    session = connect(`${scheme}://${authority}`, {
      createConnection: () => socket,
      maxHeaderListPairs: MAX_HEADER_PAIRS,
      settings: { enablePush: false },
    })
    session.on('error', fail)
    session.on('close', () => fail(new NetError('UNEXPECTED_EOF', 'http2: unexpected EOF')))
    const stream = session.request(headersOf(request), { endStream: body === undefined })
    let status = 0
    let headers: HeaderList = []
    let trailers: HeaderList = []
    stream.on('response', (received) => {
      status = Number(received[':status'] ?? 0)
      headers = listOf(received)
      request.onHead?.()
    })
    stream.on('trailers', (received: IncomingHttpHeaders) => {
      trailers = listOf(received)
    })
    stream.on('data', (chunk: Uint8Array) => {
      try {
        request.onChunk(chunk)
      } catch (error) {
        finish(error as Error)
      }
    })
    stream.on('error', fail)
    // A stream that is reset ends on Bun before it tells of the error.
    stream.on('end', () => status !== 0 && finish({ status, headers, trailers }))
    stream.on('close', () => fail(new NetError('UNEXPECTED_EOF', 'http2: the stream ended without an answer')))
    if (body !== undefined) stream.end(body)
  })
}

function headersOf({ method, scheme, authority, path, headers }: Http2Request): OutgoingHttpHeaders {
  const out: Record<string, string | string[]> = {
    ':method': method,
    ':scheme': scheme,
    ':authority': authority,
    ':path': path,
  }
  for (const [name, value] of headers) {
    const key = name.toLowerCase()
    if (NOT_FORWARDED.has(key)) continue
    const known = out[key]
    out[key] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value]
  }
  return out
}

function listOf(headers: IncomingHttpHeaders): HeaderList {
  return Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(':') || value === undefined
      ? []
      : (Array.isArray(value) ? value : [value]).map((each) => [name, each] as const),
  )
}
