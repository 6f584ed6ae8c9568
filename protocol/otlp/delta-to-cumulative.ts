/**
 * Points of delta metrics made cumulative: each becomes the sum of its stream so far. What is known of a stream is in
 * memory alone, so that after a restart its counter begins anew, with a reset.
 * Semantics: OpenTelemetry collector contrib, processor/deltatocumulativeprocessor with its defaults, which Prometheus
 * runs for the feature otlp-deltatocumulative (storage/remote/write_handler.go, v3.14): points that are older than their
 * stream are left out, histograms with other bounds begin anew, streams are forgotten after five minutes without a point.
 * Unlike there, what was the newest point when it comes again is the stream's sum again, rather than nothing.
 */
import { addExponential } from './add-exponential.ts'
import type { OtlpMetric, OtlpPoint, OtlpResource, OtlpScope } from './model.ts'

const DELTA = 1
const CUMULATIVE = 2
const STALE_MS = 300_000
const SWEEP_EVERY_MS = 60_000

type Stream = { point: OtlpPoint; seenMs: number }

export class DeltaToCumulative {
  readonly #streams = new Map<string, Stream>()
  #sweptMs = Number.NEGATIVE_INFINITY

  get streamCount(): number {
    return this.#streams.size
  }

  /** The same list when it has no deltas. @param nowMs of a clock that ages streams */
  convert(resources: readonly OtlpResource[], nowMs: number): readonly OtlpResource[] {
    this.#sweep(nowMs)
    if (!resources.some(({ scopes }) => scopes.some(({ metrics }) => metrics.some(isDelta)))) return resources
    return resources.map((resource) => ({
      ...resource,
      scopes: resource.scopes.map((scope) => ({ ...scope, metrics: this.#metrics(resource, scope, nowMs) })),
    }))
  }

  #metrics(resource: OtlpResource, scope: OtlpScope, nowMs: number): OtlpMetric[] {
    const out: OtlpMetric[] = []
    for (const metric of scope.metrics) {
      if (!isDelta(metric)) {
        out.push(metric)
        continue
      }
      const owner = identityOf(resource, scope, metric)
      const points: OtlpPoint[] = []
      for (const point of metric.points) {
        const sum = this.#add(`${owner}${JSON.stringify(sorted(point.attributes))}`, metric, point, nowMs)
        if (sum !== null) points.push(sum)
      }
      // Of an empty one the sender is told, as ever; one that has only old points is left out.
      if (points.length > 0 || metric.points.length === 0) out.push({ ...metric, temporality: CUMULATIVE, points })
    }
    return out
  }

  /** Null: it is older than what its stream has. */
  #add(id: string, { kind }: OtlpMetric, point: OtlpPoint, nowMs: number): OtlpPoint | null {
    const stream = this.#streams.get(id)
    if (stream === undefined) {
      this.#streams.set(id, { point, seenMs: nowMs })
      return point
    }
    stream.seenMs = nowMs
    const { point: sum } = stream
    if (point.startMs < sum.startMs || point.timeMs < sum.timeMs) return null
    // The request may be one that was not stored, for want of room, and comes again: the sum has its points already.
    if (point.timeMs === sum.timeMs) return sum
    const added =
      kind === 'sum'
        ? addNumber(sum, point)
        : kind === 'histogram'
          ? addBuckets(sum, point)
          : addExponential(sum, point)
    stream.point = { ...added, timeMs: point.timeMs, flags: point.flags, exemplars: point.exemplars }
    return stream.point
  }

  #sweep(nowMs: number): void {
    if (nowMs - this.#sweptMs < SWEEP_EVERY_MS) return
    this.#sweptMs = nowMs
    for (const [id, { seenMs }] of this.#streams) if (nowMs - seenMs > STALE_MS) this.#streams.delete(id)
  }
}

const isDelta = ({ kind, temporality }: OtlpMetric): boolean =>
  temporality === DELTA && (kind === 'sum' || kind === 'histogram' || kind === 'exponential')

function identityOf(resource: OtlpResource, scope: OtlpScope, { name, unit, kind, isMonotonic }: OtlpMetric): string {
  return JSON.stringify([
    sorted(resource.attributes),
    [scope.name, scope.version, sorted(scope.attributes)],
    [name, unit, kind, isMonotonic],
  ])
}

const sorted = (attributes: OtlpPoint['attributes']) => [...attributes].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))

function addNumber(sum: OtlpPoint, point: OtlpPoint): OtlpPoint {
  return { ...sum, value: sum.value + point.value }
}

function addBuckets(sum: OtlpPoint, point: OtlpPoint): OtlpPoint {
  const isSame = sum.bounds.length === point.bounds.length && sum.bounds.every((bound, i) => bound === point.bounds[i])
  if (!isSame) return point
  const shared = Math.min(sum.bucketCounts.length, point.bucketCounts.length)
  return {
    ...sum,
    count: sum.count + point.count,
    sum: sum.sum === null || point.sum === null ? null : sum.sum + point.sum,
    bucketCounts: sum.bucketCounts.map((count, i) => (i < shared ? count + point.bucketCounts[i]! : count)),
  }
}
