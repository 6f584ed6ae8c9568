/**
 * A connection to an HTTP server: plain, TLS, through a proxy, or on a socket of the file system. It carries one
 * exchange after another; `HttpConnections` keeps those that are free.
 *
 * Hot: plain sockets read into one buffer that all of them share, past node's streams: what a socket brings is used
 * before the next one is asked. Where a runtime makes a buffer for each read, that one is used, and freed at once.
 */
import { type NetConnectOpts, connect as netConnect, type Socket } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { type HttpRequest, NetError } from '../../protocol/env/mod.ts'
import { formatAddress } from './net-errors.ts'
import { freeBytes } from './net-free-bytes.ts'
import { headEnd, parseHead } from './net-http1-head.ts'
import { clientTlsOptions } from './net-tls.ts'

/** As Prometheus' scrape client (IdleConnTimeout in prometheus/common config/http_config.go). */
export const IDLE_CONNECTION_MS = 300_000
/**
 * Free ones kept for one server. One that tells of many targets is asked for a twentieth of them at once (agent/scrape,
 * slots.ts), and each new connection would be a handshake.
 */
const MAX_FREE = 100
/** A usual page in one piece: each costs a call, and the kernel is asked again after a read that filled the buffer. */
const READ_BUFFER_BYTES = 256 * 1024
const MAX_TUNNEL_HEAD_BYTES = 16 * 1024
/** Bun makes one of up to 512 KiB for each read, and would copy it into ours. */
const CAN_SHARE_BUFFER = !('bun' in process.versions)

/** Where to connect. */
export type Route = {
  readonly url: URL
  readonly tls: HttpRequest['tls']
  readonly unixSocket: string | undefined
  readonly proxy: HttpRequest['proxy']
  /** What TLS offers to speak; absent: nothing is offered. */
  readonly alpn?: 'http/1.1' | 'h2' | undefined
}

/** Who uses a connection. */
export interface ConnectionUser {
  /** The request may be written. */
  onReady(): void
  /** @param bytes borrowed until the call returns. False: no more until `resume` */
  onBytes(bytes: Uint8Array): boolean
  /** The connection is gone; `error` is null when the peer ended it. */
  onClosed(error: Error | null): void
}

/** One text for all routes to the same server by the same way. */
export class RouteKeys {
  /** PEM texts are long: each set of TLS options is written as text once. */
  readonly #tlsKeys = new WeakMap<object, string>()
  /** Of routes that come again. */
  readonly #keys = new WeakMap<Route, string>()

  of(route: Route): string {
    let key = this.#keys.get(route)
    if (key === undefined) this.#keys.set(route, (key = this.#make(route)))
    return key
  }

  #make({ url, tls, unixSocket, proxy }: Route): string {
    const host = `${url.protocol}//${url.host}`
    if (tls === undefined && unixSocket === undefined && proxy === undefined) return host
    let secrets = tls === undefined ? '' : this.#tlsKeys.get(tls)
    if (secrets === undefined) this.#tlsKeys.set(tls!, (secrets = JSON.stringify(tls)))
    return `${host} ${unixSocket ?? ''} ${proxy === undefined ? '' : JSON.stringify(proxy)} ${secrets}`
  }
}

export class HttpConnections {
  readonly #free = new Map<string, HttpConnection[]>()
  readonly #readBuffer = new Uint8Array(READ_BUFFER_BYTES)
  readonly #keys: RouteKeys

  constructor(keys = new RouteKeys()) {
    this.#keys = keys
  }

