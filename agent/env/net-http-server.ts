/**
 * The HTTP server: node:http(s) underneath, Web `Request`/`Response` above (hono's listener converts, and streams
 * bodies both ways), WebSocket upgrades on named paths. Every wait has a limit, so a client that dawdles costs one
 * connection for a bounded time.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { type WebSocket, WebSocketServer } from 'ws'
import type { HttpInfo, Listener, ServeHttpOptions } from '../../protocol/env/mod.ts'
import { LimitedConnections } from './net-connection-limits.ts'
import { formatAddress, listenError } from './net-errors.ts'
import { answerPlainly, closedSignal, sendBytes } from './net-http-plain.ts'
import { createRenewedTls } from './net-server-tls.ts'
import { webSocketByteSocket } from './net-sockets.ts'
import { serverTlsOptions } from './net-tls.ts'

export type HttpServerLimits = {
  readonly headersTimeoutMs: number
  /** From the first byte to the end of the request's body. */
  readonly requestTimeoutMs: number
  readonly keepAliveTimeoutMs: number
  /** Without a byte either way on a connection, for example a reader that stopped reading. */
  readonly idleTimeoutMs: number
  /** Request line and headers; long PromQL expressions travel in the URL. */
  readonly maxHeaderBytes: number
  /** One WebSocket message. */
  readonly maxMessageBytes: number
}

export const DEFAULT_HTTP_LIMITS: HttpServerLimits = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  keepAliveTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  maxHeaderBytes: 128 * 1024,
  maxMessageBytes: 16 * 1024 * 1024,
}

/** As Prometheus --web.max-connections. */
const DEFAULT_MAX_CONNECTIONS = 512
const DEFAULT_GRACE_MS = 5_000

/** `onError` hears what a handler threw; the client gets a plain 500. */
export async function serveHttp(
  options: ServeHttpOptions,
  limits: HttpServerLimits,
  onError: (error: unknown, request: string) => void,
): Promise<Listener> {
  let closing = false
  const bodies = new WeakMap<Response, Uint8Array>()
  const answering = new Set<ServerResponse>()
  const listener = getRequestListener(
    async (request, { incoming, outgoing }) => {
      try {
        const info = requestInfo(incoming as IncomingMessage, outgoing as ServerResponse, bodies)
        const response = await options.handler(request, info)
        const body = bodies.get(response)
        if (body === undefined) return response
        sendBytes(outgoing as ServerResponse, response.status, Object.fromEntries(response.headers), body)
        return ALREADY_SENT
      } catch (error) {
        if (!outgoing.destroyed) onError(error, `${incoming.method} ${incoming.url}`)
        return new Response('Internal Server Error\n', { status: 500, headers: { 'content-type': 'text/plain' } })
      }
    },
    { overrideGlobalObjects: false },
  )
  const onRequest = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    answering.add(outgoing)
    outgoing.shouldKeepAlive &&= !closing
    outgoing.on('finish', () => closing && incoming.socket.end())
    outgoing.on('close', () => answering.delete(outgoing))
    const isAnswered = options.plain !== undefined && answerPlainly(options.plain, incoming, outgoing, onError)
    if (!isAnswered) void listener(incoming, outgoing)
  }
  const http = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.max(50, Math.min(2_000, limits.headersTimeoutMs / 4)),
    maxHeaderSize: limits.maxHeaderBytes,
    noDelay: true,
    // Who offers another protocol (Java's client and `curl --http2` do h2c) is answered in this one: RFC 9110, 7.8.
    shouldUpgradeCallback: ({ headers }: IncomingMessage) =>
      /(?:^|,)\s*websocket\s*(?:,|$)/i.test(headers.upgrade ?? ''),
  }
  const server: Server = options.tls
    ? createTlsServer({ ...http, ...serverTlsOptions(options.tls) }, onRequest)
    : createServer(http, onRequest)
  server.timeout = limits.idleTimeoutMs
  // What listens: the HTTP server, or in front of it TLS, or what Bun's HTTP server has no limits for.
  const maxConnections = options.maxConnections ?? DEFAULT_MAX_CONNECTIONS
  const isBun = process.versions['bun'] !== undefined
  const limited = isBun ? new LimitedConnections({ ...limits, maxConnections }) : null
  if (limited) {
    server.on('request', (incoming, outgoing) => limited.watch(incoming, outgoing))
    server.on('upgrade', (incoming) => limited.release(incoming.socket))
  }
  const serve = (socket: Duplex): void => {
    if (!limited || limited.accept(socket)) server.emit('connection', socket)
  }
  const front = options.serverTls
    ? createRenewedTls(options.serverTls, limits.headersTimeoutMs, onError, serve)
    : isBun && !options.tls
      ? createNetServer(serve)
      : server
  front.maxConnections = maxConnections
  const webSockets = acceptWebSockets(server, options.webSockets ?? {}, limits.maxMessageBytes)
  await bind(front, options.host, options.port)
  const { address: host, port } = front.address() as AddressInfo
  return {
    address: { host, port },
    close: (graceMs = DEFAULT_GRACE_MS) => {
      closing = true
      for (const outgoing of answering) outgoing.shouldKeepAlive = false
      if (front !== server) server.closeIdleConnections()
      return closeServer(front, graceMs, () => {
        for (const socket of webSockets) socket.terminate()
        server.closeAllConnections()
        limited?.destroyAll()
      })
    },
  }
}

