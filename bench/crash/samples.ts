/**
 * What the crash tests send: samples of every kind, each a function of (series, number), and the text by which a served
 * one is compared with it, bit for bit. For four numbers all series are plain floats (with stale markers, in one of
 * them), so that requests take the short way into the log; for the next four each has its own kind.
 */
import {
  CUSTOM_BUCKETS_SCHEMA,
  EMPTY_HISTOGRAM,
  type Exemplar,
  type Histogram,
  isStaleAt,
  type Span,
  setStaleAt,
} from '../../protocol/samples/mod.ts'

/** By the number at the end of a series' name. */
const KINDS = ['float', 'stale', 'integer', 'fractional', 'custom', 'custom-fractional'] as const
type Kind = (typeof KINDS)[number]

/** Names of that many series, of all kinds in turn. */
export const mixedNames = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}-${i}`)

export type Sample =
  | { readonly type: 'float'; readonly value: number }
  | { readonly type: 'stale' }
  | { readonly type: 'histogram'; readonly histogram: Histogram }

export function sampleOf(series: string, n: number): Sample {
  const kind = kindOf(series)
  if (kind === 'stale' && n % 3 === 0) return { type: 'stale' }
  if (isPlain(n) || kind === 'float' || kind === 'stale') return { type: 'float', value: bitsOf(series, n) }
  return { type: 'histogram', histogram: n % 7 === 3 ? STALE : histogramOf(kind, series, n) }
}

/** Only floats and stale markers; exemplars may still be with them. */
export const isPlain = (n: number): boolean => (n & 4) === 0

/** Of some floats; null: none. */
export function exemplarOf(series: string, n: number, timestampMs: number): Exemplar | null {
  if (n % 4 !== 1 || kindOf(series) !== 'float') return null
  return { labels: ['trace_id', traceOf(series, n)], value: n / 3, timestampMs }
}

/** Whether an exemplar that is served is the one that was sent. */
export function isExemplarOf(exemplar: Exemplar, series: string, n: number): boolean {
  return exemplar.labels.join() === `trace_id,${traceOf(series, n)}` && exemplar.value === n / 3
}

const traceOf = (series: string, n: number): string => `${series}/${n}`
const kindOf = (series: string): Kind => KINDS[Number(series.slice(series.lastIndexOf('-') + 1)) % KINDS.length]!

/** Puts the float in its place; a histogram leaves its slot 0. */
export function putFloat(sample: Sample, values: Float64Array, at: number): void {
  if (sample.type === 'float') values[at] = sample.value
  else if (sample.type === 'stale') setStaleAt(new Uint32Array(values.buffer, values.byteOffset), at)
}

export function textOf(sample: Sample): string {
  if (sample.type === 'stale') return 'stale'
  return sample.type === 'float' ? numberText(sample.value) : histogramText(sample.histogram)
}

/** Of a float with its bits in a column. */
export const floatTextAt = (values: Float64Array, at: number): string =>
  isStaleAt(new Uint32Array(values.buffer, values.byteOffset), at) ? 'stale' : numberText(values[at]!)

/** Everything in it; of a stale one nothing else means anything. */
export function histogramText(h: Histogram): string {
  if (h.isStale) return 'stale histogram'
  const spans = (all: readonly Span[]): string => all.map(({ offset, length }) => `${offset}+${length}`).join(' ')
  const numbers = (all: readonly number[]): string => all.map(numberText).join(' ')
  const kind = `${h.isFloat ? 'float' : 'integer'} hint ${h.counterResetHint} schema ${h.schema}`
  const counts = `${numberText(h.count)} sum ${numberText(h.sum)} zero ${numberText(h.zeroThreshold)} ${numberText(h.zeroCount)}`
  const negative = `${spans(h.negativeSpans)}: ${numbers(h.negativeBuckets)}`
  return `${kind} count ${counts} [${spans(h.positiveSpans)}: ${numbers(h.positiveBuckets)}] [${negative}] {${numbers(h.customValues)}}`
}

/** Equal for equal bits, but for those of NaN, which is never sent. */
const numberText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value))

/** A double with any bits but those of a NaN, the same for the same arguments. */
export function bitsOf(series: string, n: number): number {
  const next = randomOf(series, n)
  const value = new Float64Array(Uint32Array.of(next(), next()).buffer)[0]!
  // Every third is a whole number: both kinds of chunks.
  return n % 3 === 0 || Number.isNaN(value) ? n : value
}

const STALE: Histogram = { ...EMPTY_HISTOGRAM, isFloat: false, isStale: true }

/** Layouts last for some numbers, as those of real ones do; gauges and counters, which now and then go down. */
function histogramOf(kind: Kind, series: string, n: number): Histogram {
  const layout = randomOf(`${series} layout`, Math.floor(n / 16))
  const next = randomOf(series, n)
  const isCustom = kind === 'custom' || kind === 'custom-fractional'
  const isFloat = kind === 'fractional' || kind === 'custom-fractional'
  const positiveSpans = spansOf(layout, isCustom ? 0 : (layout() % 40) - 20)
  const negativeSpans = isCustom ? [] : spansOf(layout, (layout() % 40) - 20)
  const countOf = (): number => (isFloat ? next() / 7 : next() % 5 === 0 ? next() * 64 : next() % 100)
  const bucketsOf = (spans: readonly Span[]): number[] => Array.from({ length: covered(spans, false) }, countOf)
  const positiveBuckets = bucketsOf(positiveSpans)
  const negativeBuckets = bucketsOf(negativeSpans)
  const zeroCount = isCustom ? 0 : countOf()
  return {
    isFloat,
    isStale: false,
    counterResetHint: layout() % 2 === 0 ? 3 : 0,
    schema: isCustom ? CUSTOM_BUCKETS_SCHEMA : (layout() % 13) - 4,
    zeroThreshold: isCustom ? 0 : 2 ** -(layout() % 200),
    zeroCount,
    count: [...positiveBuckets, ...negativeBuckets].reduce((sum, count) => sum + count, zeroCount),
    sum: bitsOf(`${series} sum`, n),
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
    customValues: isCustom
      ? Array.from({ length: covered(positiveSpans, true) }, (_, i) => i * 1.1 - 2 + layout() / 2 ** 33)
      : [],
  }
}

const spansOf = (next: () => number, offset: number): Span[] =>
  Array.from({ length: 1 + (next() % 3) }, (_, i) => ({
    offset: i === 0 ? offset : 1 + (next() % 5),
    length: 1 + (next() % 4),
  }))

const covered = (spans: readonly Span[], withGaps: boolean): number =>
  spans.reduce((sum, { offset, length }) => sum + length + (withGaps ? offset : 0), 0)

function randomOf(series: string, n: number): () => number {
  let state = Math.imul(n + 1, 0x9e3779b1) >>> 0
  for (let i = 0; i < series.length; i++) state = Math.imul(state ^ series.charCodeAt(i), 0x85ebca6b) >>> 0
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0
    state = Math.imul(state ^ (state >>> 13), 0x297a2d39) >>> 0
    return state >>> 0
  }
}
