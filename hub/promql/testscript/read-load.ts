/** `load` blocks: series descriptions, start timestamps, the native histograms of `load_with_nhcb`. */
import { parseDuration } from '../../../protocol/durations/mod.ts'
import { type Labels, labelsKey } from '../../../protocol/labels/mod.ts'
import { type Histogram, setStaleAt } from '../../../protocol/samples/mod.ts'
import { parseMetricLabels, parseSeriesDescription, type SequenceValue } from '../series-description/mod.ts'
import { convertClassicHistograms } from './nhcb.ts'
import type { Block } from './read.ts'
import { type LoadCommand, type LoadedSeries, SampleKind, ScriptError } from './types.ts'

const HEADER = /^load(?:_(with_nhcb))?\s+(.+?)$/i

/** @throws ScriptError */
export function parseLoad({ line, lines }: Block): LoadCommand {
  const header = HEADER.exec(lines[0]!)
  if (!header) throw new ScriptError(line, 'invalid load command, must be "load[_with_nhcb] <step>"')
  const stepMs = guard(line, () => parseDuration(header[2]!))
  const series = new Map<string, LoadedSeries>()
  let starts: StartTimes | null = null
  for (const [i, text] of lines.slice(1).entries()) {
    const at = line + 1 + i
    if (isStartTimes(text)) {
      if (starts) throw new ScriptError(at, 'two @st lines in a row: the series of the first is missing')
      starts = guard(at, () => parseStartTimes(text))
      continue
    }
    const { labels, values } = guard(at, () => parseSeriesDescription(text))
    if (starts) checkStartTimes(at, starts, labels, values.length)
    series.set(labelsKey(labels), loadedSeries(labels, values, stepMs, starts))
    starts = null
  }
  if (starts) throw new ScriptError(line + lines.length - 1, 'an @st line without its series')
  const loaded = [...series.values()]
  if (!header[1]) return { kind: 'load', line, stepMs, series: loaded }
  return { kind: 'load', line, stepMs, series: [...loaded, ...guard(line, () => convertClassicHistograms(loaded))] }
}

function loadedSeries(
  labels: Labels,
  all: readonly SequenceValue[],
  stepMs: number,
  starts: StartTimes | null,
): LoadedSeries {
  const n = all.reduce((count, value) => count + (value.kind === 'omitted' ? 0 : 1), 0)
  const times = new Float64Array(n)
  const values = new Float64Array(n)
  const words = new Uint32Array(values.buffer)
  const kinds = new Uint8Array(n)
  const startTimes = starts ? new Float64Array(n) : null
  let histograms: (Histogram | undefined)[] | null = null
  let out = 0
  for (const [i, value] of all.entries()) {
    if (value.kind === 'omitted') continue
    times[out] = i * stepMs
    const offset = starts?.offsets[i] ?? null
    if (startTimes && offset !== null) startTimes[out] = i * stepMs + offset
    if (value.kind === 'float') values[out] = value.value
    else if (value.kind === 'stale') {
      kinds[out] = SampleKind.stale
      setStaleAt(words, out)
    } else {
      kinds[out] = SampleKind.histogram
      histograms ??= []
      histograms[out] = value.histogram
    }
    out++
  }
  return { labels, times, values, kinds, histograms, startTimes }
}

/** Milliseconds relative to the sample of the same position; null = no start timestamp. */
type StartTimes = { readonly labels: Labels; readonly offsets: readonly (number | null)[] }

/** The first word ends in `@st`; braces and quotes of the labels may hold spaces. */
function isStartTimes(text: string): boolean {
  return splitStartTimes(text) !== null
}

function splitStartTimes(text: string): { readonly series: string; readonly items: readonly string[] } | null {
  const match =
    /^((?:[^\s{"'`]*)(?:\{(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`|[^}"'`])*\})?)@st(?:\s+(.*))?$/.exec(text)
  if (!match) return null
  return { series: match[1]!, items: (match[2] ?? '').split(/\s+/).filter((item) => item !== '') }
}

const DURATION = String.raw`(?:\d+(?:ms|[smhdwy])|0)`
const ITEM = new RegExp(`^([+-]?${DURATION})(?:([+-])(${DURATION}))?(?:x(\\d+))?$`)

function parseStartTimes(text: string): StartTimes {
  const split = splitStartTimes(text)
  if (!split) throw new Error('BUG: not an @st line')
  const offsets: (number | null)[] = []
  for (const item of split.items) {
    const omitted = /^_(?:x(\d+))?$/.exec(item)
    if (omitted) {
      for (let i = Number(omitted[1] ?? 1); i > 0; i--) offsets.push(null)
      continue
    }
    const match = ITEM.exec(item)
    if (!match || (match[2] !== undefined && match[4] === undefined)) {
      throw new SyntaxError(`invalid start timestamp ${JSON.stringify(item)}, want <duration>, <duration>xN or _`)
    }
    const step = match[3] === undefined ? 0 : signedDuration(match[2]! + match[3])
    let offset = signedDuration(match[1]!)
    for (let i = Number(match[4] ?? 0); i >= 0; i--) {
      offsets.push(offset)
      offset += step
    }
  }
  return { labels: parseMetricLabels(split.series), offsets }
}

function signedDuration(text: string): number {
  const ms = parseDuration(text.replace(/^[+-]/, ''))
  return text.startsWith('-') ? -ms : ms
}

function checkStartTimes(line: number, { labels, offsets }: StartTimes, series: Labels, count: number): void {
  if (labelsKey(labels) !== labelsKey(series)) {
    throw new ScriptError(line, 'the @st line before this series has other labels')
  }
  if (offsets.length !== count) {
    throw new ScriptError(line, `${offsets.length} start timestamps for a series of ${count} values`)
  }
}

/** Puts the line to what the parsers of parts throw. */
export function guard<T>(line: number, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof ScriptError || !(error instanceof Error) || error.message.startsWith('BUG')) throw error
    throw new ScriptError(line, error.message, { cause: error })
  }
}
