/**
 * The embedded bus: a NATS server for the core protocol, so that a fleet needs nothing beside its hub. Official
 * clients and tools connect to it over TCP and WebSocket. It is no JetStream: it stores nothing, has no streams,
 * consumers, key-value buckets, accounts, clusters or leaf nodes, and its PubAck says only that the hub took the
 * message. Who outgrows it points agents and hubs at a real NATS.
 */
import type { Bus, ByteSocket, ListenAddress, Listener, Net, Timer } from '../../protocol/env/mod.ts'
import { streamPattern } from '../../protocol/subjects/mod.ts'
import { Connection, type ConnectionHost } from './connection.ts'
import { LocalBus } from './local-bus.ts'
import { Router } from './router.ts'
import { isSubset, toWire } from './subjects.ts'
import type { BusEvent, BusServerOptions, BusStats, ConnectionInfo, Peer, WireMessage } from './types.ts'

/** The level of the core protocol that is spoken, as clients read it. */
const PROTOCOL_VERSION = '2.14.0'
/** In PubAcks, where JetStream names the stream. */
const STREAM_NAME = 'HELIO_EMBEDDED'
const MIB = 1024 * 1024
const MAX_PAYLOAD_LIMIT_BYTES = 8 * MIB
const DEFAULT_STOP_GRACE_MS = 2_000

export interface BusServer {
  readonly stats: Readonly<BusStats>
  /** Takes over a fresh TCP or WebSocket stream. */
  accept(socket: ByteSocket): void
  listen(net: Net, address: ListenAddress): Promise<Listener>
  /** A handle for this process, with every right. */
  localBus(identity: string): Bus
  /** Cuts the live connections of an identity; returns how many. */
  revoke(identity: string): number
  connections(): ConnectionInfo[]
  /** Tells clients to leave (lame duck), waits for them up to `graceMs`, cuts the rest, closes local handles. */
  stop(graceMs?: number): Promise<void>
}

/** @throws RangeError for a payload limit out of range */
export function createBusServer(options: BusServerOptions): BusServer {
  return new EmbeddedBus(options)
}

class EmbeddedBus implements BusServer, ConnectionHost {
  readonly router: Router
  readonly stats: BusStats = noStats()
  readonly authenticate: ConnectionHost['authenticate']
  readonly maxPayloadBytes: number
  readonly maxPendingBytes: number
  readonly maxSubscriptions: number
  readonly #options: BusServerOptions
  readonly #serverId: string
  readonly #connections = new Set<Connection>()
  readonly #locals = new Set<LocalBus>()
  readonly #listeners = new Set<Listener>()
  readonly #acknowledged: readonly (readonly string[])[]
  #sequence = 0
  #lastId = 0
  #pingTimer: Timer | null = null
  #stopping = false
  #address: ListenAddress = { host: '', port: 0 }
  #onEmpty: (() => void) | null = null

  constructor(options: BusServerOptions) {
    const maxPayloadBytes = options.maxPayloadBytes ?? MIB
    if (!(maxPayloadBytes >= 1024 && maxPayloadBytes <= MAX_PAYLOAD_LIMIT_BYTES))
      throw new RangeError(`Bus payload limit must be within 1 KiB and 8 MiB, got ${maxPayloadBytes}`)
    this.#options = options
    this.authenticate = options.authenticate
    this.maxPayloadBytes = maxPayloadBytes
    this.maxPendingBytes = options.maxPendingBytes ?? 16 * MIB
    this.maxSubscriptions = options.maxSubscriptions ?? 1_000
    this.#serverId = `H${base32(options.random.bytes(55))}`
    const acknowledged = options.acknowledged ?? [streamPattern('samples'), streamPattern('backlog')]
    this.#acknowledged = acknowledged.map((pattern) => toWire(pattern).split('.'))
    const seed = options.random.bytes(4)
    this.router = new Router(this.stats, (seed[0]! << 24) | (seed[1]! << 16) | (seed[2]! << 8) | seed[3]!)
  }

  accept(socket: ByteSocket): void {
    const { clock, random, authTimeoutMs = 5_000, maxConnections = 16_384 } = this.#options
    const nonce = Buffer.from(random.bytes(11)).toString('base64url')
    const id = ++this.#lastId
    const connection = new Connection(socket, this, {
      id,
      nonce,
      nowMs: clock.now(),
      info: this.#info({ clientId: id, nonce, clientIp: hostOf(socket.remoteAddress) }),
      authTimer: (fn) => clock.setTimer(authTimeoutMs, fn, { unref: true }),
    })
    this.stats.connectionsTotal++
    if (this.#stopping || this.#connections.size >= maxConnections) {
      this.stats.connectionsRefused++
      if (this.#stopping) {
        connection.refuse('Server Shutdown')
        return
      }
      this.event('too-many-connections', connection, `limit ${maxConnections}`)
      connection.refuse('maximum connections exceeded')
      return
    }
    this.#connections.add(connection)
    this.stats.connections = this.#connections.size
    this.#pingTimer ??= this.#nextPing()
  }

  async listen(net: Net, address: ListenAddress): Promise<Listener> {
    const listener = await net.listenTcp(address, (socket) => this.accept(socket))
    this.#listeners.add(listener)
    this.#address = listener.address
    return listener
  }

