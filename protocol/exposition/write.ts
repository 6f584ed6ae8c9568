/**
 * Metric families as text 0.0.4, in client_golang's order and spelling: families by name, their metrics by label
 * values, numbers in Go's shortest form.
 * Semantics: prometheus/common expfmt/text_create.go; client_golang prometheus/internal/metric.go (NormalizeMetricFamilies).
 */
import { compareStrings, isLegacyLabelName, isLegacyMetricName } from '../labels/mod.ts'
import { formatGoFloat, type Metric, type MetricFamily } from './family.ts'

/** What an HTTP answer with this text says it is. */
export const TEXT_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** Families without metrics are left out. */
export function writeExposition(families: readonly MetricFamily[]): Uint8Array {
  return new TextEncoder().encode(formatExposition(families))
}

/** @example formatExposition([counter('a_total', 'As.', [{ labels: [], value: 3 }])]) // '# HELP a_total As.\n…' */
export function formatExposition(families: readonly MetricFamily[]): string {
  let out = ''
  for (const family of inTextOrder(families)) out += formatFamily(family)
  return out
}

/** As a page has them: families and metrics. */
export function inTextOrder(families: readonly MetricFamily[]): MetricFamily[] {
  return families
    .filter(({ metrics }) => metrics.length > 0)
    .sort((a, b) => compareStrings(a.name, b.name))
    .map((family) => {
      const { type, metrics } = family
      const sorted = sortMetrics(metrics, type === 'histogram' ? 'le' : type === 'summary' ? 'quantile' : '')
      return sorted === metrics ? family : { ...family, metrics: sorted }
    })
}

function formatFamily({ name, help, type, metrics }: MetricFamily): string {
  const isLegacy = isLegacyMetricName(name)
  const shown = isLegacy ? name : `"${escapeValue(name)}"`
  let out = help === null ? '' : `# HELP ${shown} ${escapeHelp(help)}\n`
  out += `# TYPE ${shown} ${type}\n`
  for (const metric of metrics) {
    const suffix = metric.suffix ?? ''
    out += isLegacy ? name + suffix : ''
    out += formatPairs(metric.labels, isLegacy ? '' : `"${escapeValue(name + suffix)}"`)
    out += ` ${formatGoFloat(metric.value)}`
    if (metric.timestampMs !== undefined) out += ` ${metric.timestampMs}`
    out += '\n'
  }
  return out
}

/** By number of labels, then by values; the lines of one histogram or summary compare as equal and stay in order. */
function sortMetrics(metrics: readonly Metric[], bound: string): readonly Metric[] {
  const sizeOf = ({ labels }: Metric): number =>
    labels.length - (bound !== '' && labels[labels.length - 2] === bound ? 2 : 0)
  const compare = (a: Metric, b: Metric): number => {
    const size = sizeOf(a)
    if (size !== sizeOf(b)) return size - sizeOf(b)
    for (let i = 1; i < size; i += 2) {
      const order = compareStrings(a.labels[i]!, b.labels[i]!)
      if (order !== 0) return order
    }
    return 0
  }
  for (let i = 1; i < metrics.length; i++) {
    if (compare(metrics[i - 1]!, metrics[i]!) > 0) return [...metrics].sort(compare)
  }
  return metrics
}

function formatPairs(labels: readonly string[], quotedName: string): string {
  if (labels.length === 0) return quotedName === '' ? '' : `{${quotedName}}`
  let out = `{${quotedName}`
  for (let i = 0; i < labels.length; i += 2) {
    if (out.length > 1) out += ','
    const name = labels[i]!
    out += `${isLegacyLabelName(name) ? name : `"${escapeValue(name)}"`}="${escapeValue(labels[i + 1]!)}"`
  }
  return `${out}}`
}

const escapeValue = (text: string): string =>
  /[\\\n"]/.test(text) ? text.replace(/[\\\n"]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`)) : text

const escapeHelp = (text: string): string =>
  /[\\\n]/.test(text) ? text.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\')) : text
