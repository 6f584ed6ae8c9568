import { createHead, openReader, type SeriesReader } from '../../hub/tsdb/mod.ts'
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import { setStaleAt } from '../../protocol/samples/mod.ts'
import { createRandom } from '../pipeline/seeded-random.ts'

export const START_MS = 1_700_000_010_000
export const STEP_MS = 15_000
export const SAMPLES = 480
export const END_MS = START_MS + (SAMPLES - 1) * STEP_MS
/** Requests in order of time, as senders make them: older samples would be out of order upstream. */
const SAMPLES_PER_REQUEST = 40

export type SeriesData = {
  readonly labels: Labels
  readonly times: readonly number[]
  readonly values: Float64Array
}

const STALE = 'stale'
/** A value, no sample at all, or a stale marker. */
type Point = number | null | typeof STALE

export const BOUNDS = ['0.05', '0.1', '0.25', '0.5', '1', '2.5', '10', '+Inf'] as const

export function dataset(seed: number): SeriesData[] {
  const random = createRandom(seed)
  const out: SeriesData[] = []
  const add = (labels: Readonly<Record<string, string>>, at: (step: number) => Point, jitterMs = 0): void => {
    const times: number[] = []
    const points: Point[] = []
    for (let step = 0; step < SAMPLES; step++) {
      const point = at(step)
      if (point === null) continue
      times.push(START_MS + step * STEP_MS + (jitterMs === 0 ? 0 : random.below(jitterMs)))
      points.push(point)
    }
    const values = new Float64Array(points.length)
    const words = new Uint32Array(values.buffer)
    points.forEach((point, i) => {
      if (point === STALE) setStaleAt(words, i)
      else values[i] = point as number
    })
    out.push({ labels: labelsFrom(labels), times, values })
  }
  /** Whole steps; now and then it starts anew, or misses scrapes. */
  const counter = (mean: number, resets = 0, gaps = 0): ((step: number) => Point) => {
    let total = random.below(1000)
    let silent = 0
    return () => {
      total = random.next() < resets ? random.below(3) : total + Math.floor(random.exponential(mean))
      if (silent === 0 && random.next() < gaps) silent = 1 + random.below(30)
      if (silent === 0) return total
      silent--
      return silent === 0 && random.next() < 0.5 ? STALE : null
    }
  }
  const gauge = (level: number, spread: number): ((step: number) => Point) => {
    let value = level
    return () => {
      value += (level - value) * 0.05 + random.normal() * spread
      return Math.round(value * 1000) / 1000
    }
  }
  for (const job of ['api', 'web', 'db']) {
    for (const instance of ['a:80', 'b:80', 'c:80']) {
      const at = { job, instance }
      for (const method of ['GET', 'POST'])
        for (const code of ['200', '404', '500'])
          add({ __name__: 'http_requests_total', ...at, method, code }, counter(code === '200' ? 40 : 2, 0.004, 0.004))
      add({ __name__: 'memory_bytes', ...at }, gauge(5e8, 1e6))
      add({ __name__: 'cpu_seconds_total', ...at }, counter(7, 0.001), 900)
      add({ __name__: 'queue_length', ...at }, (step) =>
        Math.abs(Math.round(20 * Math.sin(step / 30 + instance.charCodeAt(0)) + random.normal())),
      )
      add({ __name__: 'up', ...at }, (step) => (job === 'db' && instance === 'c:80' && step % 97 > 80 ? 0 : 1))
    }
    add({ __name__: 'limit_requests', job, tier: 'gold' }, () => 100 + job.length)
  }
  for (const [i, instance] of ['a:80', 'b:80', 'c:80'].entries()) {
    // A new version: the old series ends with a stale marker where the new one begins.
    const change = 100 + 100 * i
    add({ __name__: 'build_info', instance, version: '1.0' }, (step) =>
      step < change ? 1 : step === change ? STALE : null,
    )
    add({ __name__: 'build_info', instance, version: '1.1' }, (step) => (step >= change ? 1 : null))
    for (const job of ['api', 'web']) {
      const totals = BOUNDS.map(() => 0)
      let count = 0
      let sum = 0
      const name = 'request_duration_seconds'
      const steps: { readonly totals: number[]; readonly count: number; readonly sum: number }[] = []
      for (let step = 0; step < SAMPLES; step++) {
        if (random.next() < 0.003) {
          totals.fill(0)
          count = 0
          sum = 0
        }
        for (let n = random.below(9); n > 0; n--) {
          const seconds = random.exponential(0.3)
          sum += seconds
          count++
          BOUNDS.forEach((bound, b) => {
            if (seconds <= Number(bound.replace('+Inf', 'Infinity'))) totals[b]!++
          })
        }
        steps.push({ totals: [...totals], count, sum })
      }
      BOUNDS.forEach((le, b) => {
        add({ __name__: `${name}_bucket`, job, instance, le }, (step) => steps[step]!.totals[b]!)
      })
      add({ __name__: `${name}_count`, job, instance }, (step) => steps[step]!.count)
      add({ __name__: `${name}_sum`, job, instance }, (step) => steps[step]!.sum)
    }
  }
  for (let n = 0; n < 6; n++) {
    const every = 8 + 4 * n
    add({ __name__: 'sparse', n: String(n) }, (step) => (step % every === n ? random.normal() : null))
    add({ __name__: 'late', n: String(n) }, (step) => (step > 80 * n ? step / (n + 1) : null))
    add({ __name__: 'early', n: String(n) }, (step) => (step < 480 - 70 * n ? 480 - step : null))
  }
  const odd: readonly (readonly [string, (step: number) => Point])[] = [
    ['nan', (step) => (step % 7 === 3 ? Number.NaN : step)],
    ['inf', (step) => (step % 11 === 5 ? Number.POSITIVE_INFINITY : -step)],
    ['ninf', (step) => (step % 13 === 5 ? Number.NEGATIVE_INFINITY : step / 3)],
    ['huge', (step) => 1e300 * (1 + step)],
    ['tiny', (step) => 1e-300 * (1 + step)],
    ['negative', gauge(-40, 3)],
    ['zero', () => 0],
    ['minus zero', (step) => (step % 2 === 0 ? -0 : 0)],
    ['constant', () => 42.5],
    ['flapping', (step) => (Math.floor(step / 20) % 2 === 0 ? 1 : step % 20 === 0 ? STALE : null)],
    ['sägezahn "quoted" \\ and\nmore', (step) => step % 60],
  ]
  for (const [kind, at] of odd) add({ __name__: 'odd', kind }, at)
  // One bucket is missing, one is not monotonic, one has no upper bound.
  for (const kind of ['missing', 'uneven', 'open'] as const) {
    BOUNDS.forEach((le, b) => {
      if ((kind === 'missing' && b === 2) || (kind === 'open' && le === '+Inf')) return
      add(
        { __name__: 'broken_bucket', kind, le },
        (step) => step * (b + 1) - (kind === 'uneven' && b === 4 ? step * 3 : 0),
      )
    })
  }
  return out
}

