/**
 * A client of D-Bus on a unix socket: one connection for the calls of one scrape, with a deadline over all of them.
 * Semantics: D-Bus specification 0.43, "Authentication Protocol" (EXTERNAL, the identity taken from the socket).
 */
import type { ByteSocket, Clock, Net } from '../../protocol/env/mod.ts'
import {
  type DBusCall,
  DBusFormatError,
  type DBusValue,
  decodeMessage,
  encodeCall,
  messageLength,
} from './dbus-codec.ts'

const DEADLINE_MS = 5_000
/** A list of some ten thousand units is a few megabytes. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024
const MAX_LINE_BYTES = 1024
const BUS = 'org.freedesktop.DBus'

export class DBusError extends Error {
  /** The D-Bus name of the error, or empty. */
  readonly errorName: string
  constructor(message: string, errorName = '', options?: ErrorOptions) {
    super(message, options)
    this.name = 'DBusError'
    this.errorName = errorName
  }
}

export interface DBusConnection {
  /** The values of the answer. @throws DBusError for an error in the answer, or once the connection failed */
  call(call: DBusCall): Promise<readonly DBusValue[]>
  property(destination: string, path: string, face: string, name: string): Promise<DBusValue>
  close(): void
}

export type DBusEnv = { readonly net: Net; readonly clock: Clock }

/** @param isBus false for a daemon's private socket, which knows no names and wants no greeting */
export async function connectDBus({ net, clock }: DBusEnv, path: string, isBus: boolean): Promise<DBusConnection> {
  const socket = await net.connectUnix(path, { timeoutMs: DEADLINE_MS })
  const client = new Client(socket, clock)
  try {
    await client.authenticate()
    if (isBus)
      await client.call({
        destination: BUS,
        path: '/org/freedesktop/DBus',
        interface: BUS,
        member: 'Hello',
        arguments: [],
      })
    return client
  } catch (error) {
    client.close()
    throw error
  }
}

/** The socket of `unix:path=…` of an address list; null for what is not on this host. */
export function socketOfAddress(address: string): string | null {
  for (const each of address.split(';')) {
    const match = /^unix:(?:.*,)?path=([^,]+)/.exec(each)
    if (match) return decodeURIComponent(match[1]!)
  }
  return null
}

type Waiting = { readonly resolve: (body: readonly DBusValue[]) => void; readonly reject: (error: Error) => void }

class Client implements DBusConnection {
  readonly #socket: ByteSocket
  readonly #timer: AbortController
  readonly #waiting = new Map<number, Waiting>()
  #onLine: Waiting | null = null
  #authenticated = false
  #pending: Uint8Array = new Uint8Array()
  /** Not yet joined to `#pending`: a long message comes in many pieces, which are joined once. */
  #pieces: Uint8Array[] = []
  #piecesBytes = 0
  #neededBytes = 0
  #serial = 0
  #failure: DBusError | null = null

  constructor(socket: ByteSocket, clock: Clock) {
    this.#socket = socket
    this.#timer = new AbortController()
    socket.onData((chunk) => this.#take(chunk))
    socket.onClose((error) =>
      this.#fail(new DBusError(`The D-Bus socket was closed: ${error?.message ?? 'by the daemon'}`)),
    )
    clock.sleep(DEADLINE_MS, this.#timer.signal).then(
      () => this.#fail(new DBusError(`D-Bus did not answer everything within ${DEADLINE_MS} ms`)),
      () => {},
    )
  }

  async authenticate(): Promise<void> {
    const say = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        if (this.#failure) return reject(this.#failure)
        this.#onLine = { resolve: ([line]) => resolve(String(line)), reject }
        this.#socket.write(new TextEncoder().encode(text))
      })
    let answer = await say('\0AUTH EXTERNAL\r\n')
    if (answer.startsWith('DATA')) answer = await say('DATA\r\n')
    if (!answer.startsWith('OK')) throw new DBusError(`D-Bus refused this user: "${answer}"`)
    this.#authenticated = true
    this.#socket.write(new TextEncoder().encode('BEGIN\r\n'))
  }

  call(call: DBusCall): Promise<readonly DBusValue[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure)
      const serial = ++this.#serial
      this.#waiting.set(serial, { resolve, reject })
      this.#socket.write(encodeCall(call, serial))
    })
  }

  async property(destination: string, path: string, face: string, name: string): Promise<DBusValue> {
    const call = { destination, path, interface: 'org.freedesktop.DBus.Properties', member: 'Get' }
    const [value] = await this.call({ ...call, arguments: [face, name] })
    if (value === undefined) throw new DBusError(`Property ${face}.${name} of ${path} has no value`)
    return value
  }

  close(): void {
    this.#fail(new DBusError('The D-Bus connection is closed'))
  }

  #fail(error: DBusError): void {
    if (this.#failure) return
    this.#failure = error
    this.#timer.abort()
    this.#socket.destroy()
    this.#onLine?.reject(error)
    for (const { reject } of this.#waiting.values()) reject(error)
    this.#waiting.clear()
  }

  #take(chunk: Uint8Array): void {
    this.#pieces.push(chunk)
    this.#piecesBytes += chunk.length
    if (this.#pending.length + this.#piecesBytes < this.#neededBytes) return
    const joined = new Uint8Array(this.#pending.length + this.#piecesBytes)
    joined.set(this.#pending)
    let at = this.#pending.length
    for (const piece of this.#pieces) {
      joined.set(piece, at)
      at += piece.length
    }
    this.#pending = joined
    this.#pieces = []
    this.#piecesBytes = 0
    this.#neededBytes = 0
    try {
      if (this.#authenticated) this.#takeMessages()
      else this.#takeLine()
    } catch (error) {
      this.#fail(new DBusError((error as Error).message, '', { cause: error }))
    }
  }

  #takeLine(): void {
    const end = this.#pending.indexOf(10)
    if (end < 0) {
      if (this.#pending.length > MAX_LINE_BYTES) throw new DBusFormatError('Line expected, got bytes without an end')
      return
    }
    const line = new TextDecoder().decode(this.#pending.subarray(0, end)).trim()
    this.#pending = this.#pending.slice(end + 1)
    this.#onLine?.resolve([line])
  }

  #takeMessages(): void {
    for (;;) {
      const length = messageLength(this.#pending, MAX_MESSAGE_BYTES)
      if (length === null) return
      if (this.#pending.length < length) {
        this.#neededBytes = length
        return
      }
      const message = decodeMessage(this.#pending.subarray(0, length))
      this.#pending = this.#pending.slice(length)
      const waiting = this.#waiting.get(message.replySerial)
      if (!waiting || (message.kind !== 'return' && message.kind !== 'error')) continue
      this.#waiting.delete(message.replySerial)
      if (message.kind === 'return') waiting.resolve(message.body)
      else waiting.reject(new DBusError(`${message.errorName}: ${message.body[0] ?? ''}`, message.errorName))
    }
  }
}
