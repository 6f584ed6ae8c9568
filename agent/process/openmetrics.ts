/**
 * Metric families as OpenMetrics 1.0. Semantics: prometheus/common expfmt/openmetrics_create.go: a counter whose name
 * does not end in `_total` is of unknown type, for the format would rename it.
 */
import { formatOpenMetricsFloat, type MetricFamily } from '../../protocol/exposition/mod.ts'
import { compareStrings } from '../../protocol/labels/mod.ts'

export const OPENMETRICS_CONTENT_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** Families without metrics are left out. */
export function writeOpenMetrics(families: readonly MetricFamily[]): Uint8Array {
  let out = ''
  for (const family of [...families].sort((a, b) => compareStrings(a.name, b.name)))
    if (family.metrics.length > 0) out += formatFamily(family)
  return new TextEncoder().encode(`${out}# EOF\n`)
}

function formatFamily({ name, help, type, metrics }: MetricFamily): string {
  const isTotal = type === 'counter' && name.endsWith('_total')
  const shown = isTotal ? name.slice(0, -'_total'.length) : name
  const kind = type === 'untyped' || (type === 'counter' && !isTotal) ? 'unknown' : type
  let out = help === null ? '' : `# HELP ${quotedName(shown)} ${escaped(help)}\n`
  out += `# TYPE ${quotedName(shown)} ${kind}\n`
  for (const { labels, value, suffix = '', timestampMs } of metrics) {
    out += `${seriesOf(name + suffix, labels)} ${formatOpenMetricsFloat(value)}`
    out += timestampMs === undefined ? '\n' : ` ${timestampMs / 1000}\n`
  }
  return out
}

function seriesOf(name: string, labels: readonly string[]): string {
  const pairs = isLegacy(name) ? [] : [`"${escaped(name)}"`]
  for (let i = 0; i < labels.length; i += 2) {
    const label = labels[i]!
    const isNumber = label === 'le' || label === 'quantile'
    const value = isNumber ? formatOpenMetricsFloat(Number(labels[i + 1]!.replace('Inf', 'Infinity'))) : labels[i + 1]!
    pairs.push(`${isLegacy(label) ? label : `"${escaped(label)}"`}="${escaped(value)}"`)
  }
  return `${isLegacy(name) ? name : ''}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`}`
}

const isLegacy = (name: string): boolean => /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)
const quotedName = (name: string): string => (isLegacy(name) ? name : `"${escaped(name)}"`)
const escaped = (text: string): string => text.replace(/[\\\n"]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))
