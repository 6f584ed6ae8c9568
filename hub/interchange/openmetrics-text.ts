/**
 * Series as OpenMetrics text, with timestamps; with what the head knows of their families before the first of each, and
 * its exemplars. Semantics: OpenMetrics 1.0; Prometheus cmd/promtool/tsdb.go, formatSeriesSetOpenMetrics (v3.5).
 * Differs: upstream writes neither metadata nor exemplars.
 */
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import {
  formatLabels,
  isLegacyMetricName,
  type Labels,
  labelsFromSorted,
  labelValue,
  METRIC_NAME,
  quote,
} from '../../protocol/labels/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import type { SampleBuffer, SeriesReader } from '../tsdb/mod.ts'

export type TextReport = {
  samples: number
  /** OpenMetrics has no text for native histograms, nor for stale markers. */
  leftOut: number
}

/** Of the parts of a family, which stands under the name without it. */
const SUFFIX = /_(?:total|created|bucket|sum|count|gsum|gcount|info)$/

export class OpenMetricsText {
  readonly #families: ReadonlyMap<string, readonly Metadata[]>
  readonly #begun = new Set<string>()

  constructor(reader: Pick<SeriesReader, 'metadata'>) {
    this.#families = reader.metadata()
  }

  /** @param exemplars of the series, in the range of the samples */
  lines(labels: Labels, samples: SampleBuffer, exemplars: readonly Exemplar[], report: TextReport): string {
    const name = labelValue(labels, METRIC_NAME)
    const head = headOf(name, labels)
    const notes = exemplars
      .filter(({ timestampMs }) => timestampMs !== null)
      .sort((a, b) => a.timestampMs! - b.timestampMs!)
    let text = ''
    let note = 0
    for (let i = 0; i < samples.count; i++) {
      if (samples.flags[i] !== 0) {
        report.leftOut++
        continue
      }
      report.samples++
      const time = samples.times[i]!
      // A line has room for one: the last that had come by then.
      let last: Exemplar | null = null
      while (note < notes.length && notes[note]!.timestampMs! <= time) last = notes[note++]!
      text += `${head} ${formatGoFloat(samples.values[i]!)} ${secondsOf(time)}${last === null ? '' : exemplarText(last)}\n`
    }
    return text === '' ? '' : this.#begin(name) + text
  }

  /** What is known of the family of the name; once. */
  #begin(name: string): string {
    const family = this.#families.has(name) ? name : name.replace(SUFFIX, '')
    const metadata = this.#families.get(family)?.[0]
    if (!metadata || this.#begun.has(family)) return ''
    this.#begun.add(family)
    const { type, help, unit } = metadata
    // The text format has counters under the names of their samples.
    const own = type === 'counter' ? family.replace(/_total$/, '') : family
    const shown = isLegacyMetricName(own) ? own : quote(own)
    let text = `# TYPE ${shown} ${type}\n`
    // Parsers refuse a unit that the name does not end with.
    if (unit !== '' && own.endsWith(`_${unit}`)) text += `# UNIT ${shown} ${unit}\n`
    if (help !== '') text += `# HELP ${shown} ${help.replace(/[\\\n"]/g, escaped)}\n`
    return text
  }
}

/** Names that are not legacy ones stand inside of the braces. */
function headOf(name: string, labels: Labels): string {
  const rest: string[] = []
  for (let i = 0; i < labels.length; i += 2) if (labels[i] !== METRIC_NAME) rest.push(labels[i]!, labels[i + 1]!)
  const inner = pairsOf(rest)
  return isLegacyMetricName(name)
    ? name + (inner === '' ? '' : `{${inner}}`)
    : `{${quote(name)}${inner === '' ? '' : `,${inner}`}}`
}

function pairsOf(flat: readonly string[]): string {
  return formatLabels(labelsFromSorted(flat)).slice(1, -1).replaceAll('", ', '",')
}

function exemplarText({ labels, value, timestampMs }: Exemplar): string {
  return ` # {${pairsOf(labels)}} ${formatGoFloat(value)} ${secondsOf(timestampMs!)}`
}

const secondsOf = (ms: number): string => (ms / 1000).toFixed(3)
const escaped = (char: string): string => (char === '\n' ? '\\n' : `\\${char}`)
