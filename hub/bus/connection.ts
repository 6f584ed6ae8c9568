/** One client: its handshake, rights, subscriptions and what it is owed. Error texts are nats-server's (2.15). */
import type { ByteSocket, Timer } from '../../protocol/env/mod.ts'
import { Outbox } from './outbox.ts'
import { type ParseFailure, Parser, type ProtocolSink } from './parser.ts'
import { ALL_PERMITTED, compilePermissions, type Permissions } from './permissions.ts'
import type { Router } from './router.ts'
import { isLiteral, isValidPattern } from './subjects.ts'
import type {
  AuthResult,
  BusEvent,
  BusStats,
  ConnectClaim,
  ConnectionInfo,
  Peer,
  WireMessage,
  WireSubscription,
} from './types.ts'

/** What a connection needs of its server. */
export interface ConnectionHost {
  readonly router: Router
  readonly stats: BusStats
  readonly maxPayloadBytes: number
  readonly maxPendingBytes: number
  readonly maxSubscriptions: number
  readonly authenticate: ((claim: ConnectClaim) => AuthResult) | undefined
  /** Routes, then answers with a PubAck or "no responders" where due. */
  publish(from: Peer, message: WireMessage): void
  event(kind: BusEvent['kind'], connection: Connection, detail: string): void
  closed(connection: Connection): void
}

type ConnectOptions = { verbose: boolean; pedantic: boolean; echo: boolean; headers: boolean; noResponders: boolean }

const FAILURE_TEXTS: Readonly<Record<ParseFailure, string | null>> = {
  'unknown-operation': 'Unknown Protocol Operation',
  'control-line-too-long': 'maximum control line exceeded',
  'payload-too-large': 'Maximum Payload Violation',
  'not-connected': 'Authorization Violation',
  // nats-server closes without a word
  'bad-arguments': null,
  'peer-error': null,
}

/** Questions that one client may have open. */
const MAX_ANSWERS = 256

export class Connection implements Peer, ProtocolSink {
  readonly isLocal = false
  readonly id: number
  readonly remoteAddress: string
  readonly connectedMs: number
  identity = ''
  name = ''
  readonly #host: ConnectionHost
  readonly #nonce: string
  readonly #outbox: Outbox
  readonly #parser: Parser
  readonly #subscriptions = new Map<string, WireSubscription>()
  readonly #authTimer: Timer | null
  #options: ConnectOptions = { verbose: true, pedantic: true, echo: true, headers: false, noResponders: false }
  #permissions: Permissions = ALL_PERMITTED
  /** Reply subjects of delivered messages that were not answered yet. */
  readonly #answers = new Set<string>()
  #closed = false
  #heard = true
  #pingsOut = 0

