/**
 * One HTTP exchange with every limit on: total time, header bytes, inflated body bytes, redirects. Failures are
 * `NetError`s in Go's words (`Get "http://…": context deadline exceeded`), since operators read them as a target's
 * last error.
 *
 * HTTP/1.1 by our own hand: a scrape is a request of one packet and an answer that goes from one shared read buffer into
 * memory that is used again. Through node:http the same costs four times the CPU and leaves two dozen objects
 * (bench/agent/http.bench.ts).
 */
import { type HttpRequest, type HttpResponse, NetError } from '../../protocol/env/mod.ts'
import { BodyPool } from './net-collector.ts'
import { describeSocketError, errorCode } from './net-errors.ts'
import { answerSink, type BodyMemory, type BodySink, type BodyWishes } from './net-http-body.ts'
import {
  type ConnectionUser,
  type HttpConnection,
  HttpConnections,
  proxyHeaderLines,
  RouteKeys,
} from './net-http-connection.ts'
import { FirstHops, goText, type Hop, keepsBody, nextHop } from './net-http-hop.ts'
import { ChunkedBody } from './net-http1-chunked.ts'
import { headEnd, parseHead, type ResponseHead } from './net-http1-head.ts'
import { type AnyExchange, isAlpnAlert, isHttp2Frame, OverHttp2 } from './net-http2-client.ts'
import { Http2Sessions } from './net-http2-sessions.ts'
import { Inflater } from './net-inflate.ts'

const MAX_HEADER_BYTES = 64 * 1024

type Client = BodyMemory & {
  readonly connections: HttpConnections
  readonly http2: Http2Sessions
  readonly aborts: Aborts
  readonly hops: FirstHops
  /** Of hops that come again. */
  readonly requestHeads: WeakMap<Hop, string>
}
/** The server speaks HTTP/2 alone. */
const HTTP2_ONLY = 'HTTP2_ONLY'

export function createHttpClient(): { request: (request: HttpRequest) => Promise<HttpResponse>; close: () => void } {
  const keys = new RouteKeys()
  const client: Client = {
    connections: new HttpConnections(keys),
    http2: new Http2Sessions(keys),
    aborts: new Aborts(),
    hops: new FirstHops(),
    requestHeads: new WeakMap(),
    bodies: new BodyPool(),
    inflater: new Inflater(),
  }
  return {
    request: (request) => requestWithLimits(request, client),
    close() {
      client.connections.close()
      client.http2.close()
    },
  }
}

/** Why an exchange has to end before its time; who runs is told. */
class Deadline {
  reason: NetError | null = null
  exchange: { abort(reason: NetError): void } | null = null

  end(reason: NetError): void {
    this.reason ??= reason
    this.exchange?.abort(this.reason)
  }
}

/** One listener a signal, however many requests it goes along with: a scrape loop has one signal for its life. */
class Aborts {
  readonly #deadlines = new WeakMap<AbortSignal, Set<Deadline>>()

  add(signal: AbortSignal, deadline: Deadline): void {
    if (signal.aborted) {
      deadline.end(canceled())
      return
    }
    let deadlines = this.#deadlines.get(signal)
    if (deadlines === undefined) {
      const all = new Set<Deadline>()
      deadlines = all
      this.#deadlines.set(signal, all)
      signal.addEventListener('abort', () => {
        for (const each of [...all]) each.end(canceled())
      })
    }
    deadlines.add(deadline)
  }

  delete(signal: AbortSignal, deadline: Deadline): void {
    this.#deadlines.get(signal)?.delete(deadline)
  }
}

const canceled = (): NetError => new NetError('ABORTED', 'context canceled')

async function requestWithLimits(request: HttpRequest, client: Client): Promise<HttpResponse> {
  const first = client.hops.of(request)
  const deadline = new Deadline()
  const timer = setTimeout(() => deadline.end(new NetError('TIMEOUT', 'context deadline exceeded')), request.timeoutMs)
  const { signal } = request
  if (signal !== undefined) client.aborts.add(signal, deadline)
  try {
    return await followRedirects(first, request, deadline, client)
  } finally {
    clearTimeout(timer)
    if (signal !== undefined) client.aborts.delete(signal, deadline)
  }
}

async function followRedirects(
  first: Hop,
  request: HttpRequest,
  deadline: Deadline,
  client: Client,
): Promise<HttpResponse> {
  const maxRedirects = request.maxRedirects ?? 0
  let hop = first
  for (let followed = 0; ; followed++) {
    const response = await exchangeOnce(hop, request, deadline, client)
    const location = response.headers['location']
    if (maxRedirects === 0 || location === undefined || !REDIRECTS.has(response.status)) return response
    if (request.keepsMethod && !keepsBody(response.status)) return response
    if (followed === maxRedirects)
      throw new NetError('TOO_MANY_REDIRECTS', `${goText(first)}: stopped after ${maxRedirects} redirects`)
    hop = nextHop(hop, response.status, location)
  }
}

