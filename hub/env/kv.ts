/**
 * Buckets of a cluster in JetStream's key-value store. A bucket is there from the start and outlives connections: after
 * each one it is made anew if it is gone, and every watch tells all that there is again.
 */
import {
  type ConsumerMessages,
  DeliverPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JsMsg,
  jetstream,
  type PushConsumer,
  StorageType,
} from '@nats-io/jetstream'
import { type KV, Kvm, type KvEntry as NatsKvEntry } from '@nats-io/kv'
import type { NatsConnection } from '@nats-io/nats-core'
import type { NatsBus } from '../../agent/env/nats-bus.ts'
import { type KvBucket, type KvEntry, KvError, type KvListener, type KvWatch } from '../cluster/mod.ts'
import { isOldServer } from './jetstream.ts'
import { NatsSessions } from './nats-sessions.ts'

export type NatsKvOptions = {
  readonly bus: NatsBus
  /** Letters, digits, `-`, `_`. */
  readonly bucket: string
  /** Entries are gone at that age. Default: they are kept. */
  readonly maxAgeMs?: number
  /** Of one call. Default 2 s. */
  readonly timeoutMs?: number
  /** Pause after a failure to set up; default 1 s. */
  readonly retryMs?: number
  /** Failures to set up and old servers, each once: for the log. */
  readonly onWarning: (warning: string) => void
}

export interface NatsKv extends KvBucket {
  stop(): Promise<void>
}

/** Marks of deleted keys are kept for so long; whoever was away longer compares everything. */
const DELETED_TTL = '1h'
const DELETED_TTL_MS = 3_600_000
/** More than a put's headers have. */
const HEADERS_BYTES = 256
const IN_STEP_POLL_MS = 500

/** Starts at once, whether or not the bus is connected, and goes on for ever. */
export function openNatsKv(options: NatsKvOptions): NatsKv {
  return new JetStreamBucket(options)
}

type Wish = { readonly prefix: string; readonly listener: KvListener; live: ConsumerMessages | null }
type Session = { readonly connection: NatsConnection; readonly kv: KV; readonly broken: PromiseWithResolvers<void> }

class JetStreamBucket implements NatsKv {
  readonly #options: NatsKvOptions
  readonly #wishes = new Set<Wish>()
  readonly #sessions: NatsSessions
  #session: Session | null = null
  #lastWarning = ''
  /** Else marks of deleted entries end with all others, or (of old servers) never. */
  #marksEnd = false

