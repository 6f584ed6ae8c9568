/** One datagram and its answer. The socket is connected: only what comes from the address asked counts. */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type ListenAddress, NetError } from '../../protocol/env/mod.ts'
import { errnoText, errorCode, errorMessage, formatAddress } from './net-errors.ts'

export function askUdp(
  { host, port }: ListenAddress,
  question: Uint8Array,
  {
    timeoutMs,
    ttl,
    localAddress,
  }: { readonly timeoutMs: number; readonly ttl?: number; readonly localAddress?: string },
): Promise<Uint8Array> {
  const dial = `udp ${formatAddress(host, port)}`
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const finish = (error: NetError | null, answer?: Uint8Array): void => {
      clearTimeout(timer)
      socket.removeAllListeners()
      // A late error of a closed socket has nobody to hear it.
      socket.on('error', () => {})
      socket.close()
      if (error) reject(error)
      else resolve(answer!)
    }
    const timer = setTimeout(() => finish(new NetError('TIMEOUT', `read ${dial}: i/o timeout`)), timeoutMs)
    const fail = (error: Error): void => {
      const code = errorCode(error)
      finish(new NetError(code, `read ${dial}: ${errnoText(code) ?? errorMessage(error)}`, { cause: error }))
    }
    socket.once('error', fail)
    socket.once('message', (message) => finish(null, message))
    // What the runtime thinks of a port or an address it throws at whoever calls: an event would be nobody.
    const tried = (run: () => void) => (): void => {
      try {
        run()
      } catch (error) {
        fail(error as Error)
      }
    }
    const send = tried(() => {
      if (ttl !== undefined) socket.setTTL(ttl)
      socket.send(question)
    })
    const connect = tried(() => socket.connect(port, host, send))
    if (localAddress === undefined) connect()
    else tried(() => socket.bind(0, localAddress, connect))()
  })
}
