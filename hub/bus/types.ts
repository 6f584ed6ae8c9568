/** What the bus tells and asks its owner, and what its parts know of each other. */
import type { Clock, Random } from '../../protocol/env/mod.ts'
import type { Entry } from './sublist.ts'

/** What a client showed in CONNECT. Shapes fit `AgentRegistry.authenticate` of hub/agents. */
export type ConnectClaim = {
  /** `U…`, or empty. */
  readonly nkey: string
  /** Over `nonce`; 64 bytes, or empty. */
  readonly signature: Uint8Array
  readonly nonce: Uint8Array
  readonly name: string
  readonly user: string
  readonly pass: string
  readonly token: string
  readonly jwt: string
  readonly remoteAddress: string
}

export type AuthResult =
  | { readonly identity: string; readonly publish: readonly string[]; readonly subscribe: readonly string[] }
  /** Logged, never sent: the client hears `Authorization Violation`. */
  | { readonly error: string }

export type BusServerOptions = {
  readonly clock: Clock
  readonly random: Random
  /** Absent: everybody may do everything (tests). */
  readonly authenticate?: (claim: ConnectClaim) => AuthResult
  /** Default 1 MiB, at most 8 MiB. */
  readonly maxPayloadBytes?: number
  /** A client with more bytes waiting is cut off as a slow consumer. Default 16 MiB. */
  readonly maxPendingBytes?: number
  readonly maxConnections?: number
  /** Of one connection. Default 1,000. */
  readonly maxSubscriptions?: number
  /** Of silence before the server asks PING; two unanswered ones end the connection. Default 30 s. */
  readonly pingIntervalMs?: number
  /** For CONNECT to arrive. Default 5 s. */
  readonly authTimeoutMs?: number
  /** Shown in INFO. */
  readonly serverName?: string
  /** Refusals, violations, slow consumers, throwing handlers: what an operator wants logged. */
  readonly onEvent?: (event: BusEvent) => void
  /**
   * Publishes to these subjects that carry a reply get a JetStream-like PubAck, once a subscriber in this process has
   * taken the message. Default: the samples and backlog streams.
   */
  readonly acknowledged?: readonly string[]
  /** Asked after such a message was handed over: a promise holds its PubAck back until ingest has room again. */
  readonly onPublish?: (subject: string) => Promise<void> | undefined
}

export type BusEvent = {
  readonly kind:
    | 'auth-failed'
    | 'permission-violation'
    | 'protocol-error'
    | 'slow-consumer'
    | 'stale-connection'
    | 'too-many-connections'
    | 'handler-failed'
    | 'revoked'
  readonly identity: string
  readonly remoteAddress: string
  readonly detail: string
}

export type BusStats = {
  connections: number
  connectionsTotal: number
  connectionsRefused: number
  subscriptions: number
  inMessages: number
  inBytes: number
  outMessages: number
  outBytes: number
  slowConsumers: number
  staleConnections: number
  authFailures: number
  permissionViolations: number
  protocolErrors: number
  pubAcks: number
  noResponders: number
  handlerErrors: number
}

export type ConnectionInfo = {
  readonly id: number
  readonly identity: string
  readonly name: string
  readonly remoteAddress: string
  readonly subscriptions: number
  readonly pendingBytes: number
  readonly connectedMs: number
}

/** A message on its way: `data` is header (first `headerBytes`) and payload. Wire strings. */
export type WireMessage = {
  readonly subject: string
  readonly reply: string
  readonly headerBytes: number
  readonly data: Uint8Array
}

/** Somebody who subscribes and publishes: a connection or the local handle. */
export interface Peer {
  readonly isLocal: boolean
  /** False: must not get its own messages back. */
  readonly echo: boolean
  readonly wantsNoResponders: boolean
  deliver(subscription: WireSubscription, message: WireMessage): void
}

export interface WireSubscription extends Entry {
  readonly peer: Peer
  readonly sid: string
  /** 0: no limit. */
  max: number
  delivered: number
  closed: boolean
}
