/**
 * A whole page as a list of entries: for conformance, metadata and tools. Scrapes use `page-reader.ts`.
 *
 * OpenMetrics `_created` lines become start timestamps of the series they speak of, with upstream's limits: the line
 * must follow its series, before that of any other.
 * Semantics: Prometheus model/textparse, Parser.Next and StartTimestamp (v3).
 */
import type { Labels } from '../labels/mod.ts'
import type { Exemplar, MetricType } from '../samples/mod.ts'
import { EntryKind, ExpositionParser, type ParserOptions } from './parser.ts'

export type SeriesEntry = {
  readonly kind: 'series'
  /** As it stands in the page. */
  readonly series: string
  /** Sorted by name; may hold empty values and repeated names, as exposed. */
  readonly labels: Labels
  readonly value: number
  readonly timestampMs: number | null
  /** 0: unknown. */
  readonly startTimestampMs: number
  readonly exemplars: readonly Exemplar[]
}

export type ExpositionEntry =
  | { readonly kind: 'help'; readonly metric: string; readonly help: string }
  | { readonly kind: 'type'; readonly metric: string; readonly type: MetricType }
  | { readonly kind: 'unit'; readonly metric: string; readonly unit: string }
  | { readonly kind: 'comment'; readonly text: string }
  | SeriesEntry

export type ParseOptions = ParserOptions & {
  /** False: `_created` lines are series like any other. Default true. */
  readonly startTimestamps?: boolean
}

type Line = { readonly entry: ExpositionEntry; readonly key: string; readonly created: boolean }

/**
 * @throws ExpositionError
 * @example parseExposition(new TextEncoder().encode('up 1\n'), { format: 'text' })
 */
export function parseExposition(bytes: Uint8Array, options: ParseOptions): ExpositionEntry[] {
  const parser = new ExpositionParser(bytes, options)
  const withStarts = options.format === 'openmetrics' && (options.startTimestamps ?? true)
  const lines: Line[] = []
  for (let kind = parser.next(); kind !== EntryKind.end; kind = parser.next()) {
    const entry = entryOf(parser, kind)
    const { key, created } =
      withStarts && kind === EntryKind.series ? parser.startTimestampKey() : { key: '', created: false }
    lines.push({ entry, key, created })
  }
  return withStarts ? withStartTimestamps(lines) : lines.map(({ entry }) => entry)
}

function entryOf(parser: ExpositionParser, kind: EntryKind): ExpositionEntry {
  switch (kind) {
    case EntryKind.help:
      return { kind: 'help', metric: parser.metaName, help: parser.metaText }
    case EntryKind.type:
      return { kind: 'type', metric: parser.metaName, type: parser.metaText as MetricType }
    case EntryKind.unit:
      return { kind: 'unit', metric: parser.metaName, unit: parser.metaText }
    case EntryKind.comment:
      return { kind: 'comment', text: parser.metaText }
    case EntryKind.series:
      return {
        kind: 'series',
        series: parser.seriesText(),
        labels: parser.labels(),
        value: parser.value,
        timestampMs: parser.hasTimestamp ? parser.timestampMs : null,
        startTimestampMs: 0,
        exemplars: parser.exemplar === null ? [] : [parser.exemplar],
      }
    default:
      throw new Error(`BUG: entry kind ${kind}`)
  }
}

/** Takes the `_created` lines out and gives what they say to the series before them. */
function withStartTimestamps(lines: readonly Line[]): ExpositionEntry[] {
  const nextCreated = createdAfter(lines)
  const out: ExpositionEntry[] = []
  let cachedKey = ''
  let cachedMs = 0
  lines.forEach((line, i) => {
    if (line.entry.kind !== 'series') {
      out.push(line.entry)
      return
    }
    if (line.created) return
    if (line.key === '') cachedKey = ''
    else if (line.key !== cachedKey || cachedMs <= 0) {
      const created = nextCreated[i]!
      const found = created >= 0 && lines[created]!.key === line.key
      cachedKey = found ? line.key : ''
      cachedMs = found ? Math.trunc((lines[created]!.entry as SeriesEntry).value * 1000) : 0
    }
    const startTimestampMs = line.key !== '' && line.key === cachedKey ? cachedMs : 0
    out.push({ ...line.entry, startTimestampMs })
  })
  return out
}

/** For each line the next `_created` one before any meta line, or -1. */
function createdAfter(lines: readonly Line[]): Int32Array {
  const next = new Int32Array(lines.length)
  let created = -1
  for (let i = lines.length - 1; i >= 0; i--) {
    next[i] = created
    const line = lines[i]!
    if (line.entry.kind !== 'series') created = -1
    else if (line.created) created = i
  }
  return next
}
