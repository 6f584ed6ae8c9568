/**
 * What one evaluation carries along: the reader, the options, the annotations so far and the count of samples held.
 * Semantics: Prometheus promql/engine.go, evaluator.
 */
import { EMPTY_LABELS, type Labels, labelValue, METRIC_NAME, quote } from '../../../protocol/labels/mod.ts'
import type { Histogram } from '../../../protocol/samples/mod.ts'
import type { SampleBuffer, SeriesReader, SeriesRef, Shard, TimeRange } from '../../tsdb/contract.ts'
import type { Expr, Position, VectorSelector } from '../ast.ts'
import { type Annotation, type EngineOptions, QueryError, type QueryRange, type SampleCounts } from '../contract.ts'
import type { AccumulatedGroup } from './aggregations/mod.ts'
import { isFull } from './columns.ts'
import type { Unwanted } from './early.ts'
import type { Fused } from './fuse.ts'
import { dropMetricName } from './labels.ts'
import type { SharedReads } from './reads.ts'
import { newSampleCounts } from './sample-counts.ts'
import { Trace } from './trace.ts'
import type { Series } from './types.ts'

/** Columns of up to so many steps count by their samples alone. */
const DENSE_STEPS = 256

/** To ask a flag and a clock costs a tenth of a short series, or nothing beside a long one. */
const SERIES_PER_LOOK = 4
const SAMPLES_PER_LOOK = 2000

export const TOO_MANY_SAMPLES = 'query processing would load too many samples into memory in query execution'

function tooManySamples(): never {
  throw new QueryError('execution', TOO_MANY_SAMPLES)
}

export class QueryContext {
  readonly reader: SeriesReader
  readonly options: EngineOptions
  readonly range: QueryRange
  /** The query as written. */
  readonly text: string
  readonly shard: Shard | undefined
  readonly invariant: ReadonlySet<Expr>
  readonly shared: ReadonlySet<Expr>
  readonly fused: Fused
  /** Groups of fused aggregations, by frame, until they are asked for. */
  readonly accumulated = new Map<Expr, Map<string, { groups: readonly AccumulatedGroup[]; counts: SampleCounts }>>()
  /** Results of shared nodes, by the frame that they were evaluated in. */
  readonly memo = new Map<Expr, Map<string, Remembered>>()
  /** Values of aggregations that were computed elsewhere and merged; the node is then not evaluated again. */
  readonly given: Map<Expr, readonly Series[]>
  /** Of selectors that read the same. */
  reads: SharedReads | null = null
  /** Series that need not be read. */
  unwanted: Unwanted | null = null
  /** Of EXPLAIN; null for all other queries. */
  readonly trace: Trace | null
  readonly #annotations = new Map<string, Annotation>()
  readonly #monotonicity = new Map<string, MonotonicityNote>()
  /** Samples that the evaluation holds now, counted as upstream counts them. */
  held = 0
  /** The most that it has held. */
  peak = 0
  /** Samples that steps looked at, whatever frame they are of. */
  looked = 0
  /** Of the frame that is being evaluated. */
  counts: SampleCounts
  /** Of the inside of the last subquery. */
  insideSubquery: SampleCounts | null = null
  #polls = SERIES_PER_LOOK
  #lookedBefore = 0

  constructor(fields: {
    reader: SeriesReader
    options: EngineOptions
    range: QueryRange
    text: string
    invariant: ReadonlySet<Expr>
    shared: ReadonlySet<Expr>
    fused: Fused
    shard?: Shard | undefined
    given?: Map<Expr, readonly Series[]>
  }) {
    this.reader = fields.reader
    this.options = fields.options
    this.range = fields.range
    this.text = fields.text
    this.invariant = fields.invariant
    this.shared = fields.shared
    this.fused = fields.fused
    this.shard = fields.shard
    this.given = fields.given ?? new Map()
    const { explainClock, countSteps } = fields.options
    const { startMs, endMs, stepMs, instant } = fields.range
    const steps = instant ? 1 : Math.floor((endMs - startMs) / stepMs) + 1
    this.counts = newSampleCounts(countSteps === true && steps <= fields.options.maxSamples ? steps : null)
    this.trace = explainClock === undefined ? null : new Trace(explainClock)
  }

  isUnwanted(selector: VectorSelector, ref: SeriesRef): boolean {
    return this.unwanted !== null && this.unwanted.selector === selector && this.unwanted.test(ref)
  }

  /**
   * Series of which the selector may `read` the range; of some there is nothing in it.
   * @param fromMs rows are read from there on
   */
  select(selector: VectorSelector, range: TimeRange, fromMs = range.minTime): Uint32Array {
    const { minTime, maxTime } = this.reads?.selectRange(selector, range) ?? range
    return this.reader.select(selector.matchers, { minTime: Math.min(fromMs, minTime), maxTime }, this.shard)
  }

  /** The samples of a series that a selector wants, in `out` or elsewhere; borrowed until the next call. */
  read(selector: VectorSelector, ref: SeriesRef, range: TimeRange, out: SampleBuffer): SampleBuffer {
    if (this.reads !== null) return this.reads.read(this.reader, selector, ref, range, out)
    this.reader.read(ref, range, out)
    return out
  }

  /** Same message, same annotation: the last position wins, as in a Go map upstream. */
  warn(message: string, pos: Position | null): void {
    this.#annotations.set(`w${message}`, { level: 'warning', message: `PromQL warning: ${message}`, pos })
  }

  info(message: string, pos: Position | null): void {
    this.#annotations.set(`i${message}`, { level: 'info', message: `PromQL info: ${message}`, pos })
  }

