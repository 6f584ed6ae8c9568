/** Native histograms of every kind, and names that need quotes, beside the floats of dataset.ts: for wide-grammar.ts. */
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import { CounterResetHint, EMPTY_HISTOGRAM, type Histogram } from '../../protocol/samples/mod.ts'
import { createRandom, type SeededRandom } from '../pipeline/seeded-random.ts'
import { SAMPLES, START_MS, STEP_MS } from './dataset.ts'

/** As in dataset.ts: floats and histograms of one series may not alternate inside a request, as floats are read first. */
const STEPS_PER_REQUEST = 40
const CUSTOM_SCHEMA = -53
/** Logarithms of the bounds between which values are taken to lie. */
const LEAST = -6
const MOST = 4

type At = { readonly step: number; readonly point: number | Histogram }
type Mixed = { readonly labels: Labels; readonly points: readonly At[] }

/** Buckets while they are filled: index to count. */
type Side = Map<number, number>
type Layout = Pick<Histogram, 'positiveSpans' | 'positiveBuckets'>

/**
 * All buckets between the bounds, empty ones too: upstream's chunks add what is missing, and two histograms that are equal
 * but for empty buckets then differ, for changes() and for what is made of the zero bucket.
 */
function layout(side: Side, first: number, last: number): Layout {
  const buckets = Array.from({ length: last - first + 1 }, (_, i) => side.get(first + i) ?? 0)
  return { positiveSpans: [{ offset: first, length: buckets.length }], positiveBuckets: buckets }
}

type Filled = { readonly positive: Side; readonly negative: Side; zero: number; sum: number }

function exponential(filled: Filled, { schema, zeroThreshold, ...rest }: Partial<Histogram> & Shape): Histogram {
  const [first, last] = [Math.ceil(LEAST * 2 ** schema), Math.ceil(MOST * 2 ** schema)]
  const positive = layout(filled.positive, first, last)
  const negative = layout(filled.negative, first, last)
  const count = [...positive.positiveBuckets, ...negative.positiveBuckets].reduce((a, b) => a + b, filled.zero)
  return {
    ...EMPTY_HISTOGRAM,
    isFloat: false,
    schema,
    zeroThreshold,
    zeroCount: filled.zero,
    count,
    sum: filled.sum,
    ...positive,
    negativeSpans: negative.positiveSpans,
    negativeBuckets: negative.positiveBuckets,
    ...rest,
  }
}

type Shape = { readonly schema: number; readonly zeroThreshold: number }

function custom(counts: readonly number[], bounds: readonly number[], sum: number, isFloat: boolean): Histogram {
  const buckets = bounds.concat(0).map((_, i) => counts[i] ?? 0)
  return {
    ...EMPTY_HISTOGRAM,
    isFloat,
    schema: CUSTOM_SCHEMA,
    count: buckets.reduce((a, b) => a + b, 0),
    sum,
    positiveSpans: [{ offset: 0, length: buckets.length }],
    positiveBuckets: buckets,
    customValues: bounds,
  }
}

function observe(into: Filled, value: number, { schema, zeroThreshold }: Shape): void {
  into.sum += value
  if (Math.abs(value) <= zeroThreshold) into.zero++
  else {
    const side = value > 0 ? into.positive : into.negative
    const index = Math.ceil(Math.max(LEAST, Math.min(MOST, Math.log2(Math.abs(value)))) * 2 ** schema)
    side.set(index, (side.get(index) ?? 0) + 1)
  }
}

const empty = (): Filled => ({ positive: new Map(), negative: new Map(), zero: 0, sum: 0 })

/** Cumulative, with resets and gaps; its schema may become coarser on the way, its zero bucket wider. */
function counter(random: SeededRandom, shapes: readonly Shape[], isFloat: boolean): At[] {
  const out: At[] = []
  let filled = empty()
  let shape = shapes[0]!
  for (let step = 0; step < SAMPLES; step++) {
    const now = shapes[Math.floor((step * shapes.length) / SAMPLES)]!
    if (random.next() < 0.006 || now !== shape) filled = empty()
    shape = now
    for (let n = random.below(6); n > 0; n--) {
      const value = random.next() < 0.1 ? 0 : random.exponential(0.4) - (random.next() < 0.2 ? 0.6 : 0)
      observe(filled, value, shape)
    }
    if (random.next() < 0.03) continue
    out.push({ step, point: exponential(filled, { ...shape, isFloat }) })
  }
  return out
}

/** Anew at every step. */
function gauge(random: SeededRandom, shape: Shape): At[] {
  return Array.from({ length: SAMPLES }, (_, step) => {
    const filled = empty()
    for (let n = random.below(9); n > 0; n--) observe(filled, random.normal() * 3, shape)
    return { step, point: exponential(filled, { ...shape, isFloat: true, counterResetHint: CounterResetHint.gauge }) }
  })
}

