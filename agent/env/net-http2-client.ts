/**
 * The client's exchanges over HTTP/2: for servers on TLS that refuse HTTP/1.1, which costs a scrape less and which all
 * others are therefore asked in. A server's session is kept as its connection is.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { type HttpResponse, NetError } from '../../protocol/env/mod.ts'
import { describeSocketError, errorMessage } from './net-errors.ts'
import { answerSink, type BodyMemory, type BodySink, type BodyWishes } from './net-http-body.ts'
import { type ConnectionUser, HttpConnection } from './net-http-connection.ts'
import { goText, type Hop } from './net-http-hop.ts'
import type { Http2Sessions } from './net-http2-sessions.ts'

const MAX_HEADER_BYTES = 64 * 1024
/** Of one connection alone; HTTP/2 has none of these, and says the host otherwise. */
const NOT_FORWARDED = new Set(['connection', 'host', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

/** An exchange of either version. */
export interface AnyExchange {
  readonly isStale: boolean
  run(deadline: Aborted, allowFree: boolean): Promise<HttpResponse>
}

/** As far as an exchange has to know of it. */
export type Aborted = {
  readonly reason: NetError | null
  exchange: { abort(reason: NetError): void } | null
}

export type Http2Memory = BodyMemory & { readonly http2: Http2Sessions }

type Http2Head = { readonly status: number; readonly headers: Readonly<Record<string, string>> }

/** What an exchange tells whoever asked for it. */
type Http2Events = {
  /** @returns where the body goes. @throws NetError when it is refused */
  readonly onHead: (head: Http2Head) => BodySink
  readonly onFail: (error: NetError) => void
}

/** As `Exchange`, for what speaks HTTP/2. */
export class OverHttp2 implements AnyExchange {
  readonly #hop: Hop
  readonly #rules: BodyWishes
  readonly #client: Http2Memory
  isStale = false

  constructor(hop: Hop, rules: BodyWishes, client: Http2Memory) {
    this.#hop = hop
    this.#rules = rules
    this.#client = client
  }

  run(deadline: Aborted, allowFree: boolean): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      let sink: BodySink | null = null
      let head: { readonly status: number; readonly headers: Readonly<Record<string, string>> } | null = null
      const fail = (error: NetError): void => {
        this.isStale = exchange.isStale
        exchange.abort()
        sink?.discard()
        const { code, message, cause } = error
        reject(head !== null ? error : new NetError(code, `${goText(this.#hop)}: ${message}`, { cause }))
      }
      const exchange = new Http2Exchange(this.#hop, this.#client.http2, {
        onHead: (answer) => {
          const declared = Number(answer.headers['content-length'] ?? 0)
          const bytes = this.#hop.method === 'HEAD' || !(declared >= 0) ? 0 : declared
          sink = answerSink({ ...answer, bytes }, this.#rules, this.#client, {
            done(body) {
              sink?.discard()
              resolve({ ...answer, body })
            },
            fail,
            resume: () => exchange.resume(),
          })
          head = answer
          return sink
        },
        onFail: fail,
      })
      deadline.exchange = { abort: fail }
      if (deadline.reason !== null) fail(deadline.reason)
      else exchange.run(allowFree)
    })
  }
}

/** One request and its answer. */
class Http2Exchange implements ConnectionUser {
  readonly #hop: Hop
  readonly #sessions: Http2Sessions
  readonly #events: Http2Events
  #connection: HttpConnection | null = null
  #stream: ClientHttp2Stream | null = null
  #session: ClientHttp2Session | null = null
  #sink: BodySink | null = null
  #isOver = false
  /** The session had been kept, and the stream ended before an answer. */
  isStale = false
  /** The server does not speak HTTP/2. */
  isRefused = false

  constructor(hop: Hop, sessions: Http2Sessions, events: Http2Events) {
    this.#hop = hop
    this.#sessions = sessions
    this.#events = events
  }

  run(allowFree: boolean): void {
    const free = allowFree ? this.#sessions.free(this.#hop) : null
    if (free !== null) {
      this.#send(free, true)
      return
    }
    this.#connection = new HttpConnection('', { ...this.#hop, alpn: 'h2' }, this, new Uint8Array(0), () => {})
  }