  localBus(identity: string): Bus {
    const inbox = `_INBOX_LOCAL_${base32(this.#options.random.bytes(10))}`
    const bus = new LocalBus(identity, inbox, {
      router: this.router,
      clock: this.#options.clock,
      maxPayloadBytes: this.maxPayloadBytes,
      publish: (from, message) => {
        this.stats.inMessages++
        this.stats.inBytes += message.data.length
        this.publish(from, message)
      },
      handlerFailed: (who, subject, error) => {
        this.stats.handlerErrors++
        const detail = `${subject}: ${error instanceof Error ? error.message : String(error)}`
        this.#options.onEvent?.({ kind: 'handler-failed', identity: who, remoteAddress: '', detail })
      },
    })
    this.#locals.add(bus)
    bus.onStatus((status) => {
      if (status === 'closed') this.#locals.delete(bus)
    })
    return bus
  }

  revoke(identity: string): number {
    const live = [...this.#connections].filter((connection) => connection.identity === identity)
    for (const connection of live) {
      this.event('revoked', connection, 'connection cut')
      connection.refuse('Authorization Violation')
    }
    return live.length
  }

  connections(): ConnectionInfo[] {
    return [...this.#connections].map((connection) => connection.info)
  }

  async stop(graceMs = DEFAULT_STOP_GRACE_MS): Promise<void> {
    this.#stopping = true
    const closing = [...this.#listeners].map((listener) => listener.close(graceMs + 1_000))
    for (const connection of this.#connections) connection.sendInfo(this.#info({ lameDuck: true }))
    if (this.#connections.size > 0 && graceMs > 0) await this.#emptyWithin(graceMs)
    for (const connection of [...this.#connections]) connection.refuse('Server Shutdown')
    for (const bus of [...this.#locals]) await bus.close()
    this.#pingTimer?.cancel()
    await Promise.all(closing)
  }

  publish(from: Peer, message: WireMessage): void {
    const { delivered, local } = this.router.route(from, message)
    if (message.reply === '') return
    if (this.#wantsPubAck(message.subject)) {
      if (local > 0) this.#acknowledge(message)
      else this.#noResponders(from, message)
    } else if (delivered === 0) this.#noResponders(from, message)
  }

  event(kind: BusEvent['kind'], { identity, name, remoteAddress }: Connection, detail: string): void {
    this.#options.onEvent?.({ kind, identity: identity === '' ? name : identity, remoteAddress, detail })
  }

  closed(connection: Connection): void {
    this.#connections.delete(connection)
    this.stats.connections = this.#connections.size
    if (this.#connections.size === 0) this.#onEmpty?.()
  }

  #wantsPubAck(subject: string): boolean {
    // Cheap test first: most messages with a reply are on neither stream.
    if (this.#acknowledged.length === 0) return false
    const tokens = subject.split('.')
    return this.#acknowledged.some((pattern) => isSubset(tokens, pattern))
  }

  #acknowledge({ subject, reply }: WireMessage): void {
    const send = (): void => {
      this.stats.pubAcks++
      const text = JSON.stringify({ stream: STREAM_NAME, seq: ++this.#sequence })
      this.router.route(null, { subject: reply, reply: '', headerBytes: 0, data: new TextEncoder().encode(text) })
    }
    const room = this.#options.onPublish?.(subject)
    if (room === undefined) send()
    else room.then(send, () => {}) // ingest refused it: no acknowledgement, the agent sends it again
  }

  /** As JetStream's absence and a service's: an empty message with status 503, to the asker alone. */
  #noResponders(from: Peer, { subject, reply }: WireMessage): void {
    if (!from.wantsNoResponders) return
    this.stats.noResponders++
    const header = Buffer.from(`NATS/1.0 503\r\nNats-Subject: ${subject}\r\n\r\n`, 'latin1')
    this.router.routeTo(from, { subject: reply, reply: '', headerBytes: header.length, data: header })
  }

  #info(of: { clientId?: number; nonce?: string; clientIp?: string; lameDuck?: boolean }): string {
    const name = this.#options.serverName ?? 'heliograph'
    return JSON.stringify({
      server_id: this.#serverId,
      server_name: name,
      version: PROTOCOL_VERSION,
      proto: 1,
      host: this.#address.host,
      port: this.#address.port,
      headers: true,
      ...(this.authenticate === undefined ? {} : { auth_required: true }),
      max_payload: this.maxPayloadBytes,
      ...(of.clientId === undefined ? {} : { client_id: of.clientId, client_ip: of.clientIp }),
      ...(of.nonce === undefined || this.authenticate === undefined ? {} : { nonce: of.nonce }),
      ...(of.lameDuck === true ? { ldm: true } : {}),
    })
  }

  #nextPing(): Timer {
    const check = (): void => {
      for (const connection of [...this.#connections]) connection.checkAlive()
      this.#pingTimer = this.#connections.size > 0 ? this.#nextPing() : null
    }
    return this.#options.clock.setTimer(this.#options.pingIntervalMs ?? 30_000, check, { unref: true })
  }

  #emptyWithin(graceMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#options.clock.setTimer(graceMs, resolve)
    this.#onEmpty = resolve
    return promise.finally(() => {
      timer.cancel()
      this.#onEmpty = null
    })
  }
}

function hostOf(remoteAddress: string): string {
  return remoteAddress.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')
}

function base32(bytes: Uint8Array): string {
  let out = ''
  for (const byte of bytes) out += 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[byte & 31]
  return out
}

function noStats(): BusStats {
  return {
    connections: 0,
    connectionsTotal: 0,
    connectionsRefused: 0,
    subscriptions: 0,
    inMessages: 0,
    inBytes: 0,
    outMessages: 0,
    outBytes: 0,
    slowConsumers: 0,
    staleConnections: 0,
    authFailures: 0,
    permissionViolations: 0,
    protocolErrors: 0,
    pubAcks: 0,
    noResponders: 0,
    handlerErrors: 0,
  }
}
