/**
 * What runs and listens on this host, from procfs: TCP sockets in state LISTEN, sockets of the file system, names of
 * processes and, where it may be read, whose sockets those are. Semantics: proc(5),
 * Documentation/networking/proc_net_tcp.rst.
 */
import { type Disk, DiskError } from '../../protocol/env/mod.ts'

/** `command` is the name of the process, where it is one of those asked for. */
export type ListeningSocket = { readonly host: string; readonly port: number; readonly command?: string }
export type UnixSocket = { readonly path: string; readonly command?: string }
export type HostServices = {
  readonly tcp: readonly ListeningSocket[]
  /** Stream sockets that accept connections. */
  readonly unix: readonly UnixSocket[]
  /** Names of processes, as the kernel cuts them: 15 characters. */
  readonly commands: ReadonlySet<string>
}

const TCP_LISTEN = '0A'
/** __SO_ACCEPTCON of the column Flags. */
const UNIX_LISTENING = '00010000'
const UNIX_STREAM = '0001'

/** `owners` are the programs whose sockets are to be known as theirs, by the names of their processes. */
export function readHostServices(disk: Disk, procfs = '/proc', owners: ReadonlySet<string> = new Set()): HostServices {
  const commands = new Set<string>()
  const ownerOf = new Map<string, string>()
  for (const name of disk.readDirectory(procfs))
    if (/^\d+$/.test(name)) {
      // Processes come and go meanwhile.
      const command = read(disk, `${procfs}/${name}/comm`).trim()
      if (command !== '') commands.add(command)
      if (owners.has(command)) for (const inode of socketsOf(disk, `${procfs}/${name}/fd`)) ownerOf.set(inode, command)
    }
  const tables = ['tcp', 'tcp6'].flatMap((table) => tcpSockets(read(disk, `${procfs}/net/${table}`), ownerOf))
  const seen = new Map(tables.map((socket) => [`${socket.host} ${socket.port}`, socket]))
  return { tcp: [...seen.values()], unix: unixSockets(read(disk, `${procfs}/net/unix`), ownerOf), commands }
}

/** Inodes of the sockets that a process holds open; none where this account may not see them. */
function socketsOf(disk: Disk, folder: string): string[] {
  try {
    return disk.readDirectory(folder).flatMap((name) => {
      const inode = /^socket:\[(\d+)\]$/.exec(linkOf(disk, `${folder}/${name}`))?.[1]
      return inode === undefined ? [] : [inode]
    })
  } catch (error) {
    if (error instanceof DiskError) return []
    throw error
  }
}

function linkOf(disk: Disk, path: string): string {
  try {
    return disk.readLink(path)
  } catch (error) {
    if (error instanceof DiskError) return ''
    throw error
  }
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
function tcpSockets(table: string, ownerOf: ReadonlyMap<string, string>): ListeningSocket[] {
  const sockets: ListeningSocket[] = []
  for (const line of table.split('\n').slice(1)) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
    const match = /^([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4})$/.exec(local ?? '')
    if (match && state === TCP_LISTEN)
      sockets.push({ host: hostOf(match[1]!), port: Number.parseInt(match[2]!, 16), ...owner(ownerOf, inode) })
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
function unixSockets(table: string, ownerOf: ReadonlyMap<string, string>): UnixSocket[] {
  const sockets = new Map<string, UnixSocket>()
  for (const line of table.split('\n').slice(1)) {
    const [, , , flags, type, , inode, ...rest] = line.trim().split(/\s+/)
    // HAProxy binds under a name of its own and renames; the kernel goes on showing the first name.
    const path = rest.join(' ').replace(/\.\d+\.tmp$/, '')
    if (flags === UNIX_LISTENING && type === UNIX_STREAM && path.startsWith('/'))
      sockets.set(path, { path, ...owner(ownerOf, inode) })
  }
  return [...sockets.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

function owner(ownerOf: ReadonlyMap<string, string>, inode = ''): { readonly command?: string } {
  const command = ownerOf.get(inode)
  return command === undefined ? {} : { command }
}
