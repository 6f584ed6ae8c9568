/**
 * The body of one answer on its way into memory: inflated when it is gzip, never more than the limit of either form.
 *
 * A small gzip body is inflated in one call once it is whole, which takes a tenth of the time that streams take; a large
 * one, or one that turns out larger than its trailer says, piece by piece (net-gunzip.ts).
 */
import { type HttpRequest, NetError } from '../../protocol/env/mod.ts'
import { type BodyPool, type ByteCollector, SMALL_BODY_BYTES } from './net-collector.ts'
import { freeBytes } from './net-free-bytes.ts'
import { type Gunzipper, openGunzip } from './net-gunzip.ts'
import type { Inflater } from './net-inflate.ts'

/** Inflated in one call up to here. */
const ONE_SHOT_BYTES = 1024 * 1024
/** A page compresses ten-fold: what is larger when compressed will not pass for small. */
const ONE_SHOT_COMPRESSED_BYTES = 192 * 1024
/** What does not compress grows a little; more than that is empty blocks or members, which say nothing for ever. */
const GZIP_GROWTH = 1 + 1 / 64
const GZIP_GROWTH_BYTES = 64 * 1024
/**
 * Node and Bun let whoever awaits an answer run before they tell of the next socket. Deno tells of all that have
 * something in one turn: there, each body has memory of its own.
 */
const CAN_BORROW = !('deno' in process.versions)

export type BodyRules = {
  readonly maxBodyBytes: number
  /** The body may be overwritten by the next exchange: it is read before the next turn of the event loop. */
  readonly borrowBody?: boolean
  readonly onChunk?: (chunk: Uint8Array) => void
  /** As `HttpRequest.judge`, of this answer's headers. */
  readonly judge?: (piece: Uint8Array) => boolean
}

/** What a request says of the body of its answer. */
export type BodyWishes = Omit<BodyRules, 'judge'> & Pick<HttpRequest, 'judge'>

export type BodyMemory = { readonly bodies: BodyPool; readonly inflater: Inflater }

/** What a body tells its exchange. */
export type BodyEvents = {
  readonly done: (body: Uint8Array) => void
  readonly fail: (error: NetError) => void
  /** The peer may send again. */
  readonly resume: () => void
}

export interface BodySink {
  /** @param piece borrowed until the call returns. False: wait for `resume` */
  push(piece: Uint8Array): boolean
  /** The peer has sent everything. `done` or `fail` follows, perhaps later. */
  end(): void
  /** Nothing more will be asked of it: gives the memory back. */
  discard(): void
}

/** @param expectedBytes what the peer declared, 0 when it did not */
export function bodySink(
  isGzip: boolean,
  expectedBytes: number,
  rules: BodyRules,
  memory: BodyMemory,
  events: BodyEvents,
): BodySink {
  if (!isGzip) return new PlainBody(expectedBytes, rules, memory, events)
  return new GzipBody(expectedBytes, rules, memory, events)
}

/** @param bytes of the body, as the peer declared them; 0 when it did not. @throws NetError for more than may come */
export function answerSink(
  { status, headers, bytes }: { status: number; headers: Readonly<Record<string, string>>; bytes: number },
  { maxBodyBytes, borrowBody = false, onChunk, judge }: BodyWishes,
  memory: BodyMemory,
  events: BodyEvents,
): BodySink {
  const encoding = (headers['content-encoding'] ?? '').toLowerCase()
  const isGzip = encoding === 'gzip' || encoding === 'x-gzip'
  if (!isGzip && bytes > maxBodyBytes) throw bodyTooLarge(maxBodyBytes)
  const rules = {
    maxBodyBytes,
    borrowBody: borrowBody && CAN_BORROW,
    ...(onChunk !== undefined && status === 200 && { onChunk }),
    ...(judge !== undefined && status === 200 && { judge: (piece: Uint8Array) => judge(piece, headers) }),
  }
  return bodySink(isGzip, bytes, rules, memory, events)
}

export function bodyTooLarge(maxBodyBytes: number): NetError {
  return new NetError('BODY_TOO_LARGE', `Body is larger than the limit of ${maxBodyBytes} bytes`)
}

class PlainBody implements BodySink {
  readonly #rules: BodyRules
  readonly #events: BodyEvents
  readonly #collector: ByteCollector
  #bytes = 0
  /** Its memory is somebody else's by now; only its length counts. */
  #isUseless = false

  constructor(expectedBytes: number, rules: BodyRules, memory: BodyMemory, events: BodyEvents) {
    this.#rules = rules
    this.#events = events
    const { maxBodyBytes, borrowBody = false } = rules
    this.#collector = memory.bodies.collector(maxBodyBytes, expectedBytes, () => events.fail(tooMany()), borrowBody)
  }

