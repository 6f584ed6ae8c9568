/**
 * Listening for datagrams. UDP: where the kernel keeps enough of them, nobody waits for one: libc reads what has come
 * one to five times a second, dozens a call, and when the listener's owner asks for it, which is before each scrape. A
 * process that is woken for each of a hundred datagrams a second spends 600 ms of CPU a minute more (bench/agent
 * footprint). Where the queue is short the runtime waits for the first, and libc reads all the others that have come
 * with it; where libc cannot be called, the runtime reads them one by one. Sockets of the file system, which no runtime
 * offers, are read by a thread that waits in the kernel, so that nobody else has to.
 */
import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import fs from 'node:fs'
import { isIP, isIPv6 } from 'node:net'
import {
  type DatagramListener,
  type DatagramOptions,
  type DatagramSender,
  type Datagrams,
  KernelError,
  type ListenAddress,
  NetError,
} from '../../protocol/env/mod.ts'
import {
  closeDescriptor,
  DEFAULT_READ_BUFFER_BYTES,
  datagramReader,
  openUdp,
  READ_SLOTS,
  receiveBufferBytes,
  setReceiveBuffer,
} from './datagram-calls.ts'
import { errorCode, errorMessage, formatAddress, listenError } from './net-errors.ts'
import { listenUnixgram } from './net-unixgram.ts'
import { sharedDelayMs } from './shared-delay.ts'

/** As the kernel counts, some 800 bytes for each small datagram: a fifth of a second of 100,000 a second. */
const LONG_QUEUE_BYTES = 16 * 2 ** 20
const LOOK_EVERY_MS = 200
/** One that keeps more than this is looked at less often, for each look wakes the process. With half of it for a look, 100,000 a second lose 2 % as they begin. */
const DEEP_QUEUE_BYTES = 2 * LONG_QUEUE_BYTES
/** Upstream's relay and the times to live of series count in seconds. */
const LOOK_EVERY_MS_MAX = 1000
/** After a look that found more than BUSY_COUNT. */
const LOOK_BUSY_MS = 10
const BUSY_COUNT = 500
/** Reads of one look; the rest comes after others have had their turn. */
const READS_MAX = 128
const TAKEN_MAX = READS_MAX * READ_SLOTS
/** At the end, and when asked: as many as the longest queue keeps, and no sender may hold either back. */
const WHOLE_LOOKS_MAX = 64

/** Hears of a queue that is shorter than was asked for, as the kernel counts. */
export type OnShortQueue = (queue: { readonly bytes: number; readonly wantedBytes: number }) => void

/** @throws NetError naming the address */
export async function listenDatagrams(
  options: DatagramOptions,
  onShortQueue: OnShortQueue = () => {},
): Promise<DatagramListener> {
  const { address } = options
  if ('path' in address) return listenUnixgram(address.path, address.mode, options)
  const resolved = { host: await resolved4or6(address.host), port: address.port }
  try {
    return await listenWithCalls(resolved, options, onShortQueue)
  } catch (error) {
    if (!(error instanceof KernelError)) throw error
  }
  return listenAlone(resolved, options)
}

async function resolved4or6(host: string): Promise<string> {
  if (host === '' || isIP(host) !== 0) return host
  try {
    return (await lookup(host)).address
  } catch (error) {
    throw new NetError(errorCode(error), `Cannot listen on ${host}: no such host`, { cause: error })
  }
}

async function listenWithCalls(
  address: ListenAddress,
  options: DatagramOptions,
  onShortQueue: OnShortQueue,
): Promise<DatagramListener> {
  const fd = openUdp(address, options.readBufferBytes)
  const bytes = receiveBufferBytes(fd)
  const wantedBytes = 2 * (options.readBufferBytes || DEFAULT_READ_BUFFER_BYTES)
  if (bytes < Math.min(wantedBytes, DEEP_QUEUE_BYTES)) onShortQueue({ bytes, wantedBytes })
  if (bytes >= LONG_QUEUE_BYTES) return lookOften(fd, address, options, lookEveryMs(bytes))
  // Only Node takes a socket that somebody else has made.
  if (process.versions['bun'] === undefined && process.versions['deno'] === undefined)
    return listenWoken(fd, address, options)
  closeDescriptor(fd)
  return listenAlone(address, options)
}

/** @param bytes of the queue, as the kernel counts */
export function lookEveryMs(bytes: number): number {
  const everyMs = Math.floor((LOOK_EVERY_MS * bytes) / DEEP_QUEUE_BYTES)
  return Math.min(LOOK_EVERY_MS_MAX, Math.max(LOOK_EVERY_MS, everyMs))
}

function lookOften(
  fd: number,
  { host, port }: ListenAddress,
  { onDatagrams }: DatagramOptions,
  everyMs: number,
): DatagramListener {
  const read = datagramReader(fd)
  const inode = inodeOf(fd)
  const isOurs = (fields: readonly string[]): boolean => fields[9] === inode
  let isClosed = false
  let timer = setTimeout(look, 0)
  function take(): number {
    let found = 0
    for (let reads = 0; reads < READS_MAX && !isClosed; reads++) {
      const datagrams = read({ waits: false })
      if (datagrams.count > 0) onDatagrams(datagrams)
      found += datagrams.count
      if (datagrams.count < READ_SLOTS) break
    }
    return found
  }
  function look(): void {
    const found = take()
    if (isClosed) return
    timer = setTimeout(look, found === TAKEN_MAX ? 0 : found > BUSY_COUNT ? LOOK_BUSY_MS : sharedDelayMs(everyMs))
  }
  return {
    address: { host: host === '' ? '::' : host, port: port || boundPort(isOurs) },
    drops: () => kernelDrops(isOurs),
    look: async () => {
      for (let looks = 1; looks < WHOLE_LOOKS_MAX && take() === TAKEN_MAX; looks++) await othersTurn()
      clearTimeout(timer)
      if (!isClosed) look()
    },
    close: async () => {
      if (isClosed) return
      clearTimeout(timer)
      // What has come since the last look came in time.
      for (let looks = 0; looks < WHOLE_LOOKS_MAX && take() === TAKEN_MAX; looks++);
      isClosed = true
      closeDescriptor(fd)
    },
  }
}

const othersTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function listenWoken(
  fd: number,
  address: ListenAddress,
  { onDatagrams, onError }: DatagramOptions,
): Promise<DatagramListener> {
  const read = datagramReader(fd)
  const socket = createSocket(isIPv6(address.host) || address.host === '' ? 'udp6' : 'udp4')
  socket.on('message', (message) => {
    onDatagrams(single(message))
    for (;;) {
      const datagrams = read({ waits: false })
      if (datagrams.count > 0) onDatagrams(datagrams)
      // The rest comes with the next event; others have their turn.
      if (datagrams.count < READ_SLOTS) return
    }
  })
  try {
    await bound(socket, () => socket.bind({ fd }))
  } catch (error) {
    closeDescriptor(fd)
    throw listenError(error, address.host, address.port)
  }
  socket.on('error', (error) => onError(new NetError(errorCode(error), errorMessage(error), { cause: error })))
  const inode = inodeOf(fd)
  return listenerOf(socket, (fields) => fields[9] === inode)
}

const inodeOf = (fd: number): string =>
  /\d+/.exec(tryRead(() => fs.readlinkSync(`/proc/self/fd/${fd}`)) ?? '')?.[0] ?? ''

/** For runtimes that take no socket of others: theirs gets its buffer from outside, and is read one by one. */
async function listenAlone(
  address: ListenAddress,
  { readBufferBytes, onDatagrams, onError }: DatagramOptions,
): Promise<DatagramListener> {
  const isV6 = isIPv6(address.host) || address.host === ''
  const socket = createSocket(isV6 ? 'udp6' : 'udp4')
  socket.on('message', (message) => onDatagrams(single(message)))
  try {
    await bound(socket, () => socket.bind(address.port, address.host === '' ? '::' : address.host))
  } catch (error) {
    throw listenError(error, address.host, address.port)
  }
  socket.on('error', (error) => onError(new NetError(errorCode(error), errorMessage(error), { cause: error })))
  const own = ownSocket(socket.address().port)
  if (own === null) return listenerOf(socket, () => false)
  tryRead(() => setReceiveBuffer(own.fd, readBufferBytes))
  return listenerOf(socket, (fields) => fields[9] === own.inode)
}

/** Ours among those that the kernel has at this port. */
function ownSocket(port: number): { readonly fd: number; readonly inode: string } | null {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const inodes = socketTable().flatMap((fields) => (fields[1]!.endsWith(suffix) ? [fields[9]!] : []))
  for (const fd of tryRead(() => fs.readdirSync('/proc/self/fd')) ?? []) {
    const link = tryRead(() => fs.readlinkSync(`/proc/self/fd/${fd}`))
    const inode = inodes.find((each) => link === `socket:[${each}]`)
    if (inode !== undefined) return { fd: Number(fd), inode }
  }
  return null
}

function bound(socket: Socket, bind: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('listening', () => {
      socket.off('error', reject)
      resolve()
    })
    bind()
  })
}

function listenerOf(socket: Socket, isOurs: (fields: readonly string[]) => boolean): DatagramListener {
  const { address: host, port } = socket.address()
  return {
    address: { host, port },
    drops: () => kernelDrops(isOurs),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

function kernelDrops(isOurs: (fields: readonly string[]) => boolean): number | null {
  const fields = socketTable().find(isOurs)
  // The last column.
  return fields === undefined ? null : Number(fields[12])
}

/** The last of `local_address`, in hexadecimal digits. */
function boundPort(isOurs: (fields: readonly string[]) => boolean): number {
  return Number.parseInt(socketTable().find(isOurs)?.[1]?.split(':')[1] ?? '0', 16)
}

/** The kernel's rows of UDP sockets: local address in 1, inode in 9, drops in 12. */
function socketTable(): readonly (readonly string[])[] {
  return ['/proc/net/udp', '/proc/net/udp6'].flatMap((file) =>
    (tryRead(() => fs.readFileSync(file, 'utf8')) ?? '')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields.length > 12),
  )
}

function single(message: Uint8Array): Datagrams {
  return { bytes: message, starts: Uint32Array.of(0), lengths: Uint32Array.of(message.length), count: 1 }
}

/** A name is looked up at each datagram, as the runtime does; errors are told once until one goes through. */
export function openDatagrams({ host, port }: ListenAddress, onError: (error: NetError) => void): DatagramSender {
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
  let failing = false
  let pending = 0
  let isClosed = false
  const told = (error: Error | null): void => {
    if (error !== null && !failing) {
      const text = `write udp ${formatAddress(host, port)}: ${errorMessage(error)}`
      onError(new NetError(errorCode(error), text, { cause: error }))
    }
    failing = error !== null
  }
  socket.on('error', told)
  socket.unref()
  const done = (error: Error | null): void => {
    pending--
    told(error)
    if (isClosed && pending === 0) socket.close()
  }
  return {
    send: (datagram) => {
      if (isClosed) return
      pending++
      socket.send(datagram, port, host, done)
    },
    close: () => {
      if (isClosed) return
      isClosed = true
      // A socket that is closed forgets what it has not sent, and even an address is looked up first.
      if (pending === 0) socket.close()
    },
  }
}

function tryRead<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