/** Compressed bodies of remote write requests, to be sent one after the other. */
export function* writeRequests(series: readonly SeriesData[]): Generator<Uint8Array> {
  for (let from = START_MS; from <= END_MS; from += SAMPLES_PER_REQUEST * STEP_MS) {
    const until = from + SAMPLES_PER_REQUEST * STEP_MS
    const parts: WriteSeries[] = []
    for (const { labels, times, values } of series) {
      const first = times.findIndex((time) => time >= from && time < until)
      if (first < 0) continue
      let end = first
      while (end < times.length && times[end]! < until) end++
      parts.push({ labels, timestamps: times.slice(first, end), values: values.slice(first, end) })
    }
    yield snappyCompress(encodeWriteRequest(parts))
  }
}

export async function write(url: string, bodies: Iterable<Uint8Array>): Promise<void> {
  for (const body of bodies) {
    const response = await fetch(`${url}/api/v1/write`, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
      },
      body: body as Uint8Array<ArrayBuffer>,
    })
    if (!response.ok) throw new Error(`${url} refused the samples with ${response.status}: ${await response.text()}`)
    await response.arrayBuffer()
  }
}

/** The data set in a head of this process. */
export function readerOfDataset(seed: number): SeriesReader {
  const head = createHead({ maxBytes: 2 ** 29 })
  for (const { labels, times, values } of dataset(seed)) {
    const ref = head.series(labels)
    times.forEach((time, i) => void head.appendFloat(ref, time, values, i, 0))
  }
  head.publish()
  return openReader(head.share())
}
