/**
 * What a hub needs of a real NATS: the stream that keeps batches, and a durable pull consumer that hands them over one
 * by one until each is acknowledged. A message is acknowledged only by the handler, after the hub's own WAL has it;
 * whatever was not is delivered again after a restart of either side (and, once a server was killed, some of what was:
 * it writes acknowledgements late). The hub's cursor drops what it had already.
 */
import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerMessages,
  DeliverPolicy,
  DiscardPolicy,
  JetStreamApiError,
  type JetStreamManager,
  type JsMsg,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream'
import { type NatsConnection, nanos } from '@nats-io/nats-core'
import type { NatsBus } from '../../agent/env/nats-bus.ts'
import type { BusMessage } from '../../protocol/env/mod.ts'
import { streamPattern } from '../../protocol/subjects/mod.ts'
import { NatsSessions } from './nats-sessions.ts'

export type StreamFeedOptions = {
  readonly bus: NatsBus
  /** Name of this hub's durable consumer: letters, digits, `-`, `_`. */
  readonly durable: string
  readonly onMessage: (message: BusMessage, done: MessageDone) => void
  /** Old servers, a stream that differs, failures to set up: for the log. */
  readonly onWarning: (warning: string) => void
  /** Default `HELIO_SAMPLES`. */
  readonly stream?: string
  /** Of all partitions this hub wants these. Default: the whole stream. */
  readonly subjects?: readonly string[]
  /** How long the stream keeps batches. Default 24 h. */
  readonly maxAgeMs?: number
  /** Of the stream on disk; the oldest go first. Default: by age alone. */
  readonly maxBytes?: number
  readonly replicas?: number
  /** Handed over and not acknowledged, at most. Default 256. */
  readonly maxPending?: number
  /** Without an acknowledgement for so long, a message comes again. Default 30 s. */
  readonly ackWaitMs?: number
  /** Pause after a failure to set up; default 1 s. */
  readonly retryMs?: number
}

export type MessageDone = {
  /** The batch is safe. Lost with the connection at worst: then it comes again. */
  ack(): void
  /** Again, after `delayMs`. */
  nak(delayMs: number): void
}

export type StreamFeedState = 'waiting' | 'running' | 'stopped'

export interface StreamFeed {
  readonly state: StreamFeedState
  readonly stats: {
    readonly delivered: number
    readonly redelivered: number
    readonly acked: number
    readonly naked: number
  }
  /** Handed over and neither acknowledged nor refused yet. */
  readonly pending: number
  stop(): Promise<void>
}

export const STREAM_NAME = 'HELIO_SAMPLES'
const MIN_SERVER_VERSION = [2, 14] as const
const STREAM_SUBJECTS = [streamPattern('samples'), streamPattern('backlog')]
const DAY_MS = 24 * 3_600_000
/** Asked for at once: the server sends no more than `maxPending` in any case. */
const MAX_PULL_MESSAGES = 100

/** Starts at once, whether or not the bus is connected, and goes on for ever. */
export function startStreamFeed(options: StreamFeedOptions): StreamFeed {
  return new DurableFeed(options)
}

/** True below 2.14, the oldest server that is trusted with a fleet's data; also for what is no version. */
export function isOldServer(version: string): boolean {
  const parts = /^(\d+)\.(\d+)\./.exec(version)
  if (parts === null) return true
  const [major, minor] = [Number(parts[1]), Number(parts[2])]
  return major < MIN_SERVER_VERSION[0] || (major === MIN_SERVER_VERSION[0] && minor < MIN_SERVER_VERSION[1])
}

class DurableFeed implements StreamFeed {
  state: StreamFeedState = 'waiting'
  readonly stats = { delivered: 0, redelivered: 0, acked: 0, naked: 0 }
  pending = 0
  readonly #options: StreamFeedOptions
  readonly #name: string
  readonly #sessions: NatsSessions
  #lastWarning = ''