/** In HTTP/1.1, which costs both sides less, where the server speaks it. */
async function exchangeOnce(hop: Hop, rules: BodyWishes, deadline: Deadline, client: Client): Promise<HttpResponse> {
  const { http2 } = client
  const mayBeHttp2 = hop.alpn !== undefined
  if (!mayBeHttp2 || !http2.isWanted(hop)) {
    try {
      return await overEither(hop, rules, deadline, client, Exchange)
    } catch (error) {
      const isHttp2 = mayBeHttp2 && error instanceof NetError && error.code === HTTP2_ONLY
      if (!isHttp2 || deadline.reason !== null) throw error
      http2.want(hop, true)
    }
  }
  try {
    return await overEither(hop, rules, deadline, client, OverHttp2)
  } catch (error) {
    // It may have changed its mind since it was asked first.
    if (error instanceof NetError && error.code !== 'TIMEOUT' && error.code !== 'ABORTED') http2.want(hop, false)
    throw error
  }
}

/** A kept connection may die just as it is used again: what may be repeated is tried once more on a new one. */
async function overEither(
  hop: Hop,
  rules: BodyWishes,
  deadline: Deadline,
  client: Client,
  Kind: new (hop: Hop, rules: BodyWishes, client: Client) => AnyExchange,
): Promise<HttpResponse> {
  for (let attempt = 0; ; attempt++) {
    const exchange = new Kind(hop, rules, client)
    try {
      return await exchange.run(deadline, attempt === 0)
    } catch (error) {
      if (!exchange.isStale || deadline.reason !== null || attempt > 0 || !IDEMPOTENT.has(hop.method)) throw error
    }
  }
}

/** One request and its answer on one connection. */
class Exchange implements ConnectionUser {
  readonly #hop: Hop
  readonly #rules: BodyWishes
  readonly #client: Client
  #connection: HttpConnection | null = null
  #resolve!: (response: HttpResponse) => void
  #reject!: (error: NetError) => void
  #isOver = false
  #isAnswered = false
  /** A head that came in pieces. */
  #headBytes: Uint8Array | null = null
  /** Heads so far, those of interim answers included. */
  #headTotalBytes = 0
  #head: ResponseHead | null = null
  #chunked: ChunkedBody | null = null
  #leftBytes = 0
  #sink: BodySink | null = null
  /** The peer has sent its body: what is missing is our inflation of it. */
  #isBodyComplete = false

  constructor(hop: Hop, rules: BodyWishes, client: Client) {
    this.#hop = hop
    this.#rules = rules
    this.#client = client
  }

  /** The connection had been kept, and ended before a byte of an answer. */
  isStale = false

