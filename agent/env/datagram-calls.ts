/**
 * Datagram sockets by libc: made and bound here, so that their numbers are known, and read by dozens a call.
 * The runtime's own sockets read one a call, with an object and a copy for each, which halves what a host can take.
 * Throws `KernelError` code `UNAVAILABLE` where koffi cannot be loaded. Semantics: recvmmsg(2), unix(7), ip(7), ipv6(7).
 */
import os from 'node:os'
import { type Datagrams, KernelError, type ListenAddress, NetError } from '../../protocol/env/mod.ts'
import { bindLibc } from './libc.ts'
import { listenError } from './net-errors.ts'

type Libc = {
  readonly errno: () => number
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly close: (fd: number) => number
  readonly setOption: (fd: number, level: number, option: number, value: Uint8Array, length: number) => number
  readonly getOption: (fd: number, level: number, option: number, value: Uint8Array, length: Uint8Array) => number
  readonly receive: (fd: number, headers: Uint8Array, count: number, flags: number, timeout: null) => number
  readonly address: (bytes: Uint8Array) => bigint
}

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_RCVTIMEO = 20
const SO_RCVBUFFORCE = 33
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const MSG_DONTWAIT = 0x40
const MSG_WAITFORONE = 0x10000
/** struct mmsghdr and struct iovec of 64-bit hosts. */
const HEADER_BYTES = 64
const IOVEC_AT = 16
const IOVEC_COUNT_AT = 24
const LENGTH_AT = 56
const IOVEC_BYTES = 16
const MAX_UNIX_PATH_BYTES = 107
/** The largest that UDP carries; pages that no datagram touches cost no memory. */
const SLOT_BYTES = 65_536
const SLOTS = 32
/**
 * A second of 100,000 small datagrams a second, twice over with what the kernel adds: it counts some 800 bytes for each.
 * Memory is taken for what waits alone, within net.ipv4.udp_mem, so that many seconds' worth cost nothing while it is read.
 */
export const DEFAULT_READ_BUFFER_BYTES = 80 * 2 ** 20

let loaded: Libc | undefined

function libc(): Libc {
  loaded ??= bindLibc((fn, koffi) => ({
    errno: () => koffi.errno(),
    socket: fn('int socket(int domain, int type, int protocol)'),
    bind: fn('int bind(int fd, const uint8_t *address, uint32_t length)'),
    close: fn('int close(int fd)'),
    setOption: fn('int setsockopt(int fd, int level, int option, const uint8_t *value, uint32_t length)'),
    getOption: fn('int getsockopt(int fd, int level, int option, _Out_ uint8_t *value, _Inout_ uint8_t *length)'),
    receive: fn('int recvmmsg(int fd, _Inout_ uint8_t *headers, uint32_t count, int flags, void *timeout)'),
    address: (bytes) => BigInt(koffi.address(bytes)),
  }))
  return loaded
}

/** A bound UDP socket. Without a host it takes IPv4 and IPv6 alike. @throws KernelError, NetError naming the address */
export function openUdp({ host, port }: ListenAddress, readBufferBytes: number): number {
  const isEverywhere = host === ''
  const isV6 = isEverywhere || host.includes(':')
  try {
    const address = isV6 ? ipv6Address(isEverywhere ? '::' : host, port) : ipv4Address(host, port)
    return openBound(isV6 ? AF_INET6 : AF_INET, address, readBufferBytes, isEverywhere)
  } catch (error) {
    // Hosts without IPv6.
    if (isEverywhere && (error as { code?: string }).code === 'EAFNOSUPPORT')
      return openUdp({ host: '0.0.0.0', port }, readBufferBytes)
    throw error instanceof KernelError ? error : listenError(error, host, port)
  }
}

/** A bound socket of the file system. @throws KernelError, NetError naming the path */
export function openUnixgram(path: string, readBufferBytes: number): number {
  const name = new TextEncoder().encode(path)
  if (name.length > MAX_UNIX_PATH_BYTES)
    throw new NetError('ENAMETOOLONG', `Cannot listen on ${path}: a socket's path has at most 107 bytes`)
  const address = new Uint8Array(2 + name.length + 1)
  address[0] = AF_UNIX
  address.set(name, 2)
  try {
    return openBound(AF_UNIX, address, readBufferBytes, false)
  } catch (error) {
    if (error instanceof KernelError) throw error
    const code = (error as { code?: string }).code ?? 'EUNKNOWN'
    const fix = code === 'EADDRINUSE' ? 'something is at this path already; remove it if no program uses it' : code
    throw new NetError(code, `Cannot listen on ${path}: ${fix}`, { cause: error })
  }
}

export const closeDescriptor = (fd: number): void => void libc().close(fd)

/**
 * What the kernel keeps while nobody reads; 0: what suits bursts. Beyond net.core.rmem_max only with CAP_NET_ADMIN;
 * without, the kernel gives what that allows. @throws KernelError
 */
