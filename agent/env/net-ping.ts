/**
 * One ICMP echo by libc: the socket that the kernel offers to those of `ping_group_range`, else a raw one, which needs
 * CAP_NET_RAW. The kernel stamps what arrives, so that looking for it every few milliseconds costs no accuracy.
 * Semantics: icmp(7), ip(7), ipv6(7), recvmsg(2); blackbox_exporter prober/icmp.go for what is tried first.
 */
import { isIPv6 } from 'node:net'
import os from 'node:os'
import { KernelError, NetError, type PingOptions, type PingReply } from '../../protocol/env/mod.ts'
import { bindLibc } from './libc.ts'

type Libc = {
  readonly errno: () => number
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly close: (fd: number) => number
  readonly bind: (fd: number, address: Uint8Array, length: number) => number
  readonly connect: (fd: number, address: Uint8Array, length: number) => number
  readonly setOption: (fd: number, level: number, option: number, value: Uint8Array, length: number) => number
  readonly send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number | bigint
  readonly receive: (fd: number, header: Uint8Array, flags: number) => number | bigint
  readonly time: (clock: number, out: Uint8Array) => number
  readonly address: (bytes: Uint8Array) => bigint
}

const AF_INET = 2
const AF_INET6 = 10
const SOCK_DGRAM = 2
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const IPPROTO_ICMP = 1
const IPPROTO_ICMPV6 = 58
const SOL_SOCKET = 1
const SO_TIMESTAMPNS = 35
const SOL_IP = 0
const IP_TTL = 2
const IP_MTU_DISCOVER = 10
const IP_RECVTTL = 12
const IP_PMTUDISC_DO = 2
const SOL_IPV6 = 41
const IPV6_UNICAST_HOPS = 16
const IPV6_MTU_DISCOVER = 23
const IPV6_RECVHOPLIMIT = 51
const IPV6_HOPLIMIT = 52
const MSG_DONTWAIT = 0x40
const CLOCK_REALTIME = 0
/** struct msghdr of 64-bit hosts. */
const MSGHDR_BYTES = 56
const CMSG_HEADER_BYTES = 16
/** How often to look, at first and at most. */
const FIRST_LOOK_MS = 1
const LAST_LOOK_MS = 20
const MAX_PACKET_BYTES = 65_536

let loaded: Libc | null = null

function libc(): Libc {
  loaded ??= bindLibc((fn, koffi) => ({
    errno: () => koffi.errno(),
    socket: fn('int socket(int domain, int type, int protocol)'),
    close: fn('int close(int fd)'),
    bind: fn('int bind(int fd, const uint8_t *address, uint32_t length)'),
    connect: fn('int connect(int fd, const uint8_t *address, uint32_t length)'),
    setOption: fn('int setsockopt(int fd, int level, int option, const uint8_t *value, uint32_t length)'),
    send: fn('long send(int fd, const uint8_t *bytes, size_t length, int flags)'),
    receive: fn('long recvmsg(int fd, _Inout_ uint8_t *header, int flags)'),
    time: fn('int clock_gettime(int clock, _Out_ uint8_t *out)'),
    address: (bytes) => BigInt(koffi.address(bytes)),
  }))
  return loaded
}

export async function ping(address: string, options: PingOptions): Promise<PingReply> {
  const started = performance.now()
  let c: Libc
  try {
    c = libc()
  } catch (error) {
    if (error instanceof KernelError) throw new NetError('UNAVAILABLE', error.message, { cause: error })
    throw error
  }
  const isV6 = isIPv6(address)
  const { fd, isRaw } = openSocket(c, isV6)
  try {
    setUp(c, fd, address, isV6, options)
    const packet = echoRequest(isV6, options)
    const setupMs = performance.now() - started
    const sentNs = now(c)
    checked(c, 'send', c.send(fd, packet, packet.length, 0))
    const receiver = new Receiver(c, fd)
    for (let waitMs = FIRST_LOOK_MS; ; waitMs = Math.min(waitMs * 1.5, LAST_LOOK_MS)) {
      const found = receiver.next()
      if (found !== null) {
        const { bytes, stampNs, hopLimit } = found
        if (!isReply(bytes, { isV6, isRaw, ...options })) continue
        return { setupMs, roundTripMs: Math.max(0, Number(stampNs - sentNs) / 1e6), hopLimit }
      }
      const leftMs = options.timeoutMs - (performance.now() - started)
      if (leftMs <= 0) throw new NetError('TIMEOUT', `read icmp ${address}: i/o timeout`)
      await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, leftMs)))
    }
  } finally {
    c.close(fd)
  }
}

