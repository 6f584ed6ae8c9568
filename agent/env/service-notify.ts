/**
 * One datagram to the service manager (sd_notify(3)), for which no runtime has a socket: through libc, or where that
 * cannot be called through the program `systemd-notify` (which the unit must then allow by `NotifyAccess=all`). What
 * fails is told to the caller and ends nothing.
 */
import { spawn } from 'node:child_process'
import { bindLibc } from './libc.ts'

type Libc = {
  readonly errno: () => number
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly close: (fd: number) => number
  readonly sendto: (
    fd: number,
    bytes: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    size: number,
  ) => number | bigint
}

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MAX_PATH_BYTES = 107

export type SendNotice = (text: string) => void

/**
 * @param path of `NOTIFY_SOCKET`: absolute, or `@name` in the abstract namespace
 * @param onProblem hears why a notice could not be sent, once
 */
export function createNoticeSender(path: string, onProblem: (problem: string) => void): SendNotice {
  let toldProblem = false
  const tell = (problem: string): void => {
    if (!toldProblem) onProblem(problem)
    toldProblem = true
  }
  let send: SendNotice
  try {
    send = libcSender(path, tell)
  } catch (error) {
    tell(`${(error as Error).message}; systemd-notify is used instead`)
    send = (text) => spawnNotify(text, tell)
  }
  return send
}

/** @throws where libc cannot be called, or for a path that is none */
function libcSender(path: string, tell: (problem: string) => void): SendNotice {
  const address = unixAddress(path)
  const { errno, socket, close, sendto } = bindLibc(
    (fn, koffi): Libc => ({
      errno: () => koffi.errno(),
      socket: fn('int socket(int domain, int type, int protocol)'),
      close: fn('int close(int fd)'),
      sendto: fn(
        'long sendto(int fd, const uint8_t *bytes, size_t length, int flags, const uint8_t *address, uint32_t size)',
      ),
    }),
  )
  return (text) => {
    const bytes = new TextEncoder().encode(text)
    const fd = Number(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0))
    if (fd < 0) return tell(`Cannot make a socket: errno ${errno()}`)
    const sent = Number(sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length))
    if (sent < 0) tell(`Cannot send to NOTIFY_SOCKET ${path}: errno ${errno()}`)
    close(fd)
  }
}

/** struct sockaddr_un; an abstract name begins with 0 and ends where the structure does. */
function unixAddress(path: string): Uint8Array {
  if (!/^[/@]/.test(path)) throw new Error(`NOTIFY_SOCKET must be an absolute path or @name, got "${path}"`)
  const isAbstract = path.startsWith('@')
  const name = new TextEncoder().encode(isAbstract ? `\0${path.slice(1)}` : `${path}\0`)
  if (name.length > MAX_PATH_BYTES + 1) throw new Error(`NOTIFY_SOCKET is longer than ${MAX_PATH_BYTES} bytes`)
  const address = new Uint8Array(2 + name.length)
  new DataView(address.buffer).setUint16(0, AF_UNIX, true)
  address.set(name, 2)
  return address
}

function spawnNotify(text: string, tell: (problem: string) => void): void {
  const child = spawn('systemd-notify', text.split('\n').filter(Boolean), { stdio: 'ignore' })
  child.on('error', (error) => tell(`systemd-notify cannot be started: ${error.message}`))
  child.unref()
}
