/**
 * `/federate`: the latest sample of every matching series as text, with its timestamp, untyped. External labels are
 * added where the series has none of that name. Semantics: Prometheus web/federate.go.
 */

import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import {
  compareLabels,
  isLegacyLabelName,
  isLegacyMetricName,
  type Labels,
  labelsFrom,
  labelsToObject,
  METRIC_NAME,
} from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { SampleBuffer, SeriesReader } from '../tsdb/contract.ts'
import { JsonWriter } from './json.ts'
import { newSampleBuffer } from './sample-buffer.ts'

export type FederationOptions = {
  readonly timeMs: number
  readonly lookbackMs: number
  readonly externalLabels: Labels
}

type Line = { readonly labels: Labels; readonly value: number; readonly timeMs: number }

export function writeFederation(
  reader: SeriesReader,
  selectors: readonly (readonly Matcher[])[],
  options: FederationOptions,
): Uint8Array {
  const range = { minTime: options.timeMs - options.lookbackMs + 1, maxTime: options.timeMs }
  const refs = new Set<number>()
  for (const matchers of selectors) for (const ref of reader.select(matchers, range)) refs.add(ref)
  const buffer: SampleBuffer = newSampleBuffer()
  const external = labelsToObject(options.externalLabels)
  const lines: Line[] = []
  for (const ref of refs) {
    reader.read(ref, range, buffer)
    const last = buffer.count - 1
    // Native histograms have no place in this text format; stale series are gone.
    if (last < 0 || buffer.flags[last] !== 0) continue
    const own = labelsToObject(reader.labels(ref))
    lines.push({
      labels: labelsFrom({ ...external, ...own }),
      value: buffer.values[last]!,
      timeMs: buffer.times[last]!,
    })
  }
  lines.sort((a, b) => compareNames(a.labels, b.labels) || compareLabels(a.labels, b.labels))
  const out = new JsonWriter()
  let name = ''
  for (const line of lines) {
    const own = labelsToObject(line.labels)[METRIC_NAME] ?? ''
    if (own === '') continue
    if (own !== name) {
      name = own
      out.raw(`# TYPE ${isLegacyMetricName(name) ? name : `"${escapeText(name)}"`} untyped\n`)
    }
    out.raw(`${series(line.labels)} ${formatGoFloat(line.value)} ${line.timeMs}\n`)
  }
  return out.finish()
}

function compareNames(a: Labels, b: Labels): number {
  const x = labelsToObject(a)[METRIC_NAME] ?? ''
  const y = labelsToObject(b)[METRIC_NAME] ?? ''
  return x < y ? -1 : x > y ? 1 : 0
}

function series(labels: Labels): string {
  let name = ''
  const pairs: string[] = []
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === METRIC_NAME) name = labels[i + 1]!
    else
      pairs.push(
        `${isLegacyLabelName(labels[i]!) ? labels[i] : `"${escapeText(labels[i]!)}"`}="${escapeText(labels[i + 1]!)}"`,
      )
  }
  // A series without `instance` gets an empty one, so that the scraping side does not put its own there.
  if (!labels.includes('instance')) pairs.push('instance=""')
  if (!isLegacyMetricName(name)) return `{"${escapeText(name)}"${pairs.length > 0 ? `,${pairs.join(',')}` : ''}}`
  return pairs.length > 0 ? `${name}{${pairs.join(',')}}` : name
}

function escapeText(text: string): string {
  return text.replace(/[\\\n"]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))
}
