/**
 * Results as the bytes that Prometheus would send. One growing buffer of ASCII and UTF-8; no string of the whole
 * answer is ever built. Semantics: Prometheus web/api/v1/json_codec.go, util/jsonutil/marshal.go.
 */
import { formatFloat, type Histogram } from '../../protocol/samples/mod.ts'
import { allBuckets, type Bucket } from '../promql/engine/mod.ts'
import { ApiError } from './contract.ts'

const encoder = new TextEncoder()
const FIRST_BYTES = 1 << 16
/** One buffer, one message to the main thread, one response. */
export const MAX_ANSWER_BYTES = 512 << 20

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

  /** The bytes so far, in a buffer of their own that can be transferred. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
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