export function setReceiveBuffer(fd: number, bytes: number): void {
  const c = libc()
  const wanted = int32(bytes || DEFAULT_READ_BUFFER_BYTES)
  if (c.setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, wanted, 4) < 0) c.setOption(fd, SOL_SOCKET, SO_RCVBUF, wanted, 4)
}

/** As the kernel counts: what was asked for twice over, for its own part. */
export function receiveBufferBytes(fd: number): number {
  const value = new Uint8Array(4)
  libc().getOption(fd, SOL_SOCKET, SO_RCVBUF, value, int32(4))
  return new DataView(value.buffer).getInt32(0, true)
}

/** Reads that wait end after so long, for a thread that must look at other things too. */
export function setReceiveTimeout(fd: number, timeoutMs: number): void {
  const value = new Uint8Array(16)
  const view = new DataView(value.buffer)
  view.setBigInt64(0, BigInt(Math.trunc(timeoutMs / 1000)), true)
  view.setBigInt64(8, BigInt((timeoutMs % 1000) * 1000), true)
  libc().setOption(fd, SOL_SOCKET, SO_RCVTIMEO, value, value.length)
}

/** Reads what has arrived on a socket: `waits` until there is one datagram at least, or the socket's timeout is over. */
export function datagramReader(fd: number): (options: { readonly waits: boolean }) => Datagrams {
  const c = libc()
  const bytes = new Uint8Array(SLOTS * SLOT_BYTES)
  const vectors = new Uint8Array(SLOTS * IOVEC_BYTES)
  const headers = new Uint8Array(SLOTS * HEADER_BYTES)
  const vectorView = new DataView(vectors.buffer)
  const headerView = new DataView(headers.buffer)
  const starts = Uint32Array.from({ length: SLOTS }, (_, i) => i * SLOT_BYTES)
  const lengths = new Uint32Array(SLOTS)
  for (let i = 0; i < SLOTS; i++) {
    vectorView.setBigUint64(i * IOVEC_BYTES, c.address(bytes) + BigInt(i * SLOT_BYTES), true)
    vectorView.setBigUint64(i * IOVEC_BYTES + 8, BigInt(SLOT_BYTES), true)
    headerView.setBigUint64(i * HEADER_BYTES + IOVEC_AT, c.address(vectors) + BigInt(i * IOVEC_BYTES), true)
    headerView.setBigUint64(i * HEADER_BYTES + IOVEC_COUNT_AT, 1n, true)
  }
  // The kernel holds addresses, not references: the closure keeps all of this alive, `vectors` too.
  const keep = { bytes, vectors, headers }
  return ({ waits }) => {
    const count = c.receive(fd, keep.headers, SLOTS, waits ? MSG_WAITFORONE : MSG_DONTWAIT, null)
    for (let i = 0; i < count; i++) lengths[i] = headerView.getUint32(i * HEADER_BYTES + LENGTH_AT, true)
    return { bytes: keep.bytes, starts, lengths, count: Math.max(0, count) }
  }
}

export const READ_SLOTS = SLOTS

function openBound(domain: number, address: Uint8Array, readBufferBytes: number, isDual: boolean): number {
  const c = libc()
  const fd = c.socket(domain, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw systemError('socket')
  if (isDual) c.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, int32(0), 4)
  setReceiveBuffer(fd, readBufferBytes)
  if (c.bind(fd, address, address.length) < 0) {
    const error = systemError('bind')
    c.close(fd)
    throw error
  }
  return fd
}

function int32(value: number): Uint8Array {
  const out = new Uint8Array(4)
  new DataView(out.buffer).setInt32(0, value, true)
  return out
}

function ipv4Address(host: string, port: number): Uint8Array {
  const out = new Uint8Array(16)
  const view = new DataView(out.buffer)
  view.setUint16(0, AF_INET, true)
  view.setUint16(2, port)
  out.set(host.split('.').map(Number), 4)
  return out
}

function ipv6Address(host: string, port: number): Uint8Array {
  const out = new Uint8Array(28)
  const view = new DataView(out.buffer)
  view.setUint16(0, AF_INET6, true)
  view.setUint16(2, port)
  const [head = '', tail] = host.split('::')
  const words = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))
  const [first, last] = [words(head), words(tail ?? '')]
  for (const [i, word] of first.entries()) view.setUint16(8 + 2 * i, word)
  for (const [i, word] of last.entries()) view.setUint16(8 + 2 * (8 - last.length + i), word)
  return out
}

function systemError(call: string): Error {
  const errno = libc().errno()
  const code = Object.entries(os.constants.errno).find(([, number]) => number === errno)?.[0] ?? `E${errno}`
  return Object.assign(new Error(`${call}: ${code}`), { code })
}
