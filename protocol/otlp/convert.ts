/**
 * Metrics of OpenTelemetry as series.
 * Semantics: Prometheus storage/remote/otlptranslator/prometheusremotewrite (v3.14). Differs: metrics that cannot be
 * stored (deltas without the feature, no points, no name left) are named in the answer while the others are stored.
 */

import { compareStrings, METRIC_NAME } from '../labels/mod.ts'
import { histogramProblem, type WriteColumns } from '../remote-write/mod.ts'
import { CounterResetHint, formatFloat, type Metadata, type MetricType } from '../samples/mod.ts'
import { ColumnsBuilder } from './columns-builder.ts'
import { customBucketsHistogram, exponentialHistogram } from './histogram.ts'
import type { Attributes, OtlpExemplar, OtlpMetric, OtlpPoint, OtlpResource, OtlpScope } from './model.ts'
import { labelName, metricName, unitName } from './names.ts'
import type { OtlpSettings } from './settings.ts'

const DELTA = 1
const CUMULATIVE = 2
/** So often `target_info` is repeated within one request, that it never goes stale between its points. */
const TARGET_INFO_EVERY_MS = 150_000
/** Upstream: exemplar labels beyond that are left out. */
const MAX_EXEMPLAR_RUNES = 128
const IDENTIFYING = ['service.name', 'service.namespace', 'service.instance.id']

export function convertMetrics(resources: readonly OtlpResource[], settings: OtlpSettings): WriteColumns {
  const out = new ColumnsBuilder()
  for (const resource of resources) new ResourceConverter(resource, settings, out).run()
  return out.finish()
}

type LabelMap = Map<string, string>

class ResourceConverter {
  readonly #resource: OtlpResource
  readonly #settings: OtlpSettings
  readonly #out: ColumnsBuilder
  /** `job` and `instance`, as the resource names them. */
  readonly #identity: readonly (readonly [string, string])[]
  readonly #promoted: Attributes
  #firstMs = Number.POSITIVE_INFINITY
  #lastMs = Number.NEGATIVE_INFINITY