function customCounter(random: SeededRandom, bounds: readonly (readonly number[])[], isFloat = false): At[] {
  let counts = bounds[0]!.map(() => 0)
  let own = bounds[0]!
  let sum = 0
  return Array.from({ length: SAMPLES }, (_, step) => {
    const now = bounds[Math.floor((step * bounds.length) / SAMPLES)]!
    if (now !== own || random.next() < 0.005 || step === 0) {
      counts = [...now.map(() => 0), 0]
      sum = 0
    }
    own = now
    for (let n = random.below(5); n > 0; n--) {
      const value = random.exponential(1.5)
      const at = own.findIndex((bound) => value <= bound)
      const index = at < 0 ? own.length : at
      counts[index] = (counts[index] ?? 0) + 1
      sum += value
    }
    return { step, point: custom(counts, own, sum, isFloat) }
  })
}

export function histogramDataset(seed: number): Mixed[] {
  const random = createRandom(seed ^ 0x5eed)
  const out: Mixed[] = []
  const add = (labels: Readonly<Record<string, string>>, points: readonly At[]): void => {
    out.push({ labels: labelsFrom(labels), points })
  }
  const fine: Shape = { schema: 3, zeroThreshold: 2 ** -20 }
  const coarse: Shape = { schema: 0, zeroThreshold: 2 ** -20 }
  const wide: Shape = { schema: 2, zeroThreshold: 0.3 }
  for (const job of ['api', 'web', 'db'])
    for (const instance of ['a:80', 'b:80', 'c:80'])
      add({ __name__: 'nh_seconds', job, instance }, counter(random, [job === 'db' ? coarse : fine], job === 'web'))
  add({ __name__: 'nh_changing', kind: 'schema' }, counter(random, [fine, coarse, { ...fine, schema: 1 }], false))
  add({ __name__: 'nh_changing', kind: 'zero' }, counter(random, [fine, { ...fine, zeroThreshold: 0.01 }, wide], true))
  add({ __name__: 'nh_changing', kind: 'wide' }, counter(random, [wide], false))
  for (const kind of ['a', 'b']) add({ __name__: 'nh_gauge', kind }, gauge(random, kind === 'a' ? fine : coarse))
  const bounds = [0.1, 0.5, 1, 2.5, 5]
  const others = [0.1, 1, 5, 10]
  for (const instance of ['a:80', 'b:80'])
    add({ __name__: 'nh_custom', job: 'api', instance }, customCounter(random, [bounds]))
  add({ __name__: 'nh_custom', job: 'web', instance: 'a:80' }, customCounter(random, [others], true))
  add({ __name__: 'nh_custom', job: 'web', instance: 'b:80' }, customCounter(random, [bounds, others, [3]]))
  // Floats, then histograms, in turn.
  const kinds: readonly [string, readonly At[]][] = [
    ['exponential', counter(random, [fine], false)],
    ['custom', customCounter(random, [bounds])],
  ]
  for (const [kind, histograms] of kinds) {
    const isFloat = (step: number): boolean => Math.floor(step / STEPS_PER_REQUEST) % 2 === 0
    const points = histograms.map(({ step, point }) => ({ step, point: isFloat(step) ? step * 2 : point }))
    add({ __name__: 'nh_mixed', kind }, points)
  }
  const every = (value: (step: number) => number | null): At[] =>
    Array.from({ length: SAMPLES }, (_, step) => ({ step, point: value(step) ?? Number.NaN })).filter(
      ({ step }) => value(step) !== null,
    )
  for (const [i, instance] of ['a:80', 'b:80', 'c:80'].entries()) {
    for (const job of ['api', 'web']) {
      const labels = { __name__: 'target_info', job, instance, 'k8s.cluster': job, zone: `z${i}` }
      add(
        labels,
        every((step) => (step < 200 || i > 0 ? 1 : null)),
      )
      if (i === 0)
        add(
          { ...labels, zone: 'z9' },
          every((step) => (step >= 205 ? 1 : null)),
        )
    }
    add(
      { __name__: 'other_info', job: 'api', instance, zone: 'elsewhere', colour: `c${i % 2}` },
      every(() => 1),
    )
  }
  for (const [i, service] of ['käse', 'b c', ''].entries()) {
    add(
      { __name__: 'http.server-time', 'service.name': service, job: 'api', n: String(i) },
      every((step) => step * i),
    )
    add(
      { __name__: 'ünï:code', 'service.name': service, n: String(i) },
      every((step) => (step % 50) - 20 * i),
    )
  }
  return out
}

/** Compressed bodies of remote write requests, to be sent one after the other. */
export function* histogramRequests(series: readonly Mixed[]): Generator<Uint8Array> {
  for (let from = 0; from < SAMPLES; from += STEPS_PER_REQUEST) {
    const parts: WriteSeries[] = []
    for (const { labels, points } of series) {
      const here = points.filter(({ step }) => step >= from && step < from + STEPS_PER_REQUEST)
      if (here.length === 0) continue
      const floats = here.filter((each): each is At & { point: number } => typeof each.point === 'number')
      const histograms = here.flatMap(({ step, point }) =>
        typeof point === 'number' ? [] : [{ timestampMs: START_MS + step * STEP_MS, histogram: point }],
      )
      parts.push({
        labels,
        timestamps: floats.map(({ step }) => START_MS + step * STEP_MS),
        values: Float64Array.from(floats, ({ point }) => point),
        histograms,
      })
    }
    yield snappyCompress(encodeWriteRequest(parts))
  }
}
