/**
 * Listening for datagrams. UDP: the runtime waits for the first one, and libc reads all the others that have come with
 * it, a hundred a call; where libc cannot be called, the runtime reads them one by one. Sockets of the file system,
 * which no runtime offers, are read by a thread that waits in the kernel, so that nobody else has to.
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
import { closeDescriptor, datagramReader, openUdp, READ_SLOTS, setReceiveBuffer } from './datagram-calls.ts'
import { errorCode, errorMessage, formatAddress, listenError } from './net-errors.ts'
import { listenUnixgram } from './net-unixgram.ts'

/** @throws NetError naming the address */
export async function listenDatagrams(options: DatagramOptions): Promise<DatagramListener> {
  const { address } = options
  if ('path' in address) return listenUnixgram(address.path, address.mode, options)
  const resolved = { host: await resolved4or6(address.host), port: address.port }
  // Only Node takes a socket that somebody else has made.
  if (process.versions['bun'] === undefined && process.versions['deno'] === undefined) {
    try {
      return await listenWithCalls(resolved, options)
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
    }
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
  { readBufferBytes, onDatagrams, onError }: DatagramOptions,
): Promise<DatagramListener> {
  const fd = openUdp(address, readBufferBytes)
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
  const inode = /\d+/.exec(tryRead(() => fs.readlinkSync(`/proc/self/fd/${fd}`)) ?? '')?.[0] ?? ''
  return listenerOf(socket, (fields) => fields[9] === inode)
}

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
  const done = (error: Error | null): void => {
    if (error !== null && !failing) {
      const text = `write udp ${formatAddress(host, port)}: ${errorMessage(error)}`
      onError(new NetError(errorCode(error), text, { cause: error }))
    }
    failing = error !== null
  }
  socket.on('error', done)
  socket.unref()
  return {
    send: (datagram) => socket.send(datagram, port, host, done),
    close: () => socket.close(),
  }
}

function tryRead<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