  annotate(annotations: readonly Annotation[]): void {
    for (const note of annotations) this.#annotations.set(note.level[0]! + note.message, note)
  }

  /** Notes of forced monotonicity are merged per metric, with the extent of what was forced. */
  forcedMonotonicity(note: Omit<MonotonicityNote, 'count' | 'maxTs'>): void {
    const old = this.#monotonicity.get(note.metric)
    if (old === undefined) this.#monotonicity.set(note.metric, { ...note, maxTs: note.minTs, count: 1 })
    else {
      old.minTs = Math.min(old.minTs, note.minTs)
      old.maxTs = Math.max(old.maxTs, note.minTs)
      old.minBucket = Math.min(old.minBucket, note.minBucket)
      old.maxBucket = Math.max(old.maxBucket, note.maxBucket)
      old.maxDiff = Math.max(old.maxDiff, note.maxDiff)
      old.count++
    }
  }

  annotations(): Annotation[] {
    const notes = [...this.#annotations.values()]
    for (const note of this.#monotonicity.values()) notes.push(monotonicityAnnotation(note))
    return notes
  }

  /** To be called per series that is read: as `poll`, now and then. */
  pollSeries(): void {
    if (++this.#polls < SERIES_PER_LOOK && this.looked - this.#lookedBefore < SAMPLES_PER_LOOK) return
    this.#polls = 0
    this.#lookedBefore = this.looked
    this.poll()
  }

  /** Ends the query when its client has gone or its time is up. */
  poll(): void {
    const reason = this.options.interrupted()
    if (reason === 'canceled') throw new QueryError('canceled', 'query was canceled in expression evaluation')
    if (reason === 'timeout') throw new QueryError('timeout', 'query timed out in expression evaluation')
  }

  hold(samples: number): void {
    this.held += samples
    if (this.held > this.peak) this.peak = this.held
    if (this.held > this.options.maxSamples) tooManySamples()
  }

  /**
   * Counts a series that is kept. Differs: a sparse column counts for a share of its slots, as they take memory where
   * upstream keeps points only.
   */
  holdSeries(series: Series, samples: number, keep: boolean): void {
    const slots = keep && series.present.length > DENSE_STEPS ? series.present.length >> 3 : 0
    this.hold(Math.max(samples, slots))
  }

  /** More steps than samples may be held cannot be answered, and their columns must not be allocated. */
  checkSteps(steps: number): void {
    if (steps > this.options.maxSamples) tooManySamples()
  }

  labelsOf(series: Series): Labels {
    if (series.labels !== null) return series.labels
    if (series.ref < 0) return EMPTY_LABELS
    const labels = this.reader.labels(series.ref)
    return series.nameless ? dropMetricName(labels) : labels
  }

  metricName(series: Series): string {
    return labelValue(this.labelsOf(series), METRIC_NAME)
  }

  /** Marks the name for removal at the end, or removes it now, as the feature flag says. */
  dropName(series: Series): void {
    series.dropName = true
    if (this.options.delayedNameRemoval) return
    if (series.labels !== null) series.labels = dropMetricName(series.labels)
    else series.nameless = true
  }
}

/** `counts`: of the evaluation, which upstream repeats. */
export type Remembered = { readonly series: readonly Series[]; readonly counts: SampleCounts }

type MonotonicityNote = {
  readonly metric: string
  readonly pos: Position
  minTs: number
  maxTs: number
  minBucket: number
  maxBucket: number
  maxDiff: number
  count: number
}

function monotonicityAnnotation(note: MonotonicityNote): Annotation {
  const time = (ms: number) => new Date(Math.trunc(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z')
  const name = note.metric === '' ? '' : ` for metric name ${quote(note.metric)}`
  const message =
    'PromQL info: input to histogram_quantile needed to be fixed for monotonicity ' +
    '(see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)' +
    `${name}, from buckets ${formatG(note.minBucket)} to ${formatG(note.maxBucket)}, with a max diff of ` +
    `${formatG2(note.maxDiff)}, over ${note.count} samples from ${time(note.minTs)} to ${time(note.maxTs)}`
  return { level: 'info', message, pos: note.pos }
}

/** Go's %g with the shortest digits that read back: an exponent below -4 and from 6 on. */
export function formatG(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa, exponent] = value.toExponential().split('e') as [string, string]
  const e = Number(exponent)
  if (e < -4 || e >= 6) return `${mantissa}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`
  return String(value)
}

/** Go's %.2g. */
function formatG2(value: number): string {
  const [mantissa, exponent] = value.toExponential(1).split('e') as [string, string]
  const e = Number(exponent)
  if (e >= -4 && e < 2) return String(Number(value.toPrecision(2)))
  return `${Number(mantissa)}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`
}

/** How many samples a histogram counts for in the sample limit. As HPoint.size in Prometheus promql/value.go. */
export function histogramSamples(h: Histogram): number {
  const slices =
    h.positiveSpans.length +
    h.negativeSpans.length +
    h.positiveBuckets.length +
    h.negativeBuckets.length +
    h.customValues.length
  return Math.trunc((168 + 8 * slices + 8) / 16)
}

/** Samples in a column, as the limit counts them. */
export function columnSamples(series: Series): number {
  let count = 0
  const { present, histograms } = series
  if (histograms === null) {
    if (isFull(present)) return present.length
    // Nothing but 0 and 1.
    for (let i = 0; i < present.length; i++) count += present[i]!
    return count
  }
  for (let i = 0; i < present.length; i++) {
    if (present[i] === 1) count++
    else if (present[i] === 2) count += histogramSamples(histograms![i]!)
  }
  return count
}
