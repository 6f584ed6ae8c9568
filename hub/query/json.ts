/**
 * Results as the bytes that Prometheus would send. One growing buffer of ASCII and UTF-8; no string of the whole
 * answer is ever built. Semantics: Prometheus web/api/v1/json_codec.go, util/jsonutil/marshal.go.
 */
import { formatFloat, type Histogram } from '../../protocol/samples/mod.ts'
import { allBuckets, type Bucket } from '../promql/engine/mod.ts'
import { ApiError } from './contract.ts'
import type { StepTimes } from './step-times.ts'

const encoder = new TextEncoder()
const FIRST_BYTES = 1 << 13
/** One buffer, one message to the main thread, one response. */
export const MAX_ANSWER_BYTES = 512 << 20

const COMMA = 0x2c
const OPEN = 0x5b
const CLOSE = 0x5d
const QUOTE = 0x22
const ZERO = 0x30
const BACKSLASH = 0x5c
/** Most labels are short and plain: a loop beats two calls of the runtime. */
const SHORT_TEXT = 64
/** Integers below have at most nine digits. */
const SMALL = 1e9
/** Integers below are exact, and have at most 15 digits. */
const LARGE = 1e15
/** More than brackets, quotes, commas and a float take. */
const POINT_BYTES = 64

/** How a bucket's edges are written, by `edges`: open, [lower, (…] and both. */
const BOUNDARIES = ['2', '1', '0', '3'] as const

const edges = ({ lowerInclusive, upperInclusive }: Bucket): number =>
  (lowerInclusive ? 1 : 0) + (upperInclusive ? 2 : 0)

