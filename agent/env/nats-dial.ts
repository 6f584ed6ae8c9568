/** One connection of the official NATS client, over TCP or WebSocket. */
import {
  type ConnectionOptions,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type WsConnectionOptions,
  wsconnect,
} from '@nats-io/nats-core'
import { connect } from '@nats-io/transport-node'
import { WebSocket } from 'ws'
import type { TlsOptions } from '../../protocol/env/mod.ts'
import { clientTlsOptions } from './net-tls.ts'

export type NatsServerKind = 'tcp' | 'webSocket'

/** @throws TypeError naming the URL that does not fit */
export function serverKind(servers: readonly string[]): NatsServerKind {
  const kinds = servers.map((server): NatsServerKind => {
    const scheme = URL.canParse(server) ? new URL(server).protocol : ''
    if (scheme === 'nats:' || scheme === 'tls:') return 'tcp'
    if (scheme === 'ws:' || scheme === 'wss:') return 'webSocket'
    throw new TypeError(`Bad NATS server "${server}": expected nats://, tls://, ws:// or wss:// and a host`)
  })
  const first = kinds[0]
  if (first === undefined) throw new TypeError('No NATS servers given')
  if (kinds.some((kind) => kind !== first))
    throw new TypeError(`NATS servers "${servers.join(', ')}" mix TCP and WebSocket: use one kind`)
  return first
}

export function natsAuthenticator(options: {
  readonly nkeySeed?: string
  readonly user?: string
  readonly pass?: string
  readonly token?: string
  readonly creds?: string
}): ConnectionOptions['authenticator'] {
  const encoder = new TextEncoder()
  if (options.creds !== undefined) return credsAuthenticator(encoder.encode(options.creds))
  if (options.nkeySeed !== undefined) return nkeyAuthenticator(encoder.encode(options.nkeySeed))
  if (options.token !== undefined) return tokenAuthenticator(options.token)
  if (options.user !== undefined) return usernamePasswordAuthenticator(options.user, options.pass)
  return undefined
}

/** Tries each server once. `options.servers` are all of one kind (`serverKind`). */
export async function dialNats(options: ConnectionOptions, tls: TlsOptions | undefined): Promise<NatsConnection> {
  const servers = options.servers as string[]
  const kind = serverKind(servers)
  const leave = await enterDialGate(kind)
  try {
    if (kind === 'webSocket') return await wsconnect({ ...options, wsFactory: webSocketFactory(tls) })
    const wantsTls = tls !== undefined || servers.some((server) => server.startsWith('tls:'))
    const nodeTls = wantsTls ? { tls: clientTlsOptions(tls) as NonNullable<ConnectionOptions['tls']> } : {}
    return await connect({ ...options, ...nodeTls })
  } finally {
    leave()
  }
}

/** `ws` rather than the runtime's WebSocket, which knows no private authorities and offers compression. */
function webSocketFactory(tls: TlsOptions | undefined): NonNullable<WsConnectionOptions['wsFactory']> {
  return async (url: string) => ({
    socket: new WebSocket(url, { perMessageDeflate: false, ...(tls && clientTlsOptions(tls)) }) as unknown as never,
    encrypted: url.startsWith('wss:'),
  })
}

/**
 * `connect` and `wsconnect` name their transport in one global variable of the client library and read it again
 * moments later. So dials of different kinds take turns; dials of one kind run side by side.
 */
const gate: { kind: NatsServerKind | null; inside: number; changed: PromiseWithResolvers<void> } = {
  kind: null,
  inside: 0,
  changed: Promise.withResolvers(),
}

async function enterDialGate(kind: NatsServerKind): Promise<() => void> {
  while (gate.inside > 0 && gate.kind !== kind) await gate.changed.promise
  gate.kind = kind
  gate.inside++
  return () => {
    gate.inside--
    gate.changed.resolve()
    gate.changed = Promise.withResolvers()
  }
}