/** Listens; an address that is taken or forbidden is a `NetError` naming it. */
export function bind(server: import('node:net').Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError(error, host, port))
    server.once('error', onError)
    server.listen({ host, port }, () => {
      server.off('error', onError)
      server.on('error', () => {}) // accept() errors such as EMFILE: node retries, the connection is lost, we live
      resolve()
    })
  })
}

/** Stops accepting, waits for what is open, and cuts it with `destroyAll` after `graceMs`. */
export function closeServer(server: import('node:net').Server, graceMs: number, destroyAll: () => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(destroyAll, graceMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** Tells hono's listener that there is nothing left to do. */
const ALREADY_SENT = new Response(null, { headers: { 'x-hono-already-sent': 'true' } })

/** The signal is made only when a handler asks for it; it aborts when the client goes before the answer is done. */
function requestInfo(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  bodies: WeakMap<Response, Uint8Array>,
): HttpInfo {
  let signal: AbortSignal | undefined
  return {
    bodies,
    remoteAddress: formatAddress(incoming.socket.remoteAddress ?? '', incoming.socket.remotePort ?? 0),
    get signal() {
      signal ??= closedSignal(outgoing)
      return signal
    },
  }
}

function acceptWebSockets(
  server: Server,
  paths: NonNullable<ServeHttpOptions['webSockets']>,
  maxMessageBytes: number,
): ReadonlySet<WebSocket> {
  // Compression off: batches are zstd already, and a shared inflater is a way to exhaust memory.
  const upgrader = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: maxMessageBytes })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = (request.url ?? '/').split('?', 1)[0]!
    const accept = Object.hasOwn(paths, path) ? paths[path] : undefined
    socket.on('error', () => {})
    if (accept === undefined) return refuseUpgrade(socket, 404)
    upgrader.handleUpgrade(request, socket, head, (webSocket) => {
      const { remoteAddress, remotePort } = request.socket
      const headers = new Headers()
      for (let i = 0; i + 1 < request.rawHeaders.length; i += 2)
        headers.append(request.rawHeaders[i]!, request.rawHeaders[i + 1]!)
      accept(webSocketByteSocket(webSocket, formatAddress(remoteAddress ?? '', remotePort ?? 0)), { headers })
    })
  })
  return upgrader.clients
}

function refuseUpgrade(socket: Duplex, status: number): void {
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