  push(piece: Uint8Array): boolean {
    const { onChunk, judge, maxBodyBytes } = this.#rules
    if (onChunk === undefined) {
      if (judge !== undefined) this.#judge(piece, judge)
      const isWithin = this.#isUseless ? this.#bytes <= maxBodyBytes : this.#collector.push(piece)
      if (!isWithin) this.#events.fail(bodyTooLarge(maxBodyBytes))
      return true
    }
    try {
      onChunk(piece)
    } catch (error) {
      this.#events.fail(new NetError('REFUSED_BODY', (error as Error).message, { cause: error }))
    }
    return true
  }

  #judge(piece: Uint8Array, judge: (piece: Uint8Array) => boolean): void {
    const before = this.#bytes
    this.#bytes += piece.length
    if (this.#bytes <= SMALL_BODY_BYTES) return
    let isUseful = before > SMALL_BODY_BYTES || before === 0 || judge(this.#collector.held())
    if (!judge(piece)) isUseful = false
    if (isUseful || this.#isUseless) return
    this.#isUseless = true
    this.#collector.discard()
  }

  end(): void {
    this.#events.done(this.#isUseless ? new Uint8Array(0) : this.#collector.finish())
  }

  discard(): void {
    this.#collector.discard()
  }
}

class GzipBody implements BodySink {
  readonly #rules: BodyRules
  readonly #memory: BodyMemory
  readonly #events: BodyEvents
  /** The compressed bytes, as long as they are few. */
  readonly #compressed: ByteCollector
  #compressedBytes = 0
  /** Where they go once they are many, and what comes of them. */
  #large: Gunzipper | null = null
  #plain: PlainBody | null = null

  constructor(expectedBytes: number, rules: BodyRules, memory: BodyMemory, events: BodyEvents) {
    this.#rules = rules
    this.#memory = memory
    this.#events = events
    this.#compressed = memory.bodies.collector(ONE_SHOT_COMPRESSED_BYTES, expectedBytes, () => {}, true)
    if (rules.onChunk !== undefined) this.#openLarge()
  }

  push(piece: Uint8Array): boolean {
    const { maxBodyBytes } = this.#rules
    this.#compressedBytes += piece.length
    if (this.#compressedBytes > maxBodyBytes * GZIP_GROWTH + GZIP_GROWTH_BYTES) {
      this.#events.fail(bodyTooLarge(maxBodyBytes))
      return true
    }
    if (this.#large !== null) return this.#large.write(piece)
    if (this.#compressed.push(piece)) return true
    const large = this.#openLarge()
    large.write(this.#compressed.finish())
    return large.write(piece)
  }

  end(): void {
    if (this.#large !== null) this.#large.end()
    // A 204 or an answer to HEAD may claim an encoding and carry nothing.
    else if (this.#compressedBytes === 0) this.#events.done(new Uint8Array(0))
    else this.#inflateWhole(this.#compressed.finish())
  }

  discard(): void {
    this.#compressed.discard()
    this.#large?.close()
    this.#plain?.discard()
  }

  #inflateWhole(compressed: Uint8Array): void {
    const { maxBodyBytes, borrowBody = false } = this.#rules
    try {
      const body = this.#memory.inflater.inflate(compressed, Math.min(ONE_SHOT_BYTES, maxBodyBytes))
      if (body === 'large') this.#inflateLarge(compressed)
      else this.#events.done(borrowBody ? body : body.slice())
    } catch (error) {
      this.#events.fail(badGzip(error as Error))
    }
  }

  #inflateLarge(compressed: Uint8Array): void {
    // Its memory is free to be the inflated body's.
    const bytes = compressed.slice()
    const large = this.#openLarge()
    large.write(bytes)
    large.end()
    freeBytes(bytes)
  }

  #openLarge(): Gunzipper {
    const plain = new PlainBody(0, this.#rules, this.#memory, this.#events)
    this.#plain = plain
    this.#large = openGunzip({
      data: (bytes) => void plain.push(bytes),
      end: () => plain.end(),
      fail: (error) => this.#events.fail(badGzip(error)),
      drain: this.#events.resume,
    })
    return this.#large
  }
}

function badGzip(error: Error): NetError {
  return new NetError('BAD_ENCODING', `gzip: ${error.message}`, { cause: error })
}

function tooMany(): NetError {
  return new NetError('TOO_MANY_BYTES', 'Too many large bodies are being read at once, and this one was the largest')
}
