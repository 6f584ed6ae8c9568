/**
 * One HTTP exchange with every limit on: total time, header bytes, inflated body bytes, redirects. Failures are
 * `NetError`s in Go's words (`Get "http://…": context deadline exceeded`), since operators read them as a target's
 * last error.
 *
 * HTTP/1.1 by our own hand: a scrape is a request of one packet and an answer that goes from one shared read buffer into
 * memory that is used again. Through node:http the same costs four times the CPU and leaves two dozen objects
 * (bench/agent/http.bench.ts).
 */
import {
  basicAuthOf,
  type HttpRequest,
  type HttpResponse,
  isCredentialHeader,
  mayKeepCredentials,
  NetError,
  shownUrl,
} from '../../protocol/env/mod.ts'
import { BodyPool } from './net-collector.ts'
import { describeSocketError, errorCode } from './net-errors.ts'
import { type BodyMemory, type BodyRules, type BodySink, bodySink, bodyTooLarge } from './net-http-body.ts'
import {
  type ConnectionUser,
  type HttpConnection,
  HttpConnections,
  proxyHeaderLines,
  type Route,
} from './net-http-connection.ts'
import { ChunkedBody } from './net-http1-chunked.ts'
import { headEnd, parseHead, type ResponseHead } from './net-http1-head.ts'
import { Inflater } from './net-inflate.ts'

const MAX_HEADER_BYTES = 64 * 1024

/** What a request says of the body of its answer. */
type BodyWishes = Omit<BodyRules, 'judge'> & Pick<HttpRequest, 'judge'>

type Client = BodyMemory & { readonly connections: HttpConnections; readonly aborts: Aborts }

export function createHttpClient(): { request: (request: HttpRequest) => Promise<HttpResponse>; close: () => void } {
  const client: Client = {
    connections: new HttpConnections(),
    aborts: new Aborts(),
    bodies: new BodyPool(),
    inflater: new Inflater(),
  }
  return {
    request: (request) => requestWithLimits(request, client),
    close: () => client.connections.close(),
  }
}

/** What the exchange is about to send: changes from redirect to redirect. */
type Hop = Route & {
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
}

/** Why an exchange has to end before its time; who runs is told. */
class Deadline {
  reason: NetError | null = null
  exchange: Exchange | null = null

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
  const first = firstHop(request)
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
    if (followed === maxRedirects)
      throw new NetError('TOO_MANY_REDIRECTS', `${goText(first)}: stopped after ${maxRedirects} redirects`)
    hop = nextHop(hop, response.status, location)
  }
}

/** A kept connection may die just as it is used again: what may be repeated is tried once more on a new one. */
async function exchangeOnce(hop: Hop, rules: BodyWishes, deadline: Deadline, client: Client): Promise<HttpResponse> {
  for (let attempt = 0; ; attempt++) {
    const exchange = new Exchange(hop, rules, client)
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
        this.#requestHead = requestHead(this.#hop)
        this.#connection = this.#client.connections.open(this.#hop, this, allowFree)
        if (this.#isReadyEarly) this.#send()
      } catch (error) {
        this.#failBeforeAnswer(errorCode(error), (error as Error).message, error)
      }
    })
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
    this.#failBeforeAnswer(code, text, error)
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
    const encoding = (headers['content-encoding'] ?? '').toLowerCase()
    const isGzip = encoding === 'gzip' || encoding === 'x-gzip'
    const { maxBodyBytes, borrowBody = false, onChunk, judge } = this.#rules
    const length = typeof framing === 'number' ? framing : 0
    if (!isGzip && length > maxBodyBytes) throw bodyTooLarge(maxBodyBytes)
    if (framing === 'chunked') this.#chunked = new ChunkedBody()
    this.#leftBytes = framing === 'close' ? Number.POSITIVE_INFINITY : length
    const rules = {
      maxBodyBytes,
      borrowBody,
      ...(onChunk !== undefined && status === 200 && { onChunk }),
      ...(judge !== undefined && status === 200 && { judge: (piece: Uint8Array) => judge(piece, headers) }),
    }
    this.#sink = bodySink(isGzip, length, rules, this.#client, {
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

function firstHop(request: HttpRequest): Hop {
  const url = URL.canParse(request.url) ? new URL(request.url) : undefined
  if (url === undefined) throw new NetError('BAD_URL', `Cannot parse URL "${request.url}"`)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NetError(
      'BAD_URL',
      `${goText({ method: request.method, url })}: unsupported protocol scheme "${url.protocol.slice(0, -1)}"`,
    )
  const headers: Record<string, string> = { 'accept-encoding': 'gzip' }
  for (const [name, value] of Object.entries(request.headers ?? {})) headers[name.toLowerCase()] = value
  if (url.username !== '' && headers['authorization'] === undefined) headers['authorization'] = basicAuthOf(url)
  const { method, body, tls, unixSocket, proxy } = request
  return { url, method, headers, body, tls, unixSocket, proxy }
}

/** Semantics: Go net/http redirectBehavior; the rules about credentials are stricter (see `mayKeepCredentials`). */
function nextHop(hop: Hop, status: number, location: string): Hop {
  if (!URL.canParse(location, hop.url))
    throw new NetError('BAD_URL', `${goText(hop)}: failed to parse Location header "${location}"`)
  const url = new URL(location, hop.url)
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new NetError('BAD_URL', `${goText(hop)}: unsupported protocol scheme "${url.protocol.slice(0, -1)}"`)
  if (isLinkLocal(url.hostname) && !isLinkLocal(hop.url.hostname))
    throw new NetError('REFUSED_REDIRECT', `${goText(hop)}: redirect to the link-local address ${url.host} refused`)
  const keepsBody = status === 307 || status === 308
  const trusted = mayKeepCredentials(hop.url, url)
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(hop.headers)) {
    if (!trusted && isCredentialHeader(name)) continue
    if (!keepsBody && name.startsWith('content-')) continue
    headers[name] = value
  }
  delete headers['host']
  const method = keepsBody || hop.method === 'HEAD' ? hop.method : 'GET'
  return {
    url,
    method,
    headers,
    body: keepsBody ? hop.body : undefined,
    tls: trusted ? hop.tls : withoutKey(hop.tls),
    // A daemon on a socket of this host may send us on within itself, never to another server.
    unixSocket: hop.unixSocket,
    proxy: hop.proxy,
  }
}

/**
 * 169.254.0.0/16 and fe80::/10: where clouds hand credentials to whoever asks from within the host. Differs: Go goes
 * there.
 */
function isLinkLocal(hostname: string): boolean {
  return /^169\.254\.|^\[fe[89ab][0-9a-f]:|^\[::ffff:a9fe:/i.test(hostname)
}

function withoutKey(tls: HttpRequest['tls']): HttpRequest['tls'] {
  if (tls === undefined) return undefined
  const { cert: _cert, key: _key, serverName: _serverName, ...rest } = tls
  return rest
}

/** `Get "http://host/path"`, with a password masked as Go's URL.Redacted does. */
function goText({ method, url }: { readonly method: string; readonly url: URL }): string {
  return `${method.slice(0, 1).toUpperCase()}${method.slice(1).toLowerCase()} "${shownUrl(url)}"`
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])