  constructor(resource: OtlpResource, settings: OtlpSettings, out: ColumnsBuilder) {
    this.#resource = resource
    this.#settings = settings
    this.#out = out
    const find = (name: string): string | undefined => resource.attributes.find(([own]) => own === name)?.[1]
    const [name, namespace, instance] = IDENTIFYING.map(find)
    this.#identity = [
      ...(name === undefined ? [] : [['job', namespace === undefined ? name : `${namespace}/${name}`] as const]),
      ...(instance === undefined ? [] : [['instance', instance] as const]),
    ]
    const { promoteAllResourceAttributes, ignoreResourceAttributes, promoteResourceAttributes } = settings
    this.#promoted = sortedByName(
      resource.attributes.filter(([own]) =>
        promoteAllResourceAttributes
          ? !ignoreResourceAttributes.includes(own)
          : promoteResourceAttributes.includes(own),
      ),
    )
  }

  run(): void {
    for (const scope of this.#resource.scopes) for (const metric of scope.metrics) this.#metric(metric, scope)
    this.#out.endPoints()
    if (this.#lastMs >= this.#firstMs) this.#targetInfo()
  }

  #metric(metric: OtlpMetric, scope: OtlpScope): void {
    const problem = this.#take(metric, scope)
    if (problem !== null) this.#out.problem(problem, metric.points.length)
  }

  /** Why the metric cannot be stored, or null. */
  #take(metric: OtlpMetric, scope: OtlpScope): string | null {
    const shown = JSON.stringify(metric.name)
    const { kind } = metric
    if (kind === '') return `could not get aggregation temporality for ${metric.name}: unsupported metric type`
    const hasTemporality = kind !== 'gauge' && kind !== 'summary'
    const isDelta = hasTemporality && metric.temporality === DELTA
    if (hasTemporality && metric.temporality !== CUMULATIVE && !(isDelta && this.#settings.allowDelta))
      return `invalid temporality and type combination for metric ${shown}`
    if (metric.points.length === 0) return `empty data points. ${metric.name} is dropped`
    const isCounter = kind === 'sum' && metric.isMonotonic
    let name: string
    try {
      const named = isCounter ? 'counter' : kind === 'gauge' ? 'gauge' : 'other'
      name = metricName(metric.name, metric.unit, named, this.#settings.translationStrategy)
    } catch (error) {
      return (error as Error).message
    }
    // Of a delta there is no type that would be true.
    const type: MetricType = isDelta
      ? 'unknown'
      : kind === 'summary'
        ? 'summary'
        : kind === 'histogram' || kind === 'exponential'
          ? 'histogram'
          : isCounter
            ? 'counter'
            : 'gauge'
    const metadata: Metadata = { type, help: metric.description, unit: unitName(metric.unit) }
    this.#out.metadata(name, metadata)
    for (const [i, point] of metric.points.entries()) {
      this.#out.beginPoint()
      this.#firstMs = Math.min(this.#firstMs, point.timeMs)
      this.#lastMs = Math.max(this.#lastMs, point.timeMs)
      const labels = this.#labels(point.attributes, scope)
      if (typeof labels === 'string') {
        // As upstream: the points after it are lost too.
        this.#out.problem(labels, metric.points.length - i)
        return null
      }
      if (this.#settings.typeAndUnitLabels) {
        if (type !== 'unknown') labels.set('__type__', type)
        if (metadata.unit !== '') labels.set('__unit__', metadata.unit)
      }
      if (kind === 'gauge' || kind === 'sum') this.#number(name, labels, point, isCounter)
      else if (kind === 'summary') this.#summary(name, labels, point)
      else if (kind === 'exponential' || this.#settings.convertHistogramsToNhcb)
        this.#native(name, labels, point, kind, isDelta)
      else this.#classic(name, labels, point)
    }
    return null
  }

  #number(name: string, labels: LabelMap, point: OtlpPoint, isCounter: boolean): void {
    const series = this.#out.series(name, labels)
    this.#out.float(series, point.timeMs, point.value, isCounter ? point.startMs : 0, isStale(point))
    for (const exemplar of point.exemplars) this.#exemplar(series, exemplar)
  }

  #summary(name: string, labels: LabelMap, point: OtlpPoint): void {
    const add = (own: string, value: number, startMs: number, quantile?: number): void => {
      const all = quantile === undefined ? labels : new Map([...labels, ['quantile', formatFloat(quantile)]])
      this.#out.float(this.#out.series(own, all), point.timeMs, value, startMs, isStale(point))
    }
    add(`${name}_sum`, point.sum ?? 0, point.startMs)
    add(`${name}_count`, point.count, point.startMs)
    for (const { quantile, value } of point.quantiles) add(name, value, 0, quantile)
  }

  #classic(name: string, labels: LabelMap, point: OtlpPoint): void {
    const add = (own: string, all: LabelMap, value: number): number => {
      const series = this.#out.series(own, all)
      this.#out.float(series, point.timeMs, value, point.startMs, isStale(point))
      return series
    }
    if (point.sum !== null) add(`${name}_sum`, labels, point.sum)
    add(`${name}_count`, labels, point.count)
    let cumulative = 0
    const buckets: { series: number; bound: number }[] = []
    for (let i = 0; i < point.bounds.length && i < point.bucketCounts.length; i++) {
      cumulative += point.bucketCounts[i]!
      const bound = point.bounds[i]!
      const series = add(`${name}_bucket`, new Map([...labels, ['le', formatFloat(bound)]]), cumulative)
      buckets.push({ series, bound })
    }
    const series = add(`${name}_bucket`, new Map([...labels, ['le', '+Inf']]), point.count)
    buckets.push({ series, bound: Number.POSITIVE_INFINITY })
    for (const exemplar of point.exemplars) {
      const bucket = buckets.find(({ bound }) => exemplar.value <= bound)
      if (bucket) this.#exemplar(bucket.series, exemplar)
    }
  }

  #native(name: string, labels: LabelMap, point: OtlpPoint, kind: 'histogram' | 'exponential', isDelta: boolean): void {
    try {
      const histogram = kind === 'exponential' ? exponentialHistogram(point) : customBucketsHistogram(point)
      const problem = histogramProblem(histogram)
      if (problem !== null) throw new Error(`invalid native histogram: ${problem}`)
      const series = this.#out.series(name, labels)
      const hint = isDelta ? CounterResetHint.gauge : histogram.counterResetHint
      this.#out.histogram(series, point.timeMs, { ...histogram, counterResetHint: hint }, point.startMs)
      for (const exemplar of point.exemplars) this.#exemplar(series, exemplar)
    } catch (error) {
      this.#out.problem(`${name}: ${(error as Error).message}`, 1)
    }
  }

  #exemplar(series: number, { timeMs, value, traceId, spanId, attributes }: OtlpExemplar): void {
    const ids = [...(traceId === '' ? [] : ['trace_id', traceId]), ...(spanId === '' ? [] : ['span_id', spanId])]
    const all = [...ids, ...attributes.flat()]
    const runes = all.reduce((sum, text) => sum + [...text].length, 0)
    const labels = runes <= MAX_EXEMPLAR_RUNES ? all : ids
    this.#out.exemplar(series, { labels, value, timestampMs: timeMs === 0 ? null : timeMs })
  }

  /** The labels of a point, or what is wrong with one of their names. */
  #labels(attributes: Attributes, scope: OtlpScope): LabelMap | string {
    try {
      return this.#mergedLabels(attributes, scope)
    } catch (error) {
      return (error as Error).message
    }
  }

  /** Own attributes, promoted ones of the resource, the scope's; then who it is about. */
  #mergedLabels(attributes: Attributes, scope: OtlpScope): LabelMap {
    const { promoteScopeMetadata } = this.#settings
    const out: LabelMap = new Map()
    for (const [name, value] of sortedByName(attributes)) {
      const clean = this.#labelName(name)
      const known = out.get(clean)
      out.set(clean, known === undefined ? value : `${known};${value}`)
    }
    for (const [name, value] of this.#promoted) {
      const clean = this.#labelName(name)
      if (!out.has(clean)) out.set(clean, value)
    }
    if (promoteScopeMetadata && scope.name !== '') {
      out.set('otel_scope_name', scope.name)
      out.set('otel_scope_version', scope.version)
      out.set('otel_scope_schema_url', scope.schemaUrl)
      for (const [name, value] of scope.attributes) out.set(this.#labelName(`otel_scope_${name}`), value)
    }
    for (const [name, value] of this.#identity) out.set(name, value)
    // The metric's name is its own, whatever an attribute is called.
    out.delete(METRIC_NAME)
    return out
  }

  #labelName(name: string): string {
    return labelName(name, this.#settings.translationStrategy, this.#settings)
  }

  #targetInfo(): void {
    try {
      this.#writeTargetInfo()
    } catch (error) {
      this.#out.problem((error as Error).message, 0)
    }
  }

  /** What the resource says of itself, as a series to join with. */
  #writeTargetInfo(): void {
    if (this.#identity.length === 0) return
    const { keepIdentifyingResourceAttributes } = this.#settings
    const labels: LabelMap = new Map()
    let isWorthIt = false
    for (const [name, value] of sortedByName(this.#resource.attributes)) {
      const isIdentifying = IDENTIFYING.includes(name)
      if (isIdentifying && !keepIdentifyingResourceAttributes) continue
      isWorthIt ||= !isIdentifying
      const clean = this.#labelName(name)
      const known = labels.get(clean)
      labels.set(clean, known === undefined ? value : `${known};${value}`)
    }
    if (!isWorthIt) return
    for (const [name, value] of this.#identity) labels.set(name, value)
    labels.delete(METRIC_NAME)
    this.#out.metadata('target_info', { type: 'gauge', help: 'Target metadata', unit: '' })
    const series = this.#out.series('target_info', labels)
    for (let at = this.#firstMs; at < this.#lastMs; at += TARGET_INFO_EVERY_MS) this.#out.float(series, at, 1, 0, false)
    this.#out.float(series, this.#lastMs, 1, 0, false)
  }
}

const isStale = (point: OtlpPoint): boolean => (point.flags & 1) !== 0

const sortedByName = (attributes: Attributes): Attributes => [...attributes].sort(([a], [b]) => compareStrings(a, b))
