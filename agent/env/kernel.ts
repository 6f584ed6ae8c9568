/**
 * The kernel's calls through libc by koffi. The library is loaded at the first call, for it costs several megabytes:
 * an agent whose collectors read files only never pays them.
 */
import os from 'node:os'
import { type Kernel, KernelError, type PerfEvent } from '../../protocol/env/mod.ts'
import { bindLibc } from './libc.ts'

type Libc = {
  readonly errno: () => number
  readonly adjtimex: (timex: Uint8Array) => number
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly close: (fd: number) => number
  readonly setTimeout: (fd: number, level: number, option: number, value: Uint8Array, length: number) => number
  readonly send: (fd: number, bytes: Uint8Array, length: number, flags: number) => number | bigint
  readonly recv: (fd: number, bytes: Uint8Array, length: number, flags: number) => number | bigint
  readonly read: (fd: number, bytes: Uint8Array, length: number) => number | bigint
  readonly ioctl: (fd: number, request: number, argument: Uint8Array) => number
  readonly syscall: (number: number, attr: Uint8Array, pid: number, cpu: number, group: number, flags: number) => number
  /** The address of the bytes, as the kernel's structures hold it. */
  readonly address: (bytes: Uint8Array) => bigint
}

const AF_UNIX = 1
const AF_NETLINK = 16
const SOCK_DGRAM = 2
const SOCK_RAW = 3
const SOCK_CLOEXEC = 0o2000000
const SOL_SOCKET = 1
const SO_RCVTIMEO = 20
const SIOCETHTOOL = 0x8946
const PERF_FLAG_FD_CLOEXEC = 8
/** perf_event_open. */
const SYSCALL_PERF: Readonly<Record<string, number>> = { x64: 298, arm64: 241 }

const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLM_F_MULTI = 2
const NLMSG_HEADER_BYTES = 16
/** The kernel makes no message of a dump larger than this. */
const RECEIVE_BYTES = 64 * 1024
/** The kernel answers within the call; this only keeps a mistaken request from waiting for ever. */
const RECEIVE_TIMEOUT_S = 1
const IFREQ_BYTES = 40
const IFNAMSIZ = 16

let loaded: Libc | KernelError | undefined
let received: Uint8Array | undefined

function libc(): Libc {
  loaded ??= load()
  if (loaded instanceof KernelError) throw loaded
  return loaded
}

function load(): Libc | KernelError {
  try {
    return bindLibc((fn, koffi) => ({
      errno: () => koffi.errno(),
      adjtimex: fn('int adjtimex(_Inout_ uint8_t *timex)'),
      socket: fn('int socket(int domain, int type, int protocol)'),
      close: fn('int close(int fd)'),
      setTimeout: fn('int setsockopt(int fd, int level, int option, const uint8_t *value, uint32_t length)'),
      send: fn('long send(int fd, const uint8_t *bytes, size_t length, int flags)'),
      recv: fn('long recv(int fd, _Out_ uint8_t *bytes, size_t length, int flags)'),
      read: fn('long read(int fd, _Out_ uint8_t *bytes, size_t length)'),
      ioctl: fn('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)'),
      syscall: fn('long syscall(long number, const uint8_t *attr, int pid, int cpu, int group, unsigned long flags)'),
      address: (bytes) => BigInt(koffi.address(bytes)),
    }))
  } catch (error) {
    if (error instanceof KernelError) return error
    throw error
  }
}

/** @throws KernelError when the call answered less than 0 */
function checked(what: string, result: number | bigint): number {
  const value = Number(result)
  if (value >= 0) return value
  const errno = libc().errno()
  const known = Object.entries(os.constants.errno).find(([, number]) => number === errno)?.[0]
  // One number with two names on Linux.
  const code = known === 'ENOTSUP' ? 'EOPNOTSUPP' : (known ?? `E${errno}`)
  throw new KernelError(code, `${what}: ${code}`)
}

function withSocket<T>(domain: number, type: number, protocol: number, use: (fd: number) => T): T {
  const c = libc()
  const fd = checked('socket', c.socket(domain, type | SOCK_CLOEXEC, protocol))
  try {
    return use(fd)
  } finally {
    c.close(fd)
  }
}

export const systemKernel: Kernel = {
  adjtimex: (timex) => checked('adjtimex', libc().adjtimex(timex)),
  netlink: (protocol, request, maxBytes) =>
    withSocket(AF_NETLINK, SOCK_RAW, protocol, (fd) => {
      const c = libc()
      const timeout = new Uint8Array(16)
      new DataView(timeout.buffer).setBigInt64(0, BigInt(RECEIVE_TIMEOUT_S), true)
      checked('setsockopt SO_RCVTIMEO', c.setTimeout(fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length))
      checked('send to netlink', c.send(fd, request, request.length, 0))
      const parts: Uint8Array[] = []
      // One for all requests: each is over before the next begins.
      const buffer = (received ??= new Uint8Array(RECEIVE_BYTES))
      for (let total = 0; ; ) {
        const count = checked('receive from netlink', c.recv(fd, buffer, buffer.length, 0))
        total += count
        if (total > maxBytes)
          throw new KernelError('EMSGSIZE', `The answer of netlink is larger than ${maxBytes} bytes`)
        parts.push(buffer.slice(0, count))
        if (count === 0 || isLast(buffer, count)) return Buffer.concat(parts)
      }
    }),
  ethtool: (device, data) =>
    withSocket(AF_UNIX, SOCK_DGRAM, 0, (fd) => {
      const request = new Uint8Array(IFREQ_BYTES)
      const name = new TextEncoder().encode(device)
      if (name.length >= IFNAMSIZ) throw new KernelError('ENODEV', `No device has a name as long as "${device}"`)
      request.set(name)
      const c = libc()
      // The structure holds the address of the data, which lives at least as long as this call.
      new DataView(request.buffer).setBigUint64(IFNAMSIZ, c.address(data), true)
      checked(`ethtool of ${device}`, c.ioctl(fd, SIOCETHTOOL, request))
    }),
  openPerfEvent(attr, cpu): PerfEvent {
    const c = libc()
    const number = SYSCALL_PERF[process.arch]
    if (number === undefined) throw new KernelError('ENOSYS', `No perf_event_open on ${process.arch}`)
    const everyProcess = -1
    const noGroup = -1
    const opened = c.syscall(number, attr, everyProcess, cpu, noGroup, PERF_FLAG_FD_CLOEXEC)
    const fd = checked(`perf_event_open on CPU ${cpu}`, opened)
    const out = new Uint8Array(8)
    return {
      read() {
        checked('read of a perf event', c.read(fd, out, out.length))
        return Number(new DataView(out.buffer).getBigUint64(0, true))
      },
      close: () => void c.close(fd),
    }
  },
}

/** Whether these messages end the answer: a lone one, or the end of a dump, or an error. */
function isLast(bytes: Uint8Array, count: number): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, count)
  for (let at = 0; at + NLMSG_HEADER_BYTES <= count; ) {
    const length = view.getUint32(at, true)
    const type = view.getUint16(at + 4, true)
    const isPart = (view.getUint16(at + 6, true) & NLM_F_MULTI) !== 0
    if (type === NLMSG_DONE || type === NLMSG_ERROR || !isPart || length < NLMSG_HEADER_BYTES) return true
    at += (length + 3) & ~3
  }
  return false
}