  constructor(options: NatsKvOptions) {
    this.#options = options
    this.#sessions = new NatsSessions({
      bus: options.bus,
      retryMs: options.retryMs ?? 1_000,
      serve: (connection) => this.#serve(connection),
      onError: (error) => this.#warn(`Cannot use bucket ${options.bucket}: ${messageOf(error)}`),
    })
  }

  async get(key: string): Promise<KvEntry | null> {
    const entry = await this.#call((kv) => kv.get(key))
    if (entry === null || isGone(entry)) return null
    return { key, value: new TextDecoder().decode(entry.value), revision: entry.revision }
  }

  put(key: string, value: string, expected: number): Promise<number | null> {
    const { maxPayloadBytes } = this.#options.bus
    const sizeBytes = Buffer.byteLength(value) + HEADERS_BYTES
    if (sizeBytes > maxPayloadBytes)
      return Promise.reject(
        new KvError(`Entry "${key}" of ${sizeBytes} bytes is above the max_payload of NATS, ${maxPayloadBytes}`),
      )
    return this.#call(async (kv) => {
      const put = (previousSeq: number) => orConflict(kv.put(key, value, { previousSeq }))
      const revision = await put(expected)
      if (revision !== null || expected > 0) return revision
      // The mark of a deleted entry is the key's last message, but to a writer there is none.
      const entry = await kv.get(key)
      return entry && isGone(entry) ? put(entry.revision) : null
    })
  }

  async delete(key: string, expected: number): Promise<boolean> {
    const options = { previousSeq: expected, ...(this.#marksEnd && { ttl: DELETED_TTL }) }
    const done = await this.#call((kv) => orConflict(kv.purge(key, options).then(() => 1)))
    return done !== null
  }

  watch(prefix: string, listener: KvListener): KvWatch {
    const wish: Wish = { prefix, listener, live: null }
    this.#wishes.add(wish)
    if (this.#session) this.#begin(wish, this.#session)
    return {
      stop: () => {
        this.#wishes.delete(wish)
        void wish.live?.close()
      },
    }
  }

  stop(): Promise<void> {
    return this.#sessions.stop()
  }

  get #timeoutMs(): number {
    return this.#options.timeoutMs ?? 2_000
  }

  async #call<T>(ask: (kv: KV) => Promise<T>): Promise<T> {
    const session = this.#session
    if (session === null) throw new KvError(`Bucket ${this.#options.bucket} is away`)
    try {
      return await ask(session.kv)
    } catch (error) {
      // A stream that is gone is made anew by the next session.
      if (!isTimeout(error)) session.broken.resolve()
      throw new KvError(`Bucket ${this.#options.bucket} did not answer: ${messageOf(error)}`, { cause: error })
    }
  }

  /** Until the connection or the bucket ends. */
  async #serve(connection: NatsConnection): Promise<void> {
    const version = connection.info?.version ?? ''
    const isOld = isOldServer(version)
    if (isOld) this.#warn(`NATS server ${version} is older than 2.14: alerts may be told twice; upgrade it`)
    const { bucket, maxAgeMs } = this.#options
    this.#marksEnd = !isOld && maxAgeMs === undefined
    const kv = await new Kvm(jetstream(connection, { timeout: this.#timeoutMs })).create(bucket, {
      history: 1,
      storage: StorageType.File,
      // What is read after a lost race must be what won it, not what some replica has.
      allow_direct: false,
      ...(maxAgeMs !== undefined && { ttl: maxAgeMs }),
      ...(this.#marksEnd && { markerTTL: DELETED_TTL_MS }),
    })
    const session: Session = { connection, kv, broken: Promise.withResolvers() }
    this.#session = session
    for (const wish of this.#wishes) this.#begin(wish, session)
    await Promise.race([connection.closed(), session.broken.promise, this.#sessions.stopped])
    this.#session = null
    for (const wish of this.#wishes) {
      void wish.live?.close()
      wish.live = null
      wish.listener.onAway()
    }
  }

  #begin(wish: Wish, session: Session): void {
    this.#follow(wish, session).catch((error) => {
      this.#warn(`Cannot watch bucket ${this.#options.bucket}: ${messageOf(error)}`)
      session.broken.resolve()
    })
  }

  async #follow(wish: Wish, session: Session): Promise<void> {
    const subject = `$KV.${this.#options.bucket}.`
    const isLive = (): boolean => this.#session === session && this.#wishes.has(wish)
    const consumer = await jetstream(session.connection).consumers.getPushConsumer(`KV_${this.#options.bucket}`, {
      filter_subjects: `${subject}${wish.prefix}.>`,
      deliver_policy: DeliverPolicy.LastPerSubject,
    })
    let isSynced = false
    const synced = (): void => {
      if (isSynced || !isLive()) return
      isSynced = true
      this.#lastWarning = ''
      wish.listener.onSynced()
    }
    const messages = await consumer.consume({
      abort_on_missing_resource: true,
      callback: (message) => {
        if (!isLive()) return
        wish.listener.onEntry(entryOf(message, subject))
        if (message.info.pending === 0) synced()
      },
    })
    wish.live = messages
    if (!isLive()) return void messages.close()
    void messages.closed().then(() => isLive() && session.broken.resolve())
    void endWhenInterrupted(messages, session)
    if ((await consumer.info(true)).num_pending === 0) synced()
    else await this.#untilInStep(consumer, isLive, () => isSynced, synced)
  }

  /** What was pending may be replaced, or come to its end, before it is told: then its own last message says nothing. */
  async #untilInStep(
    consumer: PushConsumer,
    isLive: () => boolean,
    isSynced: () => boolean,
    synced: () => void,
  ): Promise<void> {
    while (isLive() && !isSynced()) {
      await this.#sessions.pause(IN_STEP_POLL_MS)
      if (!isLive() || isSynced()) return
      if ((await consumer.info()).num_pending === 0) synced()
    }
  }

  /** The same words once, not at every retry. */
  #warn(warning: string): void {
    if (warning === this.#lastWarning || this.#sessions.isStopped) return
    this.#lastWarning = warning
    this.#options.onWarning(warning)
  }
}

/** A consumer that had to be made anew may have missed what a stream that was made anew has. */
async function endWhenInterrupted(messages: ConsumerMessages, { broken }: Session): Promise<void> {
  for await (const { type } of messages.status())
    if (type === 'heartbeats_missed' || type === 'ordered_consumer_recreated') broken.resolve()
}

function entryOf(message: JsMsg, subject: string): KvEntry {
  const { data, seq } = message
  // Marks of deleted entries, ours and the server's, are empty.
  const value = data.length === 0 ? null : new TextDecoder().decode(data)
  return { key: message.subject.slice(subject.length), value, revision: seq }
}

/** Deleted. The server's own mark of what came to its end is an empty entry, which none of ours is. */
const isGone = ({ operation, length }: NatsKvEntry): boolean => operation !== 'PUT' || length === 0

async function orConflict(put: Promise<number>): Promise<number | null> {
  try {
    return await put
  } catch (error) {
    const { StreamWrongLastSequence, StreamWrongLastSequenceUnknown } = JetStreamApiCodes
    const conflicts: readonly number[] = [StreamWrongLastSequence, StreamWrongLastSequenceUnknown]
    if (error instanceof JetStreamApiError && conflicts.includes(error.code)) return null
    throw error
  }
}

const isTimeout = (error: unknown): boolean => error instanceof Error && /timeout/i.test(error.message)
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
