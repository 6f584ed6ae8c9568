/** `Net` on node:net, node:tls and node:http(s): the only place of the program that opens sockets (beside NATS). */
import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import {
  type ByteSocket,
  type ListenAddress,
  type Listener,
  type Net,
  NetError,
  type TlsOptions,
} from '../../protocol/env/mod.ts'
import { listenDatagrams, type OnShortQueue, openDatagrams } from './net-datagrams.ts'
import { createResolver } from './net-dns.ts'
import { describeSocketError, errnoText, errorCode, errorMessage, formatAddress } from './net-errors.ts'
import { createHttpClient } from './net-http-client.ts'
import { bind, closeServer, DEFAULT_HTTP_LIMITS, type HttpServerLimits, serveHttp } from './net-http-server.ts'
import { tcpByteSocket } from './net-sockets.ts'
import { clientTlsOptions } from './net-tls.ts'
import { askUdp } from './net-udp.ts'
import { askWebSocket } from './net-websocket.ts'

export type NetOptions = {
  /** Name servers, `host` or `host:port`; the system's when absent. */
  readonly dnsServers?: readonly string[]
  /** Limits of HTTP servers; the defaults suit production. */
  readonly httpLimits?: Partial<HttpServerLimits>
  /** Hears what an HTTP handler threw (its client gets a 500). */
  readonly onHandlerError?: (error: unknown, request: string) => void
  /** Hears of sockets for whose datagrams the kernel keeps less than was asked for. */
  readonly onShortQueue?: OnShortQueue
}

const MAX_TCP_CONNECTIONS = 16_384
const TCP_GRACE_MS = 1_000

/** Nothing is opened until a method is called; `close` drops idle keep-alive connections of `request`. */
export function createNet(options: NetOptions = {}): Net & { close(): void } {
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.httpLimits }
  const client = createHttpClient()
  return {
    listenTcp,
    connectTcp,
    connectUnix,
    askUdp,
    listenDatagrams: (listen) => listenDatagrams(listen, options.onShortQueue),
    openDatagrams,
    askWebSocket,
    serveHttp: (serve) => serveHttp(serve, limits, options.onHandlerError ?? (() => {})),
    request: client.request,
    resolveDns: createResolver(options.dnsServers ?? []),
    close: client.close,
  }
}

async function listenTcp(address: ListenAddress, onSocket: (socket: ByteSocket) => void): Promise<Listener> {
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    onSocket(tcpByteSocket(socket))
  })
  server.maxConnections = MAX_TCP_CONNECTIONS
  await bind(server, address.host, address.port)
  const { address: host, port } = server.address() as AddressInfo
  return {
    address: { host, port },
    close: (graceMs = TCP_GRACE_MS) =>
      closeServer(server, graceMs, () => {
        for (const socket of open) socket.destroy()
      }),
  }
}

/** `timeoutMs` covers name resolution, connect and the TLS handshake. */
function connectTcp(
  { host, port }: ListenAddress,
  options: { readonly timeoutMs: number; readonly tls?: TlsOptions },
): Promise<ByteSocket> {
  const { tls, timeoutMs } = options
  const socket: Socket = tls
    ? tlsConnect({ host, port, ...clientTlsOptions(tls), ...serverNameOf(host, tls) })
    : netConnect({ host, port })
  const describe = (error: Error): NetError => {
    const { code, text } = describeSocketError(error, 0)
    return new NetError(code, text, { cause: error })
  }
  const ready = tls ? 'secureConnect' : 'connect'
  return connected(socket, { ready, timeoutMs, dial: `dial tcp ${formatAddress(host, port)}`, describe })
}

function connectUnix(path: string, { timeoutMs }: { readonly timeoutMs: number }): Promise<ByteSocket> {
  const dial = `dial unix ${path}`
  const describe = (error: Error): NetError => {
    const code = errorCode(error)
    return new NetError(code, `${dial}: connect: ${errnoText(code) ?? errorMessage(error)}`, { cause: error })
  }
  return connected(netConnect({ path }), { ready: 'connect', timeoutMs, dial, describe })
}

type Connecting = {
  readonly ready: 'connect' | 'secureConnect'
  readonly timeoutMs: number
  readonly dial: string
  readonly describe: (error: Error) => NetError
}

function connected(socket: Socket, { ready, timeoutMs, dial, describe }: Connecting): Promise<ByteSocket> {
  return new Promise((resolve, reject) => {
    const fail = (error: NetError): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => fail(new NetError('TIMEOUT', `${dial}: i/o timeout`)), timeoutMs)
    const onError = (error: Error): void => fail(describe(error))
    socket.on('error', onError)
    socket.once(ready, () => {
      clearTimeout(timer)
      const bytes = tcpByteSocket(socket)
      socket.off('error', onError)
      resolve(bytes)
    })
  })
}

/** SNI carries names only, never addresses. */
function serverNameOf(host: string, tls: TlsOptions): { servername?: string } {
  if (tls.serverName !== undefined) return { servername: tls.serverName }
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host }
}