export class JsonWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #length = 0

  /** Text that is JSON already (or for `/federate`, that is text). */
  raw(text: string): this {
    const most = text.length * 3
    if (this.#length + most > this.#bytes.length) this.#grow(most)
    const bytes = this.#bytes
    // Numbers, punctuation and most labels are ASCII: a loop beats the encoder's call on short pieces.
    if (text.length < 48) {
      let at = this.#length
      let i = 0
      for (; i < text.length; i++) {
        const code = text.charCodeAt(i)
        if (code > 127) break
        bytes[at++] = code
      }
      if (i === text.length) {
        this.#length = at
        return this
      }
    }
    this.#length += encoder.encodeInto(text, bytes.subarray(this.#length)).written
    return this
  }

  string(text: string): this {
    if (text.length < SHORT_TEXT) {
      if (this.#length + text.length + 2 > this.#bytes.length) this.#grow(text.length + 2)
      const bytes = this.#bytes
      let at = this.#length
      bytes[at++] = QUOTE
      let i = 0
      for (; i < text.length; i++) {
        const code = text.charCodeAt(i)
        if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) break
        bytes[at++] = code
      }
      if (i === text.length) {
        bytes[at++] = QUOTE
        this.#length = at
        return this
      }
    }
    // What was no UTF-8 came in as lone surrogates.
    return this.raw(JSON.stringify(text.toWellFormed()))
  }

  /** `{"name":"value",…}` of a flat label array. */
  labels(labels: readonly string[]): this {
    this.raw('{')
    for (let i = 0; i < labels.length; i += 2) {
      if (i > 0) this.raw(',')
      this.string(labels[i]!)
        .raw(':')
        .string(labels[i + 1]!)
    }
    return this.raw('}')
  }

  /** Seconds with three decimals where there are any. */
  timestamp(ms: number | bigint): this {
    return this.raw(formatTimestamp(ms))
  }

  float(value: number): this {
    return this.raw(`"${formatJsonFloat(value)}"`)
  }

  point(ms: number | bigint, value: number): this {
    return this.raw('[').timestamp(ms).raw(',').float(value).raw(']')
  }

  /**
   * `[time,"value"]` at a step, after a comma unless it is the first. Hot: bench/query/encode.bench.ts. Strings are made
   * of values that are no small integers only, and none is kept.
   */
  stepPoint({ bytes: times, starts }: StepTimes, step: number, value: number, isFirst: boolean): void {
    const from = starts[step]!
    const until = starts[step + 1]!
    if (this.#length + until - from + POINT_BYTES > this.#bytes.length) this.#grow(until - from + POINT_BYTES)
    const out = this.#bytes
    let at = this.#length
    if (!isFirst) out[at++] = COMMA
    out[at++] = OPEN
    for (let i = from; i < until; i++) out[at++] = times[i]!
    out[at++] = COMMA
    out[at++] = QUOTE
    if (value >= 0 && value < LARGE && Math.floor(value) === value && !Object.is(value, -0)) {
      if (value < SMALL) at = writeInteger(out, at, value)
      else {
        // Both halves are exact, as all whole numbers below 2^53 are.
        const high = Math.floor(value / SMALL)
        at = writeNineDigits(out, writeInteger(out, at, high), value - high * SMALL)
      }
    } else {
      const text = formatJsonFloat(value)
      for (let i = 0; i < text.length; i++) out[at++] = text.charCodeAt(i)
    }
    out[at++] = QUOTE
    out[at++] = CLOSE
    this.#length = at
  }

  histogramPoint(ms: number, histogram: Histogram): this {
    this.raw('[').timestamp(ms).raw(',{"count":').float(histogram.count).raw(',"sum":').float(histogram.sum)
    let written = 0
    for (const bucket of allBuckets(histogram)) {
      if (bucket.count === 0) continue
      this.raw(written++ === 0 ? ',"buckets":[[' : ',[')
        .raw(BOUNDARIES[edges(bucket)]!)
        .raw(',')
        .float(bucket.lower)
        .raw(',')
        .float(bucket.upper)
        .raw(',')
        .float(bucket.count)
        .raw(']')
    }
    return this.raw(written > 0 ? ']}]' : '}]')
  }

  /** The bytes, in a buffer of their own that can be transferred; the writer is empty then, and at its end. */
  finish(): Uint8Array {
    // No second copy of what may be half a gigabyte.
    const out = new Uint8Array(this.#bytes.buffer.transfer(this.#length))
    this.#bytes = new Uint8Array(0)
    this.#length = 0
    return out
  }

  /** @throws ApiError 'execution' past MAX_ANSWER_BYTES */
  #grow(more: number): void {
    if (this.#length + more > MAX_ANSWER_BYTES) {
      throw new ApiError(
        'execution',
        `the answer exceeds ${MAX_ANSWER_BYTES} bytes; ask for fewer series, larger steps or a shorter range`,
      )
    }
    const next = new Uint8Array(Math.min(MAX_ANSWER_BYTES, Math.max(this.#bytes.length * 2, this.#length + more)))
    next.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = next
  }
}

/** @param value an integer in [0, SMALL); returns where the next byte goes */
function writeInteger(out: Uint8Array, at: number, value: number): number {
  let digits = 1
  for (let bound = 10; value >= bound; bound *= 10) digits++
  let rest = value
  for (let i = at + digits - 1; i >= at; i--) {
    const next = Math.floor(rest / 10)
    out[i] = ZERO + rest - next * 10
    rest = next
  }
  return at + digits
}

function writeNineDigits(out: Uint8Array, at: number, value: number): number {
  let rest = value
  for (let i = at + 8; i >= at; i--) {
    const next = Math.floor(rest / 10)
    out[i] = ZERO + rest - next * 10
    rest = next
  }
  return at + 9
}

/** Whole milliseconds; a bigint where a number would not hold them exactly. */
export function formatTimestamp(ms: number | bigint): string {
  if (typeof ms === 'bigint') {
    const digits = String(ms < 0n ? -ms : ms).padStart(4, '0')
    const fraction = digits.slice(-3) === '000' ? '' : `.${digits.slice(-3)}`
    return `${ms < 0n ? '-' : ''}${digits.slice(0, -3)}${fraction}`
  }
  const negative = ms < 0
  const magnitude = Math.abs(ms)
  const fraction = magnitude % 1000
  const whole = (negative ? '-' : '') + String((magnitude - fraction) / 1000)
  return fraction === 0 ? whole : `${whole}.${String(fraction).padStart(3, '0')}`
}

/** Plain decimals between 1e-6 and 1e21, else an exponent of at least two digits, as Go prints. */
export function formatJsonFloat(value: number): string {
  const magnitude = Math.abs(value)
  if (magnitude !== 0 && (magnitude < 1e-6 || magnitude >= 1e21) && magnitude !== Infinity) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  return formatFloat(value)
}
