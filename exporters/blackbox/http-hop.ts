/** One request of an HTTP probe: the connection, through a proxy or not, TLS, HTTP/1 or 2, and the times of each. */
import type { HeaderList, HttpRequest, TlsOptions, TlsSession } from '../../protocol/env/mod.ts'
import { headerOf, isToken, type RequestHead, readBody, readHead, writeHead } from './http1.ts'
import { joinHostPort, leftMs, type ProbeContext } from './probe.ts'
import { ByteStream } from './stream.ts'

export type Hop = {
  readonly method: string
  readonly url: URL
  /** Of the `Host` header. */
  readonly host: string
  /** Where to connect; '' to look the host of the URL up. */
  readonly address: string
  readonly headers: HeaderList
  readonly body: Uint8Array | null
  readonly tls: TlsOptions
  /** Whose certificate it must be. */
  readonly serverName: string
  readonly offersHttp2: boolean
  readonly proxy: HttpRequest['proxy']
}

/** Monotonic milliseconds; NaN for what did not happen. */
export type Trace = {
  start: number
  dnsDone: number
  connectDone: number
  tlsStart: number
  tlsDone: number
  gotConn: number
  responseStart: number
  end: number
  readonly isTls: boolean
}

export type HopAnswer = {
  /** `HTTP/1.1`, `HTTP/2.0`. */
  readonly protocol: string
  readonly status: number
  readonly headers: HeaderList
  readonly contentLength: number
  readonly session: TlsSession | null
  /** Why the body could not be read to its end. */
  readonly bodyError: Error | null
}

export function newTrace(isTls: boolean): Trace {
  const never = Number.NaN
  return {
    start: never,
    dnsDone: never,
    connectDone: never,
    tlsStart: never,
    tlsDone: never,
    gotConn: never,
    responseStart: never,
    end: never,
    isTls,
  }
}

type BodyReader = {
  /** Whether the body is wanted, now that the head is known. */
  readonly wants: (status: number, headers: HeaderList) => boolean
  readonly onChunk: (chunk: Uint8Array) => void
}

/** @throws NetError, Error when there is no answer */
export async function requestHop(
  context: ProbeContext,
  hop: Hop,
  trace: Trace,
  reader: BodyReader,
): Promise<HopAnswer> {
  const { deps } = context
  if (!isToken(hop.method)) throw new Error(`net/http: invalid method ${JSON.stringify(hop.method)}`)
  const now = (): number => deps.clock.monotonic()
  const isTls = hop.url.protocol === 'https:'
  const port = hop.url.port || (isTls ? '443' : '80')
  const direct = hop.address || bareHost(hop.url)
  trace.start = now()
  const target = hop.proxy ? new URL(hop.proxy.url) : null
  const host = target ? bareHost(target) : direct
  const address =
    target || hop.address === '' ? ((await deps.net.lookup(host, { timeoutMs: leftMs(context) }))[0] ?? host) : direct
  trace.dnsDone = now()
  const connectPort = target ? Number(target.port || (target.protocol === 'https:' ? 443 : 80)) : Number(port)
  let socket = await deps.net.connect({ host: address, port: connectPort }, { timeoutMs: leftMs(context) })
  try {
    if (target?.protocol === 'https:')
      socket = (await deps.net.startTls(socket, { host, tls: {}, timeoutMs: leftMs(context) })).socket
    let session: TlsSession | null = null
    if (isTls) {
      // No stream is left behind: TLS begins on the bare socket.
      if (target) await openTunnel(context, socket, hop, joinHostPort(direct, port))
      trace.connectDone = now()
      trace.tlsStart = trace.connectDone
      const alpn = hop.offersHttp2 ? ['h2', 'http/1.1'] : ['http/1.1']
      const started = await deps.net.startTls(socket, {
        host: hop.serverName,
        tls: hop.tls,
        timeoutMs: leftMs(context),
        alpn,
      })
      socket = started.socket
      session = started.session
      trace.tlsDone = now()
    } else trace.connectDone = now()
    trace.gotConn = now()
    if (session?.alpn === 'h2') return await overHttp2(context, socket, hop, trace, { reader, session })
    return await overHttp1(context, socket, hop, trace, { reader, session, isProxied: target !== null && !isTls })
  } finally {
    socket.destroy()
  }
}

