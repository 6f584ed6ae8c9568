/**
 * `/federate`: the latest sample of every matching series, with its timestamp, untyped; native histograms where the
 * format has a place for them. External labels are added where the series has none of that name.
 * Semantics: Prometheus web/federate.go.
 */

import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import {
  compareLabels,
  compareStrings,
  isLegacyLabelName,
  isLegacyMetricName,
  type Labels,
  labelValue,
  METRIC_NAME,
} from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { CUSTOM_BUCKETS_SCHEMA, type Histogram } from '../../protocol/samples/mod.ts'
import type { SampleBuffer, SeriesReader } from '../tsdb/contract.ts'
import { escapeName, type FederationFormat, type NameEscaping } from './escape-names.ts'
import { familiesAsProto } from './federation-proto.ts'
import { JsonWriter } from './json.ts'
import { newSampleBuffer } from './sample-buffer.ts'

export type FederationOptions = {
  readonly timeMs: number
  readonly lookbackMs: number
  readonly externalLabels: Labels
  readonly escaping: NameEscaping
  readonly format: FederationFormat
}

export type Pair = readonly [name: string, value: string]
export type Line = {
  readonly name: string
  readonly labels: Labels
  readonly value: number
  /** In place of the value. */
  readonly histogram: Histogram | null
  readonly timeMs: number
}

export function writeFederation(
  reader: SeriesReader,
  selectors: readonly (readonly Matcher[])[],
  options: FederationOptions,
): Uint8Array {
  const range = { minTime: options.timeMs - options.lookbackMs + 1, maxTime: options.timeMs }
  const refs = new Set<number>()
  for (const matchers of selectors) for (const ref of reader.select(matchers, range)) refs.add(ref)
  const buffer: SampleBuffer = newSampleBuffer()
  const lines: Line[] = []
  for (const ref of refs) {
    reader.read(ref, range, buffer)
    const last = buffer.count - 1
    // Stale series are gone.
    if (last < 0 || buffer.flags[last] === 1) continue
    const histogram = buffer.flags[last] === 2 ? buffer.histograms![last]! : null
    if (histogram && (options.format === 'text' || histogram.schema === CUSTOM_BUCKETS_SCHEMA)) continue
    const labels = escaped(reader.labels(ref), options.escaping)
    lines.push({
      name: labelValue(labels, METRIC_NAME),
      labels,
      value: buffer.values[last]!,
      histogram,
      timeMs: buffer.times[last]!,
    })
  }
  lines.sort((a, b) => compareStrings(a.name, b.name) || compareLabels(a.labels, b.labels))
  const external = externalPairs(escaped(options.externalLabels, options.escaping))
  const named = lines.filter((line) => line.name !== '')
  return options.format === 'text'
    ? asText(named, external)
    : familiesAsProto(named, (line) => allPairs(line, external))
}

function asText(lines: readonly Line[], external: readonly Pair[]): Uint8Array {
  const out = new JsonWriter()
  let name = ''
  for (const line of lines) {
    if (line.name !== name) {
      name = line.name
      out.raw(`# TYPE ${isLegacyMetricName(name) ? name : `"${escapeText(name)}"`} untyped\n`)
    }
    out.raw(`${seriesText(line, external)} ${formatGoFloat(line.value)} ${line.timeMs}\n`)
  }
  return out.finish()
}

/** In order of their names. A series without `instance` gets an empty one, lest the scraping side puts its own there. */
function externalPairs(labels: Labels): Pair[] {
  const pairs = pairsOf(labels)
  if (!pairs.some(([name]) => name === 'instance')) pairs.push(['instance', ''])
  return pairs.sort(([a], [b]) => compareStrings(a, b))
}

/** The series' own labels, then those external ones that it lacks. */
function allPairs({ labels }: Line, external: readonly Pair[]): Pair[] {
  const own = pairsOf(labels).filter(([label]) => label !== METRIC_NAME)
  const names = new Set(own.map(([label]) => label))
  return [...own, ...external.filter(([label]) => !names.has(label))]
}

function seriesText(line: Line, external: readonly Pair[]): string {
  const { name } = line
  const pairs = allPairs(line, external).map(
    ([label, value]) => `${isLegacyLabelName(label) ? label : `"${escapeText(label)}"`}="${escapeText(value)}"`,
  )
  if (isLegacyMetricName(name)) return pairs.length > 0 ? `${name}{${pairs.join(',')}}` : name
  return `{"${escapeText(name)}"${pairs.length > 0 ? `,${pairs.join(',')}` : ''}}`
}

/** The metric's name is a value; all others are those of labels. */
function escaped(labels: Labels, scheme: NameEscaping): Labels {
  if (scheme === 'allow-utf-8') return labels
  return labels.map((text, i) => {
    if (i % 2 === 0) return escapeName(text, scheme)
    return labels[i - 1] === METRIC_NAME ? escapeName(text, scheme) : text
  }) as unknown as Labels
}

function pairsOf(labels: Labels): Pair[] {
  const out: Pair[] = []
  for (let i = 0; i < labels.length; i += 2) out.push([labels[i]!, labels[i + 1]!])
  return out
}

function escapeText(text: string): string {
  return text.replace(/[\\\n"]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))
}