function openSocket(c: Libc, isV6: boolean): { readonly fd: number; readonly isRaw: boolean } {
  const open = (type: number): number =>
    c.socket(isV6 ? AF_INET6 : AF_INET, type | SOCK_CLOEXEC, isV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)
  const fd = open(SOCK_DGRAM)
  if (fd >= 0) return { fd, isRaw: false }
  return { fd: checked(c, 'listen icmp: socket', open(SOCK_RAW)), isRaw: true }
}

function setUp(c: Libc, fd: number, address: string, isV6: boolean, options: PingOptions): void {
  const set = (what: string, level: number, option: number, value: number): void => {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setInt32(0, value, true)
    checked(c, `setsockopt ${what}`, c.setOption(fd, level, option, bytes, bytes.length))
  }
  set('SO_TIMESTAMPNS', SOL_SOCKET, SO_TIMESTAMPNS, 1)
  if (isV6) {
    set('IPV6_RECVHOPLIMIT', SOL_IPV6, IPV6_RECVHOPLIMIT, 1)
    set('IPV6_UNICAST_HOPS', SOL_IPV6, IPV6_UNICAST_HOPS, options.ttl)
    if (options.dontFragment) set('IPV6_MTU_DISCOVER', SOL_IPV6, IPV6_MTU_DISCOVER, IP_PMTUDISC_DO)
  } else {
    set('IP_RECVTTL', SOL_IP, IP_RECVTTL, 1)
    set('IP_TTL', SOL_IP, IP_TTL, options.ttl)
    if (options.dontFragment) set('IP_MTU_DISCOVER', SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
  }
  if (options.sourceAddress !== '') {
    const source = socketAddress(options.sourceAddress)
    checked(c, `bind ${options.sourceAddress}`, c.bind(fd, source, source.length))
  }
  const target = socketAddress(address)
  checked(c, `connect ${address}`, c.connect(fd, target, target.length))
}

/** struct sockaddr_in or sockaddr_in6, of an address as Node checked it. */
export function socketAddress(address: string): Uint8Array {
  if (!isIPv6(address)) {
    const out = new Uint8Array(16)
    out[0] = AF_INET
    out.set(address.split('.').map(Number), 4)
    return out
  }
  const [bare = '', zone = ''] = address.split('%')
  const out = new Uint8Array(28)
  out[0] = AF_INET6
  out.set(v6Bytes(bare), 8)
  const index = /^\d+$/.test(zone) ? Number(zone) : interfaceIndex(zone)
  new DataView(out.buffer).setUint32(24, index, true)
  return out
}

function interfaceIndex(name: string): number {
  return os.networkInterfaces()[name]?.find(({ scopeid }) => scopeid)?.scopeid ?? 0
}

function v6Bytes(text: string): Uint8Array {
  // The last 32 bits may be written as an IPv4 address.
  const plain = text.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a, b, c, d) =>
    [(Number(a) << 8) | Number(b), (Number(c) << 8) | Number(d)].map((part) => part.toString(16)).join(':'),
  )
  const [head = '', tail] = plain.split('::')
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const before = groups(head)
  const after = groups(tail ?? '')
  const all = [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after]
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]))
}

function echoRequest(isV6: boolean, { id, sequence, payload }: PingOptions): Uint8Array {
  const out = new Uint8Array(8 + payload.length)
  const view = new DataView(out.buffer)
  out[0] = isV6 ? 128 : 8
  view.setUint16(4, id)
  view.setUint16(6, sequence)
  out.set(payload, 8)
  // Of ICMPv6 the kernel makes it, for the addresses count too.
  if (!isV6) view.setUint16(2, checksum(out))
  return out
}

