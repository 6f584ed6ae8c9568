/** Changes to label sets that expressions make: dropping the name, keeping or deleting labels, setting one. */
import {
  compareStrings,
  EMPTY_LABELS,
  type Labels,
  labelsFromSorted,
  METRIC_NAME,
} from '../../../protocol/labels/mod.ts'

/** Labels that describe the metric as a whole and go with its name (type-and-unit-labels feature). */
export const METADATA_LABELS: ReadonlySet<string> = new Set([METRIC_NAME, '__type__', '__unit__'])

/** As Labels.DropReserved(schema.IsMetadataLabel) in Prometheus model/labels. */
export function dropMetricName(labels: Labels): Labels {
  return deleteLabels(labels, METADATA_LABELS)
}

export function keepLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  let first = -1
  let count = 0
  for (let i = 0; i < labels.length; i += 2)
    if (names.has(labels[i]!)) {
      if (first < 0) first = i
      count++
    }
  if (count === 0) return EMPTY_LABELS
  // An array that grows is four times as large.
  const out = [labels[first]!, labels[first + 1]!]
  for (let i = first + 2; count > 1 && i < labels.length; i += 2)
    if (names.has(labels[i]!)) out.push(labels[i]!, labels[i + 1]!)
  return labelsFromSorted(out)
}

export function deleteLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  let first = -1
  let count = 0
  for (let i = 0; i < labels.length; i += 2)
    if (names.has(labels[i]!)) {
      if (first < 0) first = i
      count++
    }
  if (count === 0) return labels
  // The metric's name alone, as most often: an array that grows is larger.
  if (count === 1 && first === 0) return labelsFromSorted(labels.slice(2))
  const out: string[] = []
  for (let i = 0; i < labels.length; i += 2) if (!names.has(labels[i]!)) out.push(labels[i]!, labels[i + 1]!)
  return labelsFromSorted(out)
}

/** With `name` set to `value`; an empty value deletes it. */
export function setLabel(labels: Labels, name: string, value: string): Labels {
  const out: string[] = []
  let done = value === ''
  for (let i = 0; i < labels.length; i += 2) {
    const current = labels[i]!
    if (current === name) continue
    if (!done && compareStrings(current, name) > 0) {
      out.push(name, value)
      done = true
    }
    out.push(current, labels[i + 1]!)
  }
  if (!done) out.push(name, value)
  return labelsFromSorted(out)
}
