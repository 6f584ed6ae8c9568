/** One file of the textfile collector: text 0.0.4, grouped into families as client_golang's registry would show them. */
import { type FamilyType, formatGoFloat, type Metric, parseExposition } from '../../protocol/exposition/mod.ts'
import { isLegacyLabelName, isLegacyMetricName, METRIC_NAME } from '../../protocol/labels/mod.ts'

export type TextFamily = {
  readonly name: string
  /** null: the file has none, or an empty one. */
  readonly help: string | null
  readonly type: FamilyType
  readonly groups: ReadonlyMap<string, Group>
}

/** The samples of one label set, without `le` and `quantile`; plain families have `value` only. */
export type Group = {
  readonly labels: readonly string[]
  value: number | null
  sum: number
  count: number
  /** By the text of `le` or `quantile`. */
  readonly bounds: Map<number, number>
}

/** @throws ExpositionError, or Error for timestamps, repeated samples or a last line without an end */
export function parseTextFile(bytes: Uint8Array): TextFamily[] {
  if (bytes.length > 0 && bytes.at(-1) !== 0x0a)
    throw new Error('the last line has no end: the file is cut off or still being written')
  const helps = new Map<string, string>()
  const types = new Map<string, FamilyType>()
  const families = new Map<string, TextFamily & { readonly groups: Map<string, Group> }>()
  // The parser of scrapes takes such lines; upstream reads files with another one.
  const blank = /^[^#\s][^\n]*[ \t]$/m.exec(new TextDecoder().decode(bytes))
  if (blank) throw new Error(`expected integer as timestamp, got "": ${JSON.stringify(blank[0])}`)
  for (const entry of parseExposition(bytes, { format: 'text' })) {
    if (entry.kind === 'help') {
      if (helps.has(entry.metric)) throw new Error(`second HELP line for metric name "${entry.metric}"`)
      helps.set(entry.metric, entry.help)
    } else if (entry.kind === 'type') {
      if (types.has(entry.metric) || families.has(entry.metric))
        throw new Error(`second TYPE line for metric name "${entry.metric}", or TYPE reported after samples`)
      types.set(entry.metric, familyType(entry.type))
    } else if (entry.kind === 'series') {
      if (entry.timestampMs !== null) throw new Error('the file has client-side timestamps, which are unsupported')
      checkNames(entry.labels)
      const { name, suffix } = splitName(nameOf(entry.labels), types)
      const type = types.get(name) ?? 'untyped'
      let family = families.get(name)
      if (!family) {
        family = { name, help: helps.get(name) || null, type, groups: new Map() }
        families.set(name, family)
      }
      addSample(family, suffix, entry.labels, entry.value)
    }
  }
  return [...families.values()]
}

/** @throws Error for names beyond the legacy ones, and for a label that is there twice or is the metric's name */
function checkNames(labels: readonly string[]): void {
  const metric = nameOf(labels)
  if (!isLegacyMetricName(metric)) throw new Error(`invalid metric name "${metric}"`)
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === labels[i + 2]) throw new Error(`duplicate label names for metric "${metric}"`)
    if (!isLegacyLabelName(labels[i]!)) throw new Error(`invalid label name "${labels[i]}" of metric "${metric}"`)
  }
}

function familyType(type: string): FamilyType {
  return type === 'counter' || type === 'gauge' || type === 'histogram' || type === 'summary' ? type : 'untyped'
}

function nameOf(labels: readonly string[]): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === METRIC_NAME) return labels[i + 1]!
  return ''
}

/** `x_sum` belongs to `x` when that is a histogram or summary. */
function splitName(name: string, types: Map<string, FamilyType>): { readonly name: string; readonly suffix: string } {
  const match = /^(.+)(_bucket|_sum|_count)$/.exec(name)
  const type = match ? types.get(match[1]!) : undefined
  if (type === 'histogram' || (type === 'summary' && match![2] !== '_bucket'))
    return { name: match![1]!, suffix: match![2]! }
  return { name, suffix: '' }
}

function addSample(
  family: { readonly name: string; readonly type: FamilyType; readonly groups: Map<string, Group> },
  suffix: string,
  labels: readonly string[],
  value: number,
): void {
  const bound = family.type === 'histogram' ? 'le' : family.type === 'summary' ? 'quantile' : ''
  const own: string[] = []
  let boundText: string | null = null
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === METRIC_NAME) continue
    if (labels[i] === bound) boundText = labels[i + 1]!
    else own.push(labels[i]!, labels[i + 1]!)
  }
  const key = own.join('\0')
  let group = family.groups.get(key)
  if (!group) {
    group = { labels: own, value: null, sum: 0, count: 0, bounds: new Map() }
    family.groups.set(key, group)
  }
  if (suffix === '_sum') group.sum = value
  else if (suffix === '_count') group.count = value
  else if (bound === '') {
    if (group.value !== null) throw new Error(`${family.name} has two samples with the same labels`)
    group.value = value
  } else if (boundText !== null) group.bounds.set(parseBound(boundText), value)
}

function parseBound(text: string): number {
  return text === '+Inf' ? Infinity : Number(text)
}

/** Lines of one group. @param labels its labels, with empty ones for the names that only others of the family have */
export function groupLines(type: FamilyType, group: Group, labels: readonly string[]): Metric[] {
  if (type !== 'histogram' && type !== 'summary') return [{ labels, value: group.value ?? 0 }]
  const bounds = [...group.bounds].sort(([a], [b]) => a - b)
  const histogram = type === 'histogram'
  const label = histogram ? 'le' : 'quantile'
  const out: Metric[] = bounds.map(([at, value]) => ({
    labels: [...labels, label, formatGoFloat(at)],
    value,
    ...(histogram ? { suffix: '_bucket' as const } : {}),
  }))
  if (histogram && !group.bounds.has(Infinity))
    out.push({ labels: [...labels, 'le', '+Inf'], value: group.count, suffix: '_bucket' })
  out.push({ labels, value: group.sum, suffix: '_sum' }, { labels, value: group.count, suffix: '_count' })
  return out
}
