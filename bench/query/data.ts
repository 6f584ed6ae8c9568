/**
 * What the systems are asked about: a day of 100 hosts at 15 s (CPU, memory, requests, latency buckets), and an hour of
 * 10,000 pods. A seed fixes every sample; only the end of the day moves, with the clock of the machine.
 */
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import { createRandom } from '../pipeline/seeded-random.ts'

export const INTERVAL_MS = 15_000
const HOSTS = 100
const BUCKET_HOSTS = 50
export const PODS = 10_000
const POD_MS = 3_600_000
const BOUNDS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf']
const SAMPLES_PER_REQUEST = 40_000

type Series = {
  readonly labels: Labels
  /** Only in the last hour. */
  readonly isPod: boolean
  readonly next: () => number
}

function allSeries(seed: number): Series[] {
  const random = createRandom(seed)
  const out: Series[] = []
  const add = (name: string, labels: Readonly<Record<string, string>>, next: () => number, isPod = false): void =>
    void out.push({ labels: labelsFrom({ __name__: name, job: isPod ? 'pods' : 'node', ...labels }), isPod, next })
  const counter = (mean: number, unit = 1): (() => number) => {
    let total = random.below(100_000)
    return () => {
      // A restart about once in two days.
      total = random.next() < 0.0001 ? 0 : total + Math.round(random.exponential(mean))
      return Math.round(total * unit * 100) / 100
    }
  }
  for (let host = 0; host < HOSTS; host++) {
    const instance = `host-${String(host).padStart(2, '0')}:9100`
    for (const cpu of ['0', '1'])
      for (const mode of ['user', 'system', 'iowait', 'idle'])
        add('cpu_seconds_total', { instance, cpu, mode }, counter(mode === 'idle' ? 1100 : 130, 0.01))
    let memory = 8e9
    add('memory_bytes', { instance }, () => {
      memory += (8e9 - memory) * 0.01 + Math.round(random.normal() * 1e4) * 4096
      return Math.round(memory)
    })
    for (const code of ['200', '404', '500'])
      add('http_requests_total', { instance, code }, counter(code === '200' ? 300 : 4))
    add('up', { instance }, () => (random.next() < 0.001 ? 0 : 1))
    add('build_info', { instance, version: `1.${host % 4}` }, () => 1)
    if (host >= BUCKET_HOSTS) continue
    const totals = BOUNDS.map(() => 0)
    BOUNDS.forEach((le, b) => {
      add('request_duration_seconds_bucket', { instance, le }, () => {
        if (b === 0) {
          let below = 0
          totals.forEach((_, i) => {
            below += random.below(8)
            totals[i]! += below
          })
        }
        return totals[b]!
      })
    })
  }
  for (let pod = 0; pod < PODS; pod++)
    add('pod_requests_total', { pod: `pod-${pod}`, namespace: `ns-${pod % 20}` }, counter(5 + (pod % 50)), true)
  return out
}

export type SeriesPart = { readonly labels: Labels; readonly timestamps: number[]; readonly values: number[] }

/** Remote-write bodies, in order of time. @returns how many samples they hold, at the end */
export function* bodies(seed: number, startMs: number, endMs: number): Generator<Uint8Array, number> {
  let total = 0
  for (const parts of requests(seed, startMs, endMs)) {
    const request: WriteSeries[] = parts.map(({ labels, timestamps, values }) => ({
      labels,
      timestamps,
      values: Float64Array.from(values),
    }))
    for (const { values } of parts) total += values.length
    yield snappyCompress(encodeWriteRequest(request))
  }
  return total
}

/** What each request holds: several steps of a series go together, as a sender's queue has them. */
export function* requests(seed: number, startMs: number, endMs: number): Generator<readonly SeriesPart[]> {
  const series = allSeries(seed)
  const stepsTogether = 10
  let parts: SeriesPart[] = []
  let held = 0
  for (let from = startMs; from <= endMs; from += stepsTogether * INTERVAL_MS) {
    for (const { labels, isPod, next } of series) {
      const timestamps: number[] = []
      const values: number[] = []
      for (let time = from; time < from + stepsTogether * INTERVAL_MS && time <= endMs; time += INTERVAL_MS) {
        if (isPod && time < endMs - POD_MS) continue
        timestamps.push(time)
        values.push(next())
      }
      if (values.length === 0) continue
      parts.push({ labels, timestamps, values })
      held += values.length
      if (held < SAMPLES_PER_REQUEST) continue
      yield parts
      parts = []
      held = 0
    }
  }
  if (parts.length > 0) yield parts
}
