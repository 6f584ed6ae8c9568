/**
 * What probes of other hosts need beyond `Net`: every step of a connection by itself, so that each can be timed and
 * told of. The adapter is `agent/env/probe-net.ts`, which is loaded only where probes are configured.
 */
import type { ByteSocket, ListenAddress, TlsOptions } from './net.ts'

export type TlsCertificate = {
  readonly notAfterMs: number
  /** Lower-case hexadecimal digits. */
  readonly fingerprintSha256: string
  /** As RFC 2253 writes names, the most specific part first. */
  readonly subject: string
  readonly issuer: string
  readonly dnsNames: readonly string[]
  /** Lower-case hexadecimal digits, two a byte. */
  readonly serialNumber: string
}

export type TlsSession = {
  /** As `TLSv1.3`. */
  readonly version: string
  /** IANA's name. */
  readonly cipher: string
  /** '' where none was agreed upon. */
  readonly alpn: string
  /** The server's own first, then its issuers as far as they are known. */
  readonly chain: readonly TlsCertificate[]
  /** Whether the chain ends at an authority that is trusted, and the name is right. */
  readonly isVerified: boolean
}

export type StartTls = {
  /** Whose certificate it must be, unless the options name another. */
  readonly host: string
  readonly tls: TlsOptions
  readonly timeoutMs: number
  readonly alpn?: readonly string[]
}

export type HeaderList = readonly (readonly [name: string, value: string])[]

export type Http2Request = {
  readonly method: string
  readonly scheme: 'http' | 'https'
  readonly authority: string
  readonly path: string
  readonly headers: HeaderList
  readonly body?: Uint8Array
  readonly timeoutMs: number
  readonly onHead?: () => void
  /** What it throws ends the exchange. */
  readonly onChunk: (chunk: Uint8Array) => void
}

export type Http2Answer = { readonly status: number; readonly headers: HeaderList; readonly trailers: HeaderList }

export type PingOptions = {
  readonly timeoutMs: number
  readonly payload: Uint8Array
  readonly ttl: number
  readonly dontFragment: boolean
  /** '' for the system's choice. */
  readonly sourceAddress: string
  readonly id: number
  readonly sequence: number
}

export type PingReply = {
  readonly setupMs: number
  /** By the kernel's clock, from just before the request to the arrival of its answer. */
  readonly roundTripMs: number
  /** null where the kernel does not say. */
  readonly hopLimit: number | null
}

type Connect = {
  readonly timeoutMs: number
  /** An address of this host to come from. */
  readonly localAddress?: string
}

/** All throw `NetError`; the sockets of one adapter are those that its other methods take. */
export interface ProbeNet {
  /** Addresses of a name by the system's resolver, its hosts file included, in its order; an address is its own. */
  lookup(host: string, options: { readonly timeoutMs: number }): Promise<readonly string[]>
  connect(address: ListenAddress, options: Connect): Promise<ByteSocket>
  connectUnix(path: string, options: { readonly timeoutMs: number }): Promise<ByteSocket>
  /** The socket given is of no more use. */
  startTls(
    socket: ByteSocket,
    options: StartTls,
  ): Promise<{ readonly socket: ByteSocket; readonly session: TlsSession }>
  /** Takes a fresh socket over, and closes it. */
  exchangeHttp2(socket: ByteSocket, request: Http2Request): Promise<Http2Answer>
  /** One datagram and the first answer to it. */
  askUdp(address: ListenAddress, question: Uint8Array, options: Connect): Promise<Uint8Array>
  /** One ICMP echo; code `UNAVAILABLE` or `EPERM`, `EACCES` where this process may have no such socket. */
  ping(address: string, options: PingOptions): Promise<PingReply>
}