  run(deadline: Deadline, allowFree: boolean): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      deadline.exchange = this
      if (deadline.reason !== null) {
        this.abort(deadline.reason)
        return
      }
      try {
        this.#requestHead = this.#headOfRequest()
        this.#connection = this.#client.connections.open(this.#hop, this, allowFree)
        if (this.#isReadyEarly) this.#send()
      } catch (error) {
        this.#failBeforeAnswer(errorCode(error), (error as Error).message, error)
      }
    })
  }

  #headOfRequest(): string {
    const { requestHeads } = this.#client
    let head = requestHeads.get(this.#hop)
    if (head === undefined) requestHeads.set(this.#hop, (head = requestHead(this.#hop)))
    return head
  }

  #requestHead = ''
  #isReadyEarly = false

  onReady(): void {
    if (this.#connection === null) this.#isReadyEarly = true
    else this.#send()
  }

  onBytes(bytes: Uint8Array): boolean {
    if (this.#isOver) return true
    this.#isAnswered = true
    try {
      return this.#head === null ? this.#takeHead(bytes) : this.#takeBody(bytes)
    } catch (error) {
      if (!(error instanceof NetError)) throw error
      this.#fail(this.#head === null ? new NetError(error.code, `${goText(this.#hop)}: ${error.message}`) : error)
      return true
    }
  }

  onClosed(error: Error | null): void {
    if (this.#isOver || this.#isBodyComplete) return
    if (this.#head !== null) {
      this.#endOfStream(error)
      return
    }
    this.isStale = !this.#isAnswered && this.#connection?.isReused === true
    const { code, text } =
      error === null
        ? { code: 'UNEXPECTED_EOF', text: this.#isAnswered ? 'unexpected EOF' : 'EOF' }
        : describeSocketError(error, MAX_HEADER_BYTES)
    this.#failBeforeAnswer(isAlpnAlert(error) ? HTTP2_ONLY : code, text, error)
  }

  // While headers are awaited Go names the URL; while the body is read it does not.
  abort({ code, message }: NetError): void {
    this.#fail(new NetError(code, this.#head !== null ? message : `${goText(this.#hop)}: ${message}`))
  }

  #send(): void {
    this.#connection!.write(this.#requestHead, this.#hop.body)
  }

  #takeHead(bytes: Uint8Array): boolean {
    let from = 0
    let head = bytes
    if (this.#headBytes !== null) {
      from = Math.max(0, this.#headBytes.length - 3)
      head = Buffer.concat([this.#headBytes, bytes])
    }
    const end = headEnd(head, from)
    if (this.#headTotalBytes + (end < 0 ? head.length : end) > MAX_HEADER_BYTES)
      throw new NetError(
        'HPE_HEADER_OVERFLOW',
        `net/http: server response headers exceeded ${MAX_HEADER_BYTES} bytes; aborted`,
      )
    if (end < 0) {
      if (this.#headBytes === null && isHttp2Frame(head)) throw new NetError(HTTP2_ONLY, ANSWERED_IN_HTTP2)
      // Whoever does not speak HTTP may never send a blank line.
      if (head.length >= 5 && latin1(head, 5) !== 'HTTP/') parseHead(latin1(head, Math.min(head.length, 60)), 'GET')
      this.#headBytes = head === bytes ? bytes.slice() : head
      return true
    }
    this.#headTotalBytes += end
    this.#headBytes = null
    const parsed = parseHead(latin1(head, end), this.#hop.method)
    const rest = head.subarray(end)
    if (parsed.status >= 100 && parsed.status < 200 && parsed.status !== 101)
      return rest.length === 0 || this.#takeHead(rest)
    this.#head = parsed
    this.#beginBody(parsed)
    return this.#isOver || (rest.length === 0 && this.#leftBytes > 0) || this.#takeBody(rest)
  }

  #beginBody({ status, headers, framing }: ResponseHead): void {
    const length = typeof framing === 'number' ? framing : 0
    if (framing === 'chunked') this.#chunked = new ChunkedBody()
    this.#leftBytes = framing === 'close' ? Number.POSITIVE_INFINITY : length
    this.#sink = answerSink({ status, headers, bytes: length }, this.#rules, this.#client, {
      done: (body) => this.#finish(body),
      fail: (error) => this.#fail(error),
      resume: () => this.#connection?.resume(),
    })
  }

  /** Bytes after the body's end are of no exchange: such a connection is not used again. */
  #takeBody(bytes: Uint8Array): boolean {
    const sink = this.#sink!
    let used: number
    let isFlowing = true
    if (this.#chunked !== null) {
      used = this.#chunked.take(bytes, (piece) => {
        if (!this.#isOver) isFlowing = sink.push(piece) && isFlowing
      })
      if (this.#isOver || !this.#chunked.isDone) return isFlowing
    } else {
      used = Math.min(bytes.length, this.#leftBytes)
      this.#leftBytes -= used
      if (used > 0) isFlowing = sink.push(used === bytes.length ? bytes : bytes.subarray(0, used))
      if (this.#isOver || this.#leftBytes > 0) return isFlowing
    }
    this.#endBody(used === bytes.length)
    return true
  }

  #endBody(isClean: boolean): void {
    this.#isBodyComplete = true
    const connection = this.#connection!
    this.#connection = null
    if (isClean && this.#head!.keepAlive) this.#client.connections.release(connection)
    else connection.destroy()
    this.#sink!.end()
  }

  #endOfStream(error: Error | null): void {
    if (error === null && this.#head!.framing === 'close') {
      this.#endBody(false)
      return
    }
    const { code, text } =
      error === null ? { code: 'UNEXPECTED_EOF', text: 'unexpected EOF' } : describeSocketError(error, MAX_HEADER_BYTES)
    this.#fail(new NetError(code, text, error === null ? {} : { cause: error }))
  }

  #failBeforeAnswer(code: string, text: string, cause: unknown): void {
    this.#fail(new NetError(code, `${goText(this.#hop)}: ${text}`, cause === null ? {} : { cause }))
  }

  #fail(error: NetError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sink?.discard()
    this.#connection?.destroy()
    this.#connection = null
    this.#reject(error)
  }

  #finish(body: Uint8Array): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#sink!.discard()
    const { status, headers } = this.#head!
    this.#resolve({ status, headers, body })
  }
}

const ANSWERED_IN_HTTP2 =
  'net/http: HTTP/1.x transport connection broken: malformed HTTP response: the server answers in HTTP/2 (enable_http2 allows it)'

function latin1(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1')
}

/** @throws Error `ERR_INVALID_CHAR`: a header that would end its line smuggles others in */
function requestHead({ url, method, headers, body, proxy }: Hop): string {
  const isProxied = proxy !== undefined && url.protocol === 'http:'
  const target = url.pathname + url.search
  let out = `${method} ${isProxied ? `http://${url.host}${target}` : target} HTTP/1.1\r\n`
  if (headers['host'] === undefined) out += `Host: ${url.host}\r\n`
  for (const name in headers) {
    const value = headers[name]!
    if (INVALID_VALUE.test(value) || INVALID_NAME.test(name))
      throw Object.assign(new Error(`invalid header field ${JSON.stringify(name)}`), { code: 'ERR_INVALID_CHAR' })
    out += `${name}: ${value}\r\n`
  }
  if (isProxied) out += proxyHeaderLines({ url: proxy.url })
  if (body !== undefined) out += `content-length: ${body.length}\r\n`
  return `${out}\r\n`
}

const INVALID_VALUE = /[^\t\x20-\x7e\x80-\xff]/
const INVALID_NAME = /[^!#$%&'*+\-.^_`|~0-9A-Za-z]/

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])