  constructor(
    socket: ByteSocket,
    host: ConnectionHost,
    session: { id: number; nonce: string; nowMs: number; info: string; authTimer: (fn: () => void) => Timer },
  ) {
    this.id = session.id
    this.remoteAddress = socket.remoteAddress
    this.connectedMs = session.nowMs
    this.#host = host
    this.#nonce = session.nonce
    this.#outbox = new Outbox(socket, host.maxPendingBytes, (pendingBytes) => this.#slow(pendingBytes))
    this.#parser = new Parser(this, host.maxPayloadBytes)
    this.#parser.connectOnly = host.authenticate !== undefined
    socket.onClose(() => this.#gone())
    this.sendInfo(session.info)
    this.#authTimer =
      host.authenticate === undefined ? null : session.authTimer(() => this.refuse('Authentication Timeout'))
    socket.onData((chunk) => {
      this.#heard = true
      this.#parser.push(chunk)
    })
  }

  get echo(): boolean {
    return this.#options.echo
  }

  get wantsNoResponders(): boolean {
    return this.#options.noResponders
  }

  get info(): ConnectionInfo {
    const { id, identity, name, remoteAddress, connectedMs } = this
    const subscriptions = this.#subscriptions.size
    return { id, identity, name, remoteAddress, connectedMs, subscriptions, pendingBytes: this.#outbox.pendingBytes }
  }

  /** Says why, then closes. */
  refuse(text: string): void {
    if (this.#closed) return
    this.#parser.stop()
    this.#outbox.text(`-ERR '${text}'\r\n`)
    this.#outbox.end()
    this.#gone()
  }

  sendInfo(json: string): void {
    this.#outbox.text(`INFO ${json}\r\n`)
  }

  /** Called once in each ping interval. */
  checkAlive(): void {
    if (this.#heard) this.#pingsOut = 0
    else if (this.#pingsOut >= 2) {
      this.#host.stats.staleConnections++
      this.#host.event('stale-connection', this, 'two PINGs unanswered')
      this.refuse('Stale Connection')
      return
    } else {
      this.#pingsOut++
      this.#outbox.text('PING\r\n')
    }
    this.#heard = false
  }

  deliver(subscription: WireSubscription, { subject, reply, headerBytes, data }: WireMessage): void {
    if (subscription.closed) this.#subscriptions.delete(subscription.sid)
    // What it may publish anyway needs no leave, and would push out what does.
    if (reply !== '' && !this.#permissions.mayPublish(reply)) this.#allowAnswer(reply)
    const target = reply === '' ? `${subject} ${subscription.sid}` : `${subject} ${subscription.sid} ${reply}`
    if (headerBytes > 0 && this.#options.headers) {
      this.#outbox.text(`HMSG ${target} ${headerBytes} ${data.length}\r\n`)
      this.#outbox.bytes(data)
    } else {
      this.#outbox.text(`MSG ${target} ${data.length - headerBytes}\r\n`)
      this.#outbox.bytes(headerBytes === 0 ? data : data.subarray(headerBytes))
    }
    this.#outbox.text('\r\n')
  }

  /** Once, as `allow_responses` of nats-server: whoever was asked may answer. */
  #allowAnswer(reply: string): void {
    if (this.#answers.size >= MAX_ANSWERS) this.#answers.delete(this.#answers.values().next().value!)
    this.#answers.add(reply)
  }

  connect(json: string): void {
    const fields = parseConnect(json)
    if (fields === null) {
      this.failed('bad-arguments')
      return
    }
    if (fields.protocol < 0 || fields.protocol > 1) {
      this.#refuseProtocol('invalid client protocol')
      return
    }
    if (fields.options.noResponders && !fields.options.headers) {
      this.#refuseProtocol('no responders requires headers support')
      return
    }
    this.name = fields.claim.name
    this.#options = fields.options
    if (!this.#authenticate(fields.claim)) return
    this.#ok()
  }

  publish(subject: string, reply: string, headerBytes: number, data: Uint8Array): void {
    if (headerBytes > 0 && !this.#options.headers) {
      this.failed('bad-arguments')
      return
    }
    const { stats } = this.#host
    stats.inMessages++
    stats.inBytes += data.length
    if (!this.#permissions.mayPublish(subject) && !this.#answers.delete(subject)) {
      this.#violation(`Publish to "${subject}"`)
      return
    }
    // Differs from nats-server: whoever may not listen to a subject may not have others talk to it either. The hub
    // answers requests with its own rights, so a reply is as good as a publish.
    if (reply !== '' && !(isLiteral(reply) && this.#permissions.maySubscribe(reply))) {
      this.#violation(`Publish with Reply of "${reply}"`)
      return
    }
    if (this.#options.pedantic && !isLiteral(subject)) this.#outbox.text(`-ERR 'Invalid Publish Subject'\r\n`)
    this.#ok()
    this.#host.publish(this, { subject, reply, headerBytes, data })
  }

  subscribe(subject: string, queue: string, sid: string): void {
    if (!isValidPattern(subject)) {
      this.#outbox.text(`-ERR 'Invalid Subject'\r\n`)
      return
    }
    if (!this.#permissions.maySubscribe(subject)) {
      this.#violation(`Subscription to "${subject}"${queue === '' ? '' : ` using queue "${queue}"`}`)
      return
    }
    if (!this.#subscriptions.has(sid)) {
      if (this.#subscriptions.size >= this.#host.maxSubscriptions) {
        this.#outbox.text(`-ERR 'maximum subscriptions exceeded'\r\n`)
        return
      }
      const subscription = { subject, queue, sid, peer: this, max: 0, delivered: 0, closed: false }
      this.#subscriptions.set(sid, subscription)
      this.#host.router.add(subscription)
    }
    this.#ok()
  }

  unsubscribe(sid: string, max: number): void {
    const subscription = this.#subscriptions.get(sid)
    if (subscription !== undefined) {
      subscription.max = max
      if (max <= subscription.delivered) {
        this.#subscriptions.delete(sid)
        this.#host.router.remove(subscription)
      }
    }
    this.#ok()
  }

  ping(): void {
    this.#outbox.text('PONG\r\n')
  }

  pong(): void {
    this.#pingsOut = 0
  }

  failed(reason: ParseFailure): void {
    this.#parser.stop()
    if (reason === 'not-connected') this.#authFailed('the first message was not CONNECT')
    else {
      this.#host.stats.protocolErrors++
      this.#host.event('protocol-error', this, reason)
    }
    const text = FAILURE_TEXTS[reason]
    if (text !== null) {
      this.refuse(text)
      return
    }
    this.#outbox.end()
    this.#gone()
  }

  /** True when the client may go on. */
  #authenticate(claim: Omit<ConnectClaim, 'nonce' | 'remoteAddress'>): boolean {
    const { authenticate } = this.#host
    if (authenticate === undefined) return true
    const nonce = new TextEncoder().encode(this.#nonce)
    const result = authenticate({ ...claim, nonce, remoteAddress: this.remoteAddress })
    if ('error' in result) {
      this.#authFailed(result.error)
      this.refuse('Authorization Violation')
      return false
    }
    this.identity = result.identity
    this.#permissions = compilePermissions(result)
    // A second CONNECT may bring other rights: what was subscribed to under the old ones must pass again.
    for (const [sid, subscription] of this.#subscriptions) {
      if (this.#permissions.maySubscribe(subscription.subject)) continue
      this.#subscriptions.delete(sid)
      this.#host.router.remove(subscription)
    }
    this.#parser.connectOnly = false
    this.#authTimer?.cancel()
    return true
  }

  #authFailed(detail: string): void {
    this.#host.stats.authFailures++
    this.#host.event('auth-failed', this, detail)
  }

  #refuseProtocol(text: string): void {
    this.#host.stats.protocolErrors++
    this.#host.event('protocol-error', this, text)
    this.refuse(text)
  }

  #violation(what: string): void {
    this.#host.stats.permissionViolations++
    this.#host.event('permission-violation', this, what)
    this.#outbox.text(`-ERR 'Permissions Violation for ${what}'\r\n`)
  }

  #ok(): void {
    if (this.#options.verbose) this.#outbox.text('+OK\r\n')
  }

  #slow(pendingBytes: number): void {
    if (this.#closed) return
    this.#host.stats.slowConsumers++
    this.#host.event('slow-consumer', this, `${pendingBytes} bytes waiting`)
    this.#parser.stop()
    this.#outbox.destroy()
    this.#gone()
  }

  #gone(): void {
    if (this.#closed) return
    this.#closed = true
    this.#parser.stop()
    this.#authTimer?.cancel()
    for (const subscription of this.#subscriptions.values()) this.#host.router.remove(subscription)
    this.#subscriptions.clear()
    this.#host.closed(this)
  }
}

type ConnectFields = {
  protocol: number
  options: ConnectOptions
  claim: Omit<ConnectClaim, 'nonce' | 'remoteAddress'>
}

/** Null when it is no JSON object or a field has another type. Absent fields as in nats-server: verbose and echo on. */
function parseConnect(json: string): ConnectFields | null {
  let fields: Record<string, unknown>
  try {
    const value: unknown = JSON.parse(Buffer.from(json, 'latin1').toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
    fields = value as Record<string, unknown>
  } catch {
    return null
  }
  const wrong: string[] = []
  const read = <T extends string | boolean | number>(name: string, absent: T): T => {
    const value = fields[name]
    if (value === undefined || value === null) return absent
    if (typeof value !== typeof absent) wrong.push(name)
    return value as T
  }
  const parsed = {
    protocol: read('protocol', 0),
    options: {
      verbose: read('verbose', true),
      pedantic: read('pedantic', true),
      echo: read('echo', true),
      headers: read('headers', false),
      noResponders: read('no_responders', false),
    },
    claim: {
      nkey: read('nkey', ''),
      signature: new Uint8Array(Buffer.from(read('sig', ''), 'base64url')),
      name: read('name', ''),
      user: read('user', ''),
      pass: read('pass', ''),
      token: read('auth_token', ''),
      jwt: read('jwt', ''),
    },
  }
  return wrong.length === 0 ? parsed : null
}
