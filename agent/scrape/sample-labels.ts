/**
 * From the labels a target exposes to the labels a series has.
 * Semantics: Prometheus scrape/scrape.go, mutateSampleLabels, mutateReportSampleLabels, verifyLabelLimits (v3.14).
 */
import {
  compareStrings,
  formatLabels,
  isLegacyLabelName,
  isLegacyMetricName,
  type Labels,
  labelsFrom,
  labelsFromSorted,
  labelValue,
  METRIC_NAME,
  quote,
} from '../../protocol/labels/mod.ts'
import type { ScrapeTargetConfig } from './target.ts'

/** The page breaks a rule or a limit: the scrape as a whole fails, with upstream's words. */
export class SampleLabelsError extends Error {
  readonly code: 'label_limit' | 'invalid_labels'
  constructor(code: SampleLabelsError['code'], message: string) {
    super(message)
    this.name = 'SampleLabelsError'
    this.code = code
  }
}

/**
 * Target labels and metric relabelling applied; null when a rule drops the series.
 * @throws SampleLabelsError
 */
export function sampleLabels(exposed: Labels, config: ScrapeTargetConfig): Labels | null {
  for (let i = 2; i < exposed.length; i += 2) {
    if (exposed[i] === exposed[i - 2]) {
      throw new SampleLabelsError('invalid_labels', `label name ${quote(exposed[i]!)} is not unique: invalid sample`)
    }
  }
  const merged = mergeTargetLabels(exposed, config)
  const labels = config.metricRelabel === null ? merged : config.metricRelabel(merged)
  if (labels === null || labels.length === 0) return null
  validate(labels, config)
  return labels
}

/** One walk over both: they are sorted by name. Target labels have no empty values. */
function mergeTargetLabels(exposed: Labels, { labels: target, honorLabels }: ScrapeTargetConfig): Labels {
  const out: string[] = []
  const conflicts: [name: string, value: string][] = []
  let e = 0
  let t = 0
  while (e < exposed.length || t < target.length) {
    const order = e >= exposed.length ? 1 : t >= target.length ? -1 : compareStrings(exposed[e]!, target[t]!)
    if (order === 0 && !honorLabels && exposed[e + 1] !== '') conflicts.push([exposed[e]!, exposed[e + 1]!])
    if (order > 0 || (order === 0 && !honorLabels)) out.push(target[t]!, target[t + 1]!)
    // An exposed empty label counts as present with honor_labels: a target's way to say "not this label".
    else if (exposed[e + 1] !== '') out.push(exposed[e]!, exposed[e + 1]!)
    if (order <= 0) e += 2
    if (order >= 0) t += 2
  }
  return conflicts.length === 0 ? labelsFromSorted(out) : withExported(out, conflicts)
}

function withExported(flat: readonly string[], conflicts: [name: string, value: string][]): Labels {
  const out = new Map<string, string>()
  for (let i = 0; i < flat.length; i += 2) out.set(flat[i]!, flat[i + 1]!)
  // Shorter names first, so that job gives way to exported_job before exported_job does to exported_exported_job.
  conflicts.sort((a, b) => a[0].length - b[0].length)
  for (const [name, value] of conflicts) {
    let exported = `exported_${name}`
    while (out.has(exported)) exported = `exported_${exported}`
    out.set(exported, value)
  }
  return labelsFrom(out)
}

function validate(labels: Labels, config: ScrapeTargetConfig): void {
  const metric = labelValue(labels, METRIC_NAME)
  if (metric === '') throw new SampleLabelsError('invalid_labels', 'missing metric name (__name__ label)')
  if (!isValid(labels, metric, config.nameValidation)) {
    throw new SampleLabelsError('invalid_labels', `invalid metric name or label names: ${formatLabels(labels)}`)
  }
  const { limits } = config
  const count = labels.length / 2
  if (limits.labels > 0 && count > limits.labels) {
    throw limitError(
      `label_limit exceeded (metric: ${clip(metric)}, number of labels: ${count}, limit: ${limits.labels})`,
    )
  }
  if (limits.labelNameLength === 0 && limits.labelValueLength === 0) return
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!
    const value = labels[i + 1]!
    const nameLength = byteLength(name)
    if (limits.labelNameLength > 0 && nameLength > limits.labelNameLength) {
      throw limitError(
        `label_name_length_limit exceeded (metric: ${clip(metric)}, label name: ${clip(name)}, length: ${nameLength}, limit: ${limits.labelNameLength})`,
      )
    }
    const valueLength = byteLength(value)
    if (limits.labelValueLength > 0 && valueLength > limits.labelValueLength) {
      throw limitError(
        `label_value_length_limit exceeded (metric: ${clip(metric)}, label name: ${clip(name)}, value: ${quote(clip(value))}, length: ${valueLength}, limit: ${limits.labelValueLength})`,
      )
    }
  }
}

function isValid(labels: Labels, metric: string, scheme: ScrapeTargetConfig['nameValidation']): boolean {
  if (scheme === 'utf8') return labels[0] !== ''
  if (!isLegacyMetricName(metric)) return false
  for (let i = 0; i < labels.length; i += 2) if (!isLegacyLabelName(labels[i]!)) return false
  return true
}

/**
 * Labels of `up` and its like: the target's own, nothing else. Of two named `n` and `exported_n` the second is left out,
 * as by mutateReportSampleLabels in Prometheus scrape/scrape.go (v3): it moves the report's own `n` there, of which it
 * has none.
 */
export function reportLabels(metric: string, target: Labels): Labels {
  const out = new Map<string, string>([[METRIC_NAME, metric]])
  for (let i = 0; i < target.length; i += 2) {
    out.delete(`exported_${target[i]}`)
    out.set(target[i]!, target[i + 1]!)
  }
  return labelsFrom(out)
}

const limitError = (message: string): SampleLabelsError => new SampleLabelsError('label_limit', message)
const byteLength = (text: string): number => new TextEncoder().encode(text).length
/** Go's `%.50s`: the first fifty characters. */
const clip = (text: string): string => [...text].slice(0, 50).join('')