  constructor(options: StreamFeedOptions) {
    this.#options = options
    this.#name = options.stream ?? STREAM_NAME
    this.#sessions = new NatsSessions({
      bus: options.bus,
      retryMs: options.retryMs ?? 1_000,
      serve: (connection) => this.#consume(connection),
      onError: (error) =>
        this.#warn(`Cannot read stream ${this.#name}: ${error instanceof Error ? error.message : String(error)}`),
      onPause: () => {
        this.state = 'waiting'
      },
    })
  }

  stop(): Promise<void> {
    this.state = 'stopped'
    return this.#sessions.stop()
  }

  /** Until the connection, the consumer or the feed ends. */
  async #consume(connection: NatsConnection): Promise<void> {
    const version = connection.info?.version ?? ''
    if (isOldServer(version))
      this.#warn(`NATS server ${version} is older than 2.14: data may be lost when it fails; upgrade it`)
    const manager = await jetstreamManager(connection)
    await this.#ensureStream(manager)
    await this.#ensureConsumer(manager)
    const consumer = await jetstream(connection).consumers.get(this.#name, this.#options.durable)
    const session = { isLive: true }
    this.pending = 0
    const messages: ConsumerMessages = await consumer.consume({
      max_messages: Math.min(MAX_PULL_MESSAGES, this.#options.maxPending ?? 256),
      abort_on_missing_resource: true,
      callback: (message) => this.#hand(message, session),
    })
    if (!this.#sessions.isStopped) {
      this.state = 'running'
      this.#lastWarning = ''
    }
    const ended = await Promise.race([messages.closed(), connection.closed(), this.#sessions.stopped])
    session.isLive = false
    await messages.close()
    if (ended instanceof Error) throw ended
  }

  #hand(message: JsMsg, session: { readonly isLive: boolean }): void {
    this.stats.delivered++
    if (message.redelivered) this.stats.redelivered++
    this.pending++
    let isDone = false
    /** False when it was said before, or the connection is gone: then the message comes again. */
    const mayAnswer = (): boolean => {
      if (isDone || !session.isLive) return false
      isDone = true
      this.pending--
      return true
    }
    const done: MessageDone = {
      ack: () => {
        if (!mayAnswer()) return
        message.ack()
        this.stats.acked++
      },
      nak: (delayMs) => {
        if (!mayAnswer()) return
        message.nak(delayMs)
        this.stats.naked++
      },
    }
    try {
      this.#options.onMessage(toBusMessage(message), done)
    } catch (error) {
      this.#warn(`Handler of ${message.subject} failed: ${error instanceof Error ? error.message : String(error)}`)
      done.nak(this.#options.retryMs ?? 1_000)
    }
  }

  async #ensureStream(manager: JetStreamManager): Promise<void> {
    const { maxAgeMs = DAY_MS, maxBytes, replicas } = this.#options
    const wanted = {
      subjects: STREAM_SUBJECTS,
      max_age: nanos(maxAgeMs),
      ...(maxBytes === undefined ? {} : { max_bytes: maxBytes }),
      ...(replicas === undefined ? {} : { num_replicas: replicas }),
    }
    const known = await orNull(manager.streams.info(this.#name))
    if (known === null) {
      await manager.streams.add({
        name: this.#name,
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        ...wanted,
      })
      return
    }
    const { config } = known
    if (config.retention !== RetentionPolicy.Limits || config.storage !== StorageType.File)
      this.#warn(`Stream ${this.#name} has ${config.retention} retention in ${config.storage}: expected limits, file`)
    if (differs(config, wanted)) await manager.streams.update(this.#name, { ...config, ...wanted })
  }

  async #ensureConsumer(manager: JetStreamManager): Promise<void> {
    const { durable, subjects, maxPending = 256, ackWaitMs = 30_000 } = this.#options
    const wanted = {
      // Without a filter where none is needed: servers before 2.10 know no list of them.
      ...(subjects && { filter_subjects: [...subjects] }),
      max_ack_pending: maxPending,
      ack_wait: nanos(ackWaitMs),
    }
    const known = await orNull(manager.consumers.info(this.#name, durable))
    if (known === null)
      await manager.consumers.add(this.#name, {
        durable_name: durable,
        ack_policy: AckPolicy.Explicit,
        deliver_policy: DeliverPolicy.All,
        max_deliver: -1,
        ...wanted,
      })
    else if (differs(known.config, wanted)) await manager.consumers.update(this.#name, durable, wanted)
  }

  /** The same words once, not at every retry. */
  #warn(warning: string): void {
    if (warning === this.#lastWarning) return
    this.#lastWarning = warning
    this.#options.onWarning(warning)
  }
}

async function orNull<T>(info: Promise<T>): Promise<T | null> {
  try {
    return await info
  } catch (error) {
    if (error instanceof JetStreamApiError && error.status === 404) return null
    throw error
  }
}

function differs(
  config: Partial<StreamConfig> | Partial<ConsumerConfig>,
  wanted: Readonly<Record<string, unknown>>,
): boolean {
  const known = config as Readonly<Record<string, unknown>>
  return Object.entries(wanted).some(([name, value]) => JSON.stringify(known[name]) !== JSON.stringify(value))
}

/** `reply` is empty: it is JetStream's own; the publisher had its PubAck. */
function toBusMessage(message: JsMsg): BusMessage {
  let headers: Record<string, string> | null = null
  if (message.headers !== undefined) {
    headers = {}
    for (const name of message.headers.keys()) headers[name] = message.headers.values(name).join(', ')
  }
  return { subject: message.subject, reply: '', payload: message.data, headers }
}
