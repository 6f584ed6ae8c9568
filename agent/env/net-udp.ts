/** One datagram and its answer. The socket is connected: only what comes from the address asked counts. */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type ListenAddress, NetError } from '../../protocol/env/mod.ts'
import { errnoText, errorCode, errorMessage, formatAddress } from './net-errors.ts'

export function askUdp(
  { host, port }: ListenAddress,
  question: Uint8Array,
  { timeoutMs, ttl }: { readonly timeoutMs: number; readonly ttl?: number },
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
    socket.connect(port, host, () => {
      try {
        if (ttl !== undefined) socket.setTTL(ttl)
        socket.send(question)
      } catch (error) {
        fail(error as Error)
      }
    })
  })
}