  onReady(): void {
    const socket = this.#connection!.detach() as TLSSocket
    this.#connection = null
    // Bun has no such property before it has read something.
    if (socket.alpnProtocol === 'h2') this.#send(this.#sessions.add(this.#hop, socket), false)
    else {
      socket.destroy()
      this.#refuse(
        `server speaks neither HTTP/1.1 nor HTTP/2 here, but ${socket.alpnProtocol || 'nothing that it names'}`,
      )
    }
  }

  onBytes(): boolean {
    return true
  }

  onClosed(error: Error | null): void {
    if (error === null) this.#fail(new NetError('UNEXPECTED_EOF', 'EOF'))
    else if (isAlpnAlert(error)) this.#refuse('tls: no application protocol')
    else {
      const { code, text } = describeSocketError(error, MAX_HEADER_BYTES)
      this.#fail(new NetError(code, text, { cause: error }))
    }
  }

  /** Nothing more is told. */
  abort(): void {
    this.#isOver = true
    this.#connection?.destroy()
    this.#connection = null
    this.#stream?.close(constants.NGHTTP2_CANCEL)
    this.#stream = null
    if (this.#session !== null) this.#sessions.abandon(this.#session)
    this.#session = null
  }

  #send(session: ClientHttp2Session, isReused: boolean): void {
    const { method, url, headers, body } = this.#hop
    const pseudo = { ':method': method, ':scheme': 'https', ':authority': headers['host'] ?? url.host }
    const fields: Record<string, string> = { ...pseudo, ':path': url.pathname + url.search }
    for (const name in headers) if (!NOT_FORWARDED.has(name)) fields[name] = headers[name]!
    if (body !== undefined) fields['content-length'] = String(body.length)
    let stream: ClientHttp2Stream
    this.#session = session
    this.#sessions.enter(session)
    try {
      stream = session.request(fields, { endStream: body === undefined })
    } catch (error) {
      this.isStale = isReused
      this.#fail(new NetError('PROTOCOL', `http2: ${errorMessage(error)}`, { cause: error }))
      return
    }
    this.#stream = stream
    const ended = (error: unknown): void => {
      if (this.#isOver) return
      this.isStale = isReused && this.#sink === null
      const text = error === null ? 'the stream ended without an answer' : errorMessage(error)
      this.#fail(new NetError(error === null ? 'UNEXPECTED_EOF' : 'PROTOCOL', `http2: ${text}`, { cause: error }))
    }
    stream.on('response', (received) => this.#takeHead(received, stream))
    stream.on('error', ended)
    stream.on('end', () => this.#endBody(stream))
    stream.on('close', () => ended(null))
    if (body !== undefined) stream.end(body)
  }

  resume(): void {
    this.#stream?.resume()
  }

  #takeHead(received: IncomingHttpHeaders, stream: ClientHttp2Stream): void {
    if (this.#isOver) return
    const headers: Record<string, string> = {}
    for (const [name, value] of Object.entries(received))
      if (!name.startsWith(':') && value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
    try {
      const sink = this.#events.onHead({ status: Number(received[':status'] ?? 0), headers })
      this.#sink = sink
      // Not before: Deno would tell of the body first.
      stream.on('data', (bytes: Uint8Array) => {
        if (this.#isOver) return
        if (!sink.push(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))) stream.pause()
      })
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      stream.close()
      this.#fail(error)
    }
  }

  #endBody(stream: ClientHttp2Stream): void {
    // A stream that is reset ends on Bun before it tells of the error.
    if (this.#isOver || this.#sink === null || (stream.rstCode ?? 0) !== 0) return
    this.#isOver = true
    this.#stream = null
    this.#sessions.leave(this.#session!)
    this.#session = null
    this.#sink.end()
  }

  #refuse(text: string): void {
    this.isRefused = true
    this.#fail(new NetError('PROTOCOL', text))
  }

  #fail(error: NetError): void {
    if (this.#isOver) return
    this.abort()
    this.#events.onFail(error)
  }
}

/** TLS alert 120: none of the protocols that we offered is the server's. */
export function isAlpnAlert(error: unknown): boolean {
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string }
  return /no.application.protocol|alert number 120/i.test(`${code} ${message}`)
}

/** Whether the first bytes of an answer are a SETTINGS or GOAWAY frame of HTTP/2: the server takes no offer, or made none. */
export function isHttp2Frame(bytes: Uint8Array): boolean {
  const isControl = bytes[3] === 4 || bytes[3] === 7
  return bytes.length >= 9 && bytes[0] === 0 && isControl && !bytes.subarray(5, 9).some((byte) => byte !== 0)
}
