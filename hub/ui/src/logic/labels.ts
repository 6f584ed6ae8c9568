/** Label sets as text. Semantics: Prometheus labels.Labels.String(), and UTF-8 names quoted inside the braces. */

export type LabelSet = Readonly<Record<string, string>>

const METRIC_NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/

export function quote(text: string): string {
  return `"${text.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))}"`
}

export type LabelPart = { readonly name: string; readonly value: string }

/** The metric name and the other labels, sorted by name. */
export function splitLabels(labels: LabelSet): { readonly name: string; readonly rest: readonly LabelPart[] } {
  const rest = Object.keys(labels)
    .filter((name) => name !== '__name__')
    .sort()
    .map((name) => ({ name, value: labels[name]! }))
  return { name: labels['__name__'] ?? '', rest }
}

/** A selector that names exactly this series: `up{job="node"}`, `{"my metric", a="b"}`; `{}` for none. */
export function formatSeries(labels: LabelSet): string {
  const { name, rest } = splitLabels(labels)
  const isPlain = name === '' || METRIC_NAME.test(name)
  const pairs = rest.map((part) => `${formatLabelName(part.name)}=${quote(part.value)}`)
  if (!isPlain) pairs.unshift(quote(name))
  if (pairs.length === 0) return name === '' ? '{}' : name
  return `${isPlain ? name : ''}{${pairs.join(', ')}}`
}

export function formatLabelName(name: string): string {
  return LABEL_NAME.test(name) ? name : quote(name)
}

/** Two label sets are equal exactly if their keys are. */
export function seriesKey(labels: LabelSet): string {
  return JSON.stringify(
    Object.keys(labels)
      .sort()
      .map((name) => [name, labels[name]]),
  )
}

/** Labels that all series share, apart from `__name__`: shown once, not in every row. */
export function commonLabels(all: readonly LabelSet[]): LabelSet {
  const first = all[0]
  if (!first || all.length < 2) return {}
  const common: Record<string, string> = {}
  for (const [name, value] of Object.entries(first))
    if (name !== '__name__' && all.every((labels) => labels[name] === value)) common[name] = value
  return common
}
