/** `ByteSocket`s over node's streams and over WebSockets: the embedded bus cannot tell them apart. */
import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import type { ByteSocket } from '../../protocol/env/mod.ts'
import { formatAddress } from './net-errors.ts'

/** Above this many queued bytes a WebSocket asks its writer to wait; node's sockets have their own mark (64 KiB). */
const WEB_SOCKET_HIGH_WATER_BYTES = 64 * 1024
/** How long a peer may take to answer a closing handshake before the connection is cut. */
const CLOSE_HANDSHAKE_MS = 2_000

/** A connected TCP or TLS stream. Reading starts with `onData`. */
export function tcpByteSocket(socket: Socket): ByteSocket {
  const remoteAddress = formatAddress(socket.remoteAddress ?? '', socket.remotePort ?? 0)
  const closing = closeOnce()
  socket.setNoDelay(true)
  // A peer that vanishes without FIN is found out even when the protocol above is silent.
  socket.setKeepAlive(true, 30_000)
  socket.on('error', (error) => closing.failed(error))
  socket.on('close', () => closing.closed())
  // With allowHalfOpen off node ends its own side itself once the peer's FIN is read.
  return {
    remoteAddress,
    write: (bytes) => !socket.writable || socket.write(bytes),
    get pendingBytes() {
      return socket.writableLength
    },
    onData: (fn) => {
      socket.on('data', fn)
    },
    onDrain: (fn) => {
      socket.on('drain', fn)
    },
    onClose: closing.onClose,
    pause: () => {
      socket.pause()
    },
    resume: () => {
      socket.resume()
    },
    end: () => {
      socket.end()
    },
    destroy: () => {
      socket.destroy()
    },
  }
}

/** Binary (or text) messages of an open WebSocket as a byte stream; each `write` is one binary frame. */
export function webSocketByteSocket(webSocket: WebSocket, remoteAddress: string): ByteSocket {
  const closing = closeOnce()
  let drain: (() => void) | undefined
  let waiting = false
  const written = (): void => {
    if (!waiting || webSocket.bufferedAmount >= WEB_SOCKET_HIGH_WATER_BYTES) return
    waiting = false
    drain?.()
  }
  webSocket.on('error', (error) => closing.failed(error))
  webSocket.on('close', () => closing.closed())
  webSocket.pause() // until somebody listens: ws would drop what arrives now
  return {
    remoteAddress,
    write: (bytes) => {
      if (webSocket.readyState !== webSocket.OPEN) return true
      webSocket.send(bytes, { binary: true }, written)
      waiting ||= webSocket.bufferedAmount >= WEB_SOCKET_HIGH_WATER_BYTES
      return !waiting
    },
    get pendingBytes() {
      return webSocket.bufferedAmount
    },
    onData: (fn) => {
      webSocket.on('message', (data) => fn(messageBytes(data)))
      webSocket.resume()
    },
    onDrain: (fn) => {
      drain = fn
    },
    onClose: closing.onClose,
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    end: () => {
      webSocket.resume() // the peer's closing frame must be read
      webSocket.close(1000)
      setTimeout(() => webSocket.terminate(), CLOSE_HANDSHAKE_MS).unref()
    },
    destroy: () => webSocket.terminate(),
  }
}

function messageBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}

/** Calls `onClose` exactly once, also when it is asked for after the fact. */
function closeOnce() {
  let error: Error | null = null
  let isClosed = false
  let listener: ((error: Error | null) => void) | undefined
  return {
    failed: (reason: Error): void => {
      error ??= reason
    },
    closed: (): void => {
      if (isClosed) return
      isClosed = true
      listener?.(error)
    },
    onClose: (fn: (error: Error | null) => void): void => {
      if (isClosed) queueMicrotask(() => fn(error))
      else listener = fn
    },
  }
}
