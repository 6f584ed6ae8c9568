/**
 * Sockets. HTTP servers speak Web `Request`/`Response`; raw streams (the embedded bus on TCP and on WebSocket alike)
 * are `ByteSocket`s.
 */
export type ListenAddress = { readonly host: string; readonly port: number }

export interface Listener {
  /** The bound address (the real port when 0 was asked). */
  readonly address: ListenAddress
  /** Stops accepting, ends idle connections, resolves when all are gone or after `graceMs`. */
  close(graceMs?: number): Promise<void>
}

export interface ByteSocket {
  readonly remoteAddress: string
  /** Takes ownership of `bytes`. False once more than a high-water mark is queued: wait for `onDrain`. */
  write(bytes: Uint8Array): boolean
  /** Bytes queued here and not yet taken by the kernel. */
  readonly pendingBytes: number
  onData(fn: (chunk: Uint8Array) => void): void
  onDrain(fn: () => void): void
  /** Called exactly once. */
  onClose(fn: (error: Error | null) => void): void
  pause(): void
  resume(): void
  /** Flushes, then closes. `destroy` does not flush. */
  end(): void
  destroy(): void
}

export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
export type TlsOptions = {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  readonly serverName?: string
  readonly insecureSkipVerify?: boolean
  readonly minVersion?: TlsVersion
  readonly maxVersion?: TlsVersion
}

/** Of a server whose certificate may be renewed while it runs. PEM texts. */
export type ServerTls = {
  readonly cert: string
  readonly key: string
  /** Authorities of the clients' certificates. */
  readonly ca?: string
  /** Whether clients show a certificate: asked for one, must have any, verified by `ca`. */
  readonly clients: 'none' | 'asked' | 'any' | 'verified if given' | 'verified'
  /** One of these names must be in the client's certificate; null: it may have any name. */
  readonly allowedSans: readonly string[] | null
  /** Names of OpenSSL; empty: the runtime's choice. */
  readonly ciphers: readonly string[]
  readonly curves: readonly string[]
  readonly honorCipherOrder: boolean
  readonly minVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion: 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'
}

export type HttpInfo = {
  readonly remoteAddress: string
  readonly signal: AbortSignal
  /**
   * Where there is one: the bytes of a response that was made without a body. They are sent as they are, when the stream
   * that a body of a `Response` is would cost more than a small answer itself. Large ones that begin their buffer are taken
   * over: their memory is freed when they have been sent.
   */
  readonly bodies?: WeakMap<Response, Uint8Array>
}
export type HttpHandler = (request: Request, info: HttpInfo) => Response | Promise<Response>

/** A request without Web objects, which cost more than many a small answer. */
export type PlainRequest = {
  readonly method: string
  /** Path and query as they were asked for. */
  readonly target: string
  readonly remoteAddress: string
  /** Made when it is asked for; as in `HttpInfo`. */
  readonly signal: AbortSignal
  /** '' when there is none. @param name in lower case */
  header(name: string): string
  /** All of it, once; null when it is longer. Rejects when the client goes before its end. */
  body(maxBytes: number): Promise<Uint8Array | null>
}
/** `body` is taken over, as in `HttpInfo.bodies`. */
export type PlainAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
}
/** Null: the request is for the `HttpHandler`; its body has not been asked for then. */
export type PlainHandler = (request: PlainRequest) => PlainAnswer | Promise<PlainAnswer> | null

export type ServeHttpOptions = ListenAddress & {
  readonly handler: HttpHandler
  /** Asked first. */
  readonly plain?: PlainHandler
  /** Paths whose WebSocket upgrades are accepted, with what to do with the (binary) stream. */
  readonly webSockets?: Readonly<Record<string, (socket: ByteSocket, request: { readonly headers: Headers }) => void>>
  readonly tls?: TlsOptions
  /** Instead of `tls`, asked at every connection; another object than before is another certificate. What it throws ends the connection. */
  readonly serverTls?: (() => ServerTls) | undefined
  readonly maxConnections?: number
}