  /** A free connection or a new one; `user.onReady` is called at once or later. */
  open(route: Route, user: ConnectionUser, allowFree: boolean): HttpConnection {
    const key = this.#keys.of(route)
    const free = allowFree ? this.#free.get(key)?.pop() : undefined
    if (free !== undefined) {
      free.use(user)
      user.onReady()
      return free
    }
    return new HttpConnection(key, route, user, this.#readBuffer, (gone) => this.#forget(gone))
  }

  /** Keeps a connection whose exchange is over. */
  release(connection: HttpConnection): void {
    const free = this.#free.get(connection.key)
    if (free !== undefined && free.length >= MAX_FREE) {
      connection.destroy()
      return
    }
    connection.rest()
    if (free === undefined) this.#free.set(connection.key, [connection])
    else free.push(connection)
  }

  close(): void {
    for (const connections of [...this.#free.values()]) for (const each of [...connections]) each.destroy()
    this.#free.clear()
  }

  #forget(connection: HttpConnection): void {
    const free = this.#free.get(connection.key)
    const at = free?.indexOf(connection) ?? -1
    if (at < 0) return
    free!.splice(at, 1)
    if (free!.length === 0) this.#free.delete(connection.key)
  }
}

export class HttpConnection {
  readonly key: string
  /** It has carried an exchange before the present one. */
  isReused = false
  #user: ConnectionUser | null
  #socket: Socket
  #error: Error | null = null
  readonly #onGone: (connection: HttpConnection) => void

  constructor(
    key: string,
    route: Route,
    user: ConnectionUser,
    readBuffer: Uint8Array,
    onGone: (connection: HttpConnection) => void,
  ) {
    this.key = key
    this.#user = user
    this.#onGone = onGone
    const { url, tls, unixSocket, proxy, alpn } = route
    const isTls = url.protocol === 'https:'
    const first =
      unixSocket !== undefined ? { path: unixSocket } : addressOf(proxy === undefined ? url : new URL(proxy.url))
    if (proxy !== undefined && isTls) this.#socket = this.#openTunnel(first, route)
    else if (isTls || (proxy !== undefined && new URL(proxy.url).protocol === 'https:'))
      this.#socket = this.#listen(
        openTls(proxy === undefined ? url : new URL(proxy.url), tls, first, isTls ? alpn : undefined),
        'secureConnect',
      )
    else if (!CAN_SHARE_BUFFER)
      this.#socket = this.#listen(netConnect(first as NetConnectOpts & typeof first), 'connect')
    else {
      const onread = { buffer: readBuffer, callback: (count: number) => this.#take(readBuffer.subarray(0, count)) }
      this.#socket = this.#listen(netConnect({ ...first, onread } as NetConnectOpts & typeof first), 'connect')
    }
  }

  use(user: ConnectionUser): void {
    this.#user = user
    this.isReused = true
    this.#socket.ref()
  }

  /** Free: whatever the peer does now ends the connection. It keeps no process alive. */
  rest(): void {
    this.#user = null
    this.#socket.unref()
  }

  write(head: string, body: Uint8Array | undefined): void {
    if (body === undefined) {
      this.#socket.write(head, 'latin1')
      return
    }
    this.#socket.cork()
    this.#socket.write(head, 'latin1')
    this.#socket.write(body)
    this.#socket.uncork()
  }

  resume(): void {
    this.#socket.resume()
  }

  /** Gives the socket away, as it was when it was ready. */
  detach(): Socket {
    this.#user = null
    this.#onGone(this)
    for (const event of ['data', 'end', 'close', 'timeout', 'error']) this.#socket.removeAllListeners(event)
    return this.#socket.setTimeout(0)
  }

  destroy(): void {
    this.#user = null
    const socket = this.#socket
    // What came while it was paused.
    const waiting = socket.readableLength > 0 ? (socket.removeAllListeners('data').read() as Buffer | null) : null
    if (waiting !== null) freeBytes(waiting)
    socket.destroy()
    this.#onGone(this)
  }

  #listen(socket: Socket, ready: 'connect' | 'secureConnect'): Socket {
    socket.setNoDelay(true)
    socket.setTimeout(IDLE_CONNECTION_MS, () => {
      if (this.#user === null) this.destroy()
    })
    socket.on(ready, () => this.#user?.onReady())
    if (ready === 'secureConnect' || !CAN_SHARE_BUFFER)
      socket.on('data', (bytes: Buffer) => {
        // Not as a Buffer: what `slice` gives of it would be no copy.
        if (!this.#take(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))) socket.pause()
        freeBytes(bytes)
      })
    socket.on('error', (error) => {
      this.#error = error
    })
    // The peer's end is the end: nothing that we would still write could be answered.
    socket.on('end', () => this.#gone())
    socket.on('close', () => this.#gone())
    return socket
  }

  #take(bytes: Uint8Array): boolean {
    if (this.#user !== null) return this.#user.onBytes(bytes)
    this.destroy()
    return true
  }

  #gone(): void {
    const user = this.#user
    this.destroy()
    user?.onClosed(this.#error)
  }

  /** Asks the proxy for a way through, then speaks TLS with the server at its end. */
  #openTunnel(first: Address, route: Route): Socket {
    const { url, tls, proxy, alpn } = route
    const proxyUrl = new URL(proxy!.url)
    const isTls = proxyUrl.protocol === 'https:'
    const outer = isTls ? openTls(proxyUrl, undefined, first) : netConnect(first as NetConnectOpts & Address)
    let head = ''
    const onData = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      const answer = tunnelAnswer(head)
      if (answer === 'incomplete') return
      outer.off('data', onData)
      if (answer !== 'open') {
        this.#error = answer
        outer.destroy()
        return
      }
      outer.off('close', onClose)
      this.#socket = this.#listen(openTls(url, tls, { socket: outer }, alpn), 'secureConnect')
    }
    const onError = (error: Error): void => {
      this.#error = error
    }
    const onClose = (): void => this.#gone()
    outer.on('error', onError)
    outer.on('close', onClose)
    outer.on('data', onData)
    outer.once(isTls ? 'secureConnect' : 'connect', () => {
      const target = formatAddress(bareHost(url), url.port || 443)
      outer.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${proxyHeaderLines(proxy!)}\r\n`, 'latin1')
    })
    return outer
  }
}

/** What a proxy has said to CONNECT so far. */
function tunnelAnswer(head: string): 'incomplete' | 'open' | NetError {
  if (head.length > MAX_TUNNEL_HEAD_BYTES) return new NetError('PROTOCOL', 'proxy: answer to CONNECT is too long')
  if (headEnd(Buffer.from(head, 'latin1'), 0) < 0) return 'incomplete'
  try {
    const { status } = parseHead(head, 'HEAD')
    return status === 200 ? 'open' : new NetError('PROTOCOL', `proxy: CONNECT was answered with HTTP status ${status}`)
  } catch (error) {
    return error as NetError
  }
}

/** What a proxy is told of us, and only a proxy. */
export function proxyHeaderLines({ url, connectHeaders = {} }: NonNullable<HttpRequest['proxy']>): string {
  const { username, password } = new URL(url)
  let out = ''
  if (username !== '') {
    const user = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    out += `Proxy-Authorization: Basic ${Buffer.from(user).toString('base64')}\r\n`
  }
  for (const [name, value] of Object.entries(connectHeaders)) out += `${name}: ${value}\r\n`
  return out
}

type Address = { readonly host: string; readonly port: number } | { readonly path: string }

function addressOf(url: URL): Address {
  return { host: bareHost(url), port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)) }
}

/** Without the brackets of an IPv6 address. */
export function bareHost({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

function openTls(
  url: URL,
  tls: HttpRequest['tls'],
  to: Address | { readonly socket: Socket },
  alpn?: Route['alpn'],
): TLSSocket {
  const host = bareHost(url)
  // SNI carries names only, never addresses.
  const serverName = /^[\d.]+$|:/.test(host) ? {} : { servername: host }
  const offered = alpn === undefined ? {} : { ALPNProtocols: [alpn] }
  return tlsConnect({ ...to, host, ...serverName, ...clientTlsOptions(tls), ...offered })
}
