/**
 * What runs and listens on this host, from procfs: TCP sockets in state LISTEN, sockets of the file system, names of
 * processes. Semantics: proc(5), Documentation/networking/proc_net_tcp.rst.
 */
import { type Disk, DiskError } from '../../protocol/env/mod.ts'

export type ListeningSocket = { readonly host: string; readonly port: number }
export type HostServices = {
  readonly tcp: readonly ListeningSocket[]
  /** Paths of stream sockets that accept connections. */
  readonly unix: readonly string[]
  /** Names of processes, as the kernel cuts them: 15 characters. */
  readonly commands: ReadonlySet<string>
}

const TCP_LISTEN = '0A'
/** __SO_ACCEPTCON of the column Flags. */
const UNIX_LISTENING = '00010000'
const UNIX_STREAM = '0001'

export function readHostServices(disk: Disk, procfs = '/proc'): HostServices {
  const tcp = [...tcpSockets(read(disk, `${procfs}/net/tcp`)), ...tcpSockets(read(disk, `${procfs}/net/tcp6`))]
  const seen = new Map(tcp.map((socket) => [`${socket.host} ${socket.port}`, socket]))
  const commands = new Set<string>()
  for (const name of disk.readDirectory(procfs))
    if (/^\d+$/.test(name)) {
      // Processes come and go meanwhile.
      const command = read(disk, `${procfs}/${name}/comm`).trim()
      if (command !== '') commands.add(command)
    }
  return { tcp: [...seen.values()], unix: unixSockets(read(disk, `${procfs}/net/unix`)), commands }
}

function read(disk: Disk, file: string): string {
  try {
    return disk.readText(file)
  } catch (error) {
    if (error instanceof DiskError) return ''
    throw error
  }
}

/** `sl local_address rem_address st …`, addresses as words of the host's byte order (little-endian) in hex. */
function tcpSockets(table: string): ListeningSocket[] {
  const sockets: ListeningSocket[] = []
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state] = line.trim().split(/\s+/)
    const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local ?? '')
    if (match && state === TCP_LISTEN) sockets.push({ host: hostOf(match[1]!), port: Number.parseInt(match[2]!, 16) })
  }
  return sockets
}

function hostOf(hex: string): string {
  const bytes: number[] = []
  for (let word = 0; word < hex.length; word += 8)
    for (let at = 6; at >= 0; at -= 2) bytes.push(Number.parseInt(hex.slice(word + at, word + at + 2), 16))
  if (bytes.length === 4) return bytes.join('.')
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  if (isMapped) return bytes.slice(12).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16)).join(':')
  // The URL parser writes addresses in their short form.
  return new URL(`http://[${groups}]`).hostname.slice(1, -1)
}

/** `Num RefCount Protocol Flags Type St Inode Path` */
function unixSockets(table: string): string[] {
  const paths = new Set<string>()
  for (const line of table.split('\n').slice(1)) {
    const [, , , flags, type, , , ...path] = line.trim().split(/\s+/)
    if (flags === UNIX_LISTENING && type === UNIX_STREAM && path[0]?.startsWith('/')) paths.add(path.join(' '))
  }
  return [...paths].sort()
}