export type HttpRequest = {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  /** Whole exchange, from connect to the last byte of the body. */
  readonly timeoutMs: number
  /** Of the body once inflated; more ends the exchange with `NetError` code `BODY_TOO_LARGE`. */
  readonly maxBodyBytes: number
  /** 0: redirects are answers. Credentials are not sent to another host. Default 0. */
  readonly maxRedirects?: number
  /** Redirects that would make a GET of it, without its body, are answers. Default false. */
  readonly keepsMethod?: boolean
  readonly tls?: TlsOptions
  /** Over TLS, HTTP/2 is spoken with a server that refuses HTTP/1.1. Default false. */
  readonly http2?: boolean
  /** Connect to this socket of the file system; the URL then names only the host header and the path. */
  readonly unixSocket?: string
  /** Goes through this HTTP(S) proxy: `http://user:password@host:port`. TLS ends at the server, not at the proxy. */
  readonly proxy?: { readonly url: string; readonly connectHeaders?: Readonly<Record<string, string>> }
  /**
   * The answer's body may be overwritten by the next exchange: it is read before the next turn of the event loop.
   * Spares a scrape its garbage.
   */
  readonly borrowBody?: boolean
  /**
   * Takes the pieces of a 200's body as they arrive; the answer's `body` is then empty. What it throws ends the
   * exchange.
   */
  readonly onChunk?: (chunk: Uint8Array) => void
  /**
   * Sees a 200's body as it arrives, once it is large: all that came before as one piece, then every piece. Once it has
   * said false the body is of no use: it is read on, to its end or its limit, but not kept, and `body` is empty.
   */
  readonly judge?: (piece: Uint8Array, headers: Readonly<Record<string, string>>) => boolean
  readonly signal?: AbortSignal
}

export type HttpResponse = {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>
  /** Inflated when the answer said gzip. */
  readonly body: Uint8Array
}

export type DnsType = 'A' | 'AAAA' | 'SRV' | 'MX' | 'NS'
export type DnsRecord = {
  readonly type: DnsType
  /** An address for A and AAAA, else the name that the record points to. */
  readonly host: string
  /** Of SRV; 0 else. */
  readonly port: number
}

/**
 * Datagrams of one reading, `count` of them: the i-th is `lengths[i]` bytes from `starts[i]` on. All is borrowed until
 * the listener's function returns.
 */
export type Datagrams = {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  readonly count: number
}

export type DatagramOptions = {
  /** UDP, or a socket of the file system (which must not exist yet) with the permissions it gets. */
  readonly address: ListenAddress | { readonly path: string; readonly mode: number }
  /** What the kernel keeps while nobody reads; 0: what suits bursts. The kernel may give less. */
  readonly readBufferBytes: number
  readonly onDatagrams: (datagrams: Datagrams) => void
  /** The socket is of no more use. */
  readonly onError: (error: NetError) => void
}

export interface DatagramListener {
  /** As bound; a path is its host, and 0 its port. */
  readonly address: ListenAddress
  /** How many datagrams the kernel dropped because nobody read them in time; null where it does not say. */
  drops(): number | null
  /** Hands over all that has come by now, which may otherwise wait for a second. Absent where nothing waits. */
  look?(): Promise<void>
  close(): Promise<void>
}

/** Datagrams to one address; those that cannot be sent are lost, as on the way. */
export interface DatagramSender {
  /** Takes ownership. */
  send(datagram: Uint8Array): void
  close(): void
}

export interface Net {
  listenTcp(address: ListenAddress, onSocket: (socket: ByteSocket) => void): Promise<Listener>
  serveHttp(options: ServeHttpOptions): Promise<Listener>
  connectTcp(
    address: ListenAddress,
    options: { readonly timeoutMs: number; readonly tls?: TlsOptions },
  ): Promise<ByteSocket>
  /** A stream socket of this host's file system, as daemons offer for administration. */
  connectUnix(path: string, options: { readonly timeoutMs: number }): Promise<ByteSocket>
  /** Records of a name; none when the name does not exist or has none of the type. Throws `NetError` otherwise. */
  resolveDns(name: string, type: DnsType, options: { readonly timeoutMs: number }): Promise<readonly DnsRecord[]>
  /** One datagram and the first answer to it. Absent where there are no datagrams. */
  askUdp?(
    address: ListenAddress,
    question: Uint8Array,
    options: { readonly timeoutMs: number; readonly ttl?: number },
  ): Promise<Uint8Array>
  /** Absent where there are no datagrams. */
  listenDatagrams?(options: DatagramOptions): Promise<DatagramListener>
  openDatagrams?(address: ListenAddress, onError: (error: NetError) => void): DatagramSender
  /** One text message over a WebSocket and the first answer to it. Absent where there are no WebSockets. */
  askWebSocket?(
    url: string,
    question: string,
    options: { readonly timeoutMs: number; readonly maxBytes: number },
  ): Promise<string>
  /** One HTTP exchange with every limit on; throws `NetError`. */
  request(request: HttpRequest): Promise<HttpResponse>
}

/**
 * `code`: `TIMEOUT`, `UNEXPECTED_EOF`, `PROTOCOL`, `BODY_TOO_LARGE`, `TOO_MANY_BYTES` (all bodies together),
 * `ABORTED`, `TOO_MANY_REDIRECTS`, or the system's (`ECONNREFUSED`, `EADDRINUSE`…).
 */
export class NetError extends Error {
  readonly code: string
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NetError'
    this.code = code
  }
}