type Socket = Awaited<ReturnType<ProbeContext['deps']['net']['connect']>>

async function openTunnel(context: ProbeContext, socket: Socket, { proxy }: Hop, target: string): Promise<void> {
  const stream = new ByteStream(socket, context.deps.clock, context.deadlineMs)
  const headers: [string, string][] = [['Host', target], ...proxyCredentials(proxy)]
  stream.write(writeHead({ method: 'CONNECT', target, headers }))
  const { status } = await readHead(stream, 'CONNECT')
  if (status !== 200) throw new Error(`proxy answered CONNECT with ${status}`)
}

function proxyCredentials(proxy: HttpRequest['proxy']): [string, string][] {
  if (!proxy) return []
  const { username, password } = new URL(proxy.url)
  const own = Object.entries(proxy.connectHeaders ?? {})
  if (username === '' || own.some(([name]) => name.toLowerCase() === 'proxy-authorization')) return own
  const text = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return [...own, ['Proxy-Authorization', `Basic ${btoa(text)}`]]
}

type Via = { readonly reader: BodyReader; readonly session: TlsSession | null }

async function overHttp1(
  context: ProbeContext,
  socket: Socket,
  hop: Hop,
  trace: Trace,
  { reader, session, isProxied }: Via & { readonly isProxied: boolean },
): Promise<HopAnswer> {
  const now = (): number => context.deps.clock.monotonic()
  const stream = new ByteStream(socket, context.deps.clock, context.deadlineMs)
  const path = `${hop.url.pathname}${hop.url.search}`
  const authority =
    hop.address === ''
      ? hop.url.host
      : hop.url.port === ''
        ? joinHost(hop.address)
        : joinHostPort(hop.address, hop.url.port)
  const request: RequestHead = {
    method: hop.method,
    target: isProxied ? `http://${authority}${path}` : path,
    headers: [
      ['Host', hop.host],
      ...hop.headers,
      ...(isProxied ? proxyCredentials(hop.proxy) : []),
      ...contentLengthOf(hop),
      ['Connection', 'close'],
    ],
  }
  stream.write(writeHead(request))
  if (hop.body !== null && hop.body.length > 0) stream.write(hop.body)
  const first = await stream.read()
  if (first !== null) {
    trace.responseStart = now()
    stream.unread(first)
  }
  const head = await readHead(stream, hop.method)
  const bodyError = reader.wants(head.status, head.headers)
    ? await readBody(stream, head, hop.method, reader.onChunk).then(
        () => null,
        (error: unknown) => error as Error,
      )
    : null
  trace.end = now()
  return { ...head, session, bodyError }
}

/** Go's client says so also of empty bodies, where the method expects one. */
function contentLengthOf({ method, body }: Hop): [string, string][] {
  if (body !== null) return [['Content-Length', String(body.length)]]
  return ['POST', 'PUT', 'PATCH'].includes(method) ? [['Content-Length', '0']] : []
}

async function overHttp2(
  context: ProbeContext,
  socket: Socket,
  hop: Hop,
  trace: Trace,
  { reader, session }: Via,
): Promise<HopAnswer> {
  const now = (): number => context.deps.clock.monotonic()
  let bodyError: Error | null = null
  const { status, headers } = await context.deps.net.exchangeHttp2(socket, {
    method: hop.method,
    scheme: 'https',
    authority: hop.host,
    path: `${hop.url.pathname}${hop.url.search}`,
    headers: hop.headers,
    ...(hop.body === null ? {} : { body: hop.body }),
    timeoutMs: leftMs(context),
    onHead: () => {
      trace.responseStart = now()
    },
    // The head comes with the first chunk: what is not wanted of a redirect is read and forgotten.
    onChunk: (chunk) => {
      if (bodyError !== null) return
      try {
        reader.onChunk(chunk)
      } catch (error) {
        bodyError = error as Error
      }
    },
  })
  trace.end = now()
  const length = headerOf(headers, 'content-length')
  return {
    protocol: 'HTTP/2.0',
    status,
    headers,
    contentLength: /^\d{1,15}$/.test(length) ? Number(length) : -1,
    session,
    bodyError,
  }
}

const joinHost = (host: string): string => (host.includes(':') ? `[${host}]` : host)
export const bareHost = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1')
