/**
 * Results as the bytes that Prometheus would send. One growing buffer of ASCII and UTF-8; no string of the whole
 * answer is ever built. Semantics: Prometheus web/api/v1/json_codec.go, util/jsonutil/marshal.go.
 */
import { formatFloat, type Histogram } from '../../protocol/samples/mod.ts'
import { allBuckets, type Bucket } from '../promql/engine/mod.ts'
import { ApiError } from './contract.ts'
import { PointWriter } from './float-points.ts'
import type { StepTimes } from './step-times.ts'

const encoder = new TextEncoder()
const FIRST_BYTES = 1 << 14
/** Of the buffer that a thread keeps from one answer to the next. */
const KEPT_BYTES_MAX = 1 << 20
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

/** Of this thread: memory that has been touched already, for growing into new pages takes a quarter of a long list's time. */
let spare: Uint8Array<ArrayBuffer> | null = null

/** Of this thread. Fewer points are sooner written one by one. */
let points: PointWriter | null = null
const KERNEL_FROM = 16

/** Lists that have been written: null once, their bytes from the second time on. */
const keptLists = new WeakMap<readonly string[], Uint8Array | null>()

function takeSpare(): Uint8Array<ArrayBuffer> {
  const bytes = spare ?? new Uint8Array(FIRST_BYTES)
  spare = null
  return bytes
}

export class JsonWriter {
  #bytes = takeSpare()
  #length = 0
  /** The last labels, where they stand, and how far behind that each pair of them ends. */
  #last: readonly string[] = []
  #lastAt = 0
  #lastEnds: number[] = []

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

  /** With commas between, as many as you like to build one string of. Hot: bench/query, the label values. */
  strings(texts: readonly string[]): this {
    let list = JSON.stringify(texts)
    // A lone surrogate, or text that looks like one.
    if (list.includes('\\ud')) list = JSON.stringify(texts.map((text) => text.toWellFormed()))
    return this.raw(list.slice(1, -1))
  }

  /**
   * As `strings`, of a list that is likely to come again as the same array: from the second time on its bytes are kept for
   * as long as it is. Hot: bench/query, the label values.
   */
  keptStrings(texts: readonly string[]): this {
    const kept = keptLists.get(texts)
    if (kept === undefined) {
      keptLists.set(texts, null)
      return this.strings(texts)
    }
    if (kept !== null) return this.bytes(kept)
    const from = this.#length
    this.strings(texts)
    keptLists.set(texts, this.#bytes.slice(from, this.#length))
    return this
  }

  /** Of JSON. */
  bytes(bytes: Uint8Array): this {
    if (this.#length + bytes.length > this.#bytes.length) this.#grow(bytes.length)
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
    return this
  }

  /**
   * `{"name":"value",…}` of a flat label array. Series come sorted: what this one begins like the last one is copied.
   * Hot: bench/query, the series of a namespace.
   */
  labels(labels: readonly string[]): this {
    const start = this.#length
    const same = this.#copyOfLast(labels)
    if (same === 0) this.raw('{')
    const ends = this.#lastEnds
    for (let i = same; i < labels.length; i += 2) {
      if (i > 0) this.raw(',')
      this.string(labels[i]!)
        .raw(':')
        .string(labels[i + 1]!)
      ends[i >> 1] = this.#length - start
    }
    this.#last = labels
    this.#lastAt = start
    return this.raw('}')
  }

  /** Copies the bracket and the pairs that the last labels began with, too. @returns how many texts those have */
  #copyOfLast(labels: readonly string[]): number {
    const last = this.#last
    const most = Math.min(labels.length, last.length)
    let same = 0
    while (same < most && labels[same] === last[same] && labels[same + 1] === last[same + 1]) same += 2
    if (same === 0) return 0
    const size = this.#lastEnds[(same >> 1) - 1]!
    if (this.#length + size > this.#bytes.length) this.#grow(size)
    this.#bytes.copyWithin(this.#length, this.#lastAt, this.#lastAt + size)
    this.#length += size
    return same
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
   * `[time,"value"]` at a step, after a comma unless it is the first. Hot: bench/query, the memory of all hosts. Strings
   * are made of values that are no small integers only, and none is kept.
   * @param values one a step: a number alone would be an object on its way here
   */
  stepPoint({ bytes: times, starts }: StepTimes, step: number, values: Float64Array, isFirst: boolean): void {
    const value = values[step]!
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

  /** The floats of a column, as `stepPoint` writes each. Hot: bench/query, the error ratio. */
  stepPoints(times: StepTimes, values: Float64Array, present: Uint8Array): void {
    const steps = present.length
    const kernel = steps < KERNEL_FROM ? null : (points ??= new PointWriter())
    let isFirst = true
    let loaded = 0
    // What the kernel does not write is soon left to the loop: columns are of one kind, mostly.
    let patience = 1
    for (let step = 0; step < steps; patience *= 2) {
      if (kernel !== null) {
        if (step === loaded) loaded = kernel.load(times, values, present, step)
        step = kernel.write(step, isFirst)
        if (this.#append(kernel.text)) isFirst = false
      }
      const until = kernel === null ? steps : Math.min(loaded, step + patience)
      for (; step < until; step++) {
        if (present[step] !== 1) continue
        this.stepPoint(times, step, values, isFirst)
        isFirst = false
      }
    }
  }

  #append(text: Uint8Array): boolean {
    if (this.#length + text.length > this.#bytes.length) this.#grow(text.length)
    this.#bytes.set(text, this.#length)
    this.#length += text.length
    return text.length > 0
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

  /** The bytes, at the beginning of a buffer of their own that can be transferred; the writer is empty then, and at its end. */
  finish(): Uint8Array {
    const bytes = this.#bytes
    const isKept = bytes.length <= KEPT_BYTES_MAX
    // The end of a large buffer stays: V8 copies what a transfer makes shorter, 0.2 s for 50 MB.
    const out = isKept ? bytes.slice(0, this.#length) : bytes.subarray(0, this.#length)
    if (isKept) spare = bytes
    this.#bytes = new Uint8Array(0)
    this.#length = 0
    this.#last = []
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

/** All digits, however many. As Go's strconv.FormatFloat(value, 'f', -1, 64). */
export function formatPlainFloat(value: number): string {
  const text = formatJsonFloat(value)
  const [, sign, first, rest = '', exponent] = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? []
  if (first === undefined) return text
  const digits = first + rest
  const point = 1 + Number(exponent)
  return sign + (point > 0 ? digits.padEnd(point, '0') : `0.${digits.padStart(digits.length - point, '0')}`)
}