/** RFC 1071. */
export function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i]! << 8) | (bytes[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

type Expected = Pick<PingOptions, 'id' | 'sequence' | 'payload'> & { readonly isV6: boolean; readonly isRaw: boolean }

/** Raw sockets hear everybody's ICMP; the kernel gives those of the other kind an id of its own, and its answers alone. */
export function isReply(packet: Uint8Array, { isV6, isRaw, id, sequence, payload }: Expected): boolean {
  const headerBytes = isRaw && !isV6 ? ((packet[0] ?? 0) & 0x0f) * 4 : 0
  const bytes = packet.subarray(headerBytes)
  if (bytes.length !== 8 + payload.length || bytes[0] !== (isV6 ? 129 : 0)) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if ((isRaw && view.getUint16(4) !== id) || view.getUint16(6) !== sequence) return false
  return payload.every((byte, i) => bytes[8 + i] === byte)
}

class Receiver {
  readonly #c: Libc
  readonly #fd: number
  readonly #packet = new Uint8Array(MAX_PACKET_BYTES)
  readonly #control = new Uint8Array(512)
  readonly #vector = new Uint8Array(128)
  readonly #header = new Uint8Array(128)

  constructor(c: Libc, fd: number) {
    this.#c = c
    this.#fd = fd
  }

  /** null: nothing is there yet. */
  next(): { readonly bytes: Uint8Array; readonly stampNs: bigint; readonly hopLimit: number | null } | null {
    const vector = new DataView(this.#vector.buffer)
    vector.setBigUint64(0, this.#c.address(this.#packet), true)
    vector.setBigUint64(8, BigInt(this.#packet.length), true)
    const header = new DataView(this.#header.buffer, 0, MSGHDR_BYTES)
    this.#header.fill(0)
    header.setBigUint64(16, this.#c.address(this.#vector), true)
    header.setBigUint64(24, 1n, true)
    header.setBigUint64(32, this.#c.address(this.#control), true)
    header.setBigUint64(40, BigInt(this.#control.length), true)
    const count = Number(this.#c.receive(this.#fd, this.#header, MSG_DONTWAIT))
    if (count < 0) {
      const code = errnoName(this.#c)
      if (code === 'EAGAIN' || code === 'EINTR') return null
      throw new NetError(code, `read icmp: ${code}`)
    }
    const length = Number(header.getBigUint64(40, true))
    return { bytes: this.#packet.subarray(0, count), ...this.#readControl(length) }
  }

  #readControl(length: number): { readonly stampNs: bigint; readonly hopLimit: number | null } {
    const view = new DataView(this.#control.buffer)
    let stampNs = now(this.#c)
    let hopLimit: number | null = null
    for (let at = 0; at + CMSG_HEADER_BYTES <= length; ) {
      const size = Number(view.getBigUint64(at, true))
      if (size < CMSG_HEADER_BYTES) break
      const level = view.getInt32(at + 8, true)
      const type = view.getInt32(at + 12, true)
      const data = at + CMSG_HEADER_BYTES
      if (level === SOL_SOCKET && type === SO_TIMESTAMPNS)
        stampNs = view.getBigInt64(data, true) * 1_000_000_000n + view.getBigInt64(data + 8, true)
      if ((level === SOL_IP && type === IP_TTL) || (level === SOL_IPV6 && type === IPV6_HOPLIMIT))
        hopLimit = view.getInt32(data, true)
      at += (size + 7) & ~7
    }
    return { stampNs, hopLimit }
  }
}

function now(c: Libc): bigint {
  const out = new Uint8Array(16)
  c.time(CLOCK_REALTIME, out)
  const view = new DataView(out.buffer)
  return view.getBigInt64(0, true) * 1_000_000_000n + view.getBigInt64(8, true)
}

function checked(c: Libc, what: string, result: number | bigint): number {
  if (Number(result) >= 0) return Number(result)
  const code = errnoName(c)
  const reason = code === 'EPERM' || code === 'EACCES' ? 'operation not permitted' : code
  const fix =
    what.startsWith('listen icmp') && reason !== code
      ? '; give the agent CAP_NET_RAW, or put its group into net.ipv4.ping_group_range'
      : ''
  throw new NetError(code, `${what}: ${reason}${fix}`)
}

function errnoName(c: Libc): string {
  const errno = c.errno()
  return Object.entries(os.constants.errno).find(([, number]) => number === errno)?.[0] ?? `E${errno}`
}
