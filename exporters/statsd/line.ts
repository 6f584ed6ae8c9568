/**
 * One StatsD line into events: `name:value|type[|@rate][|#tags][|c:container][|Ttime]`, several values in a line, and
 * DogStatsD's packed values `name:1:2:3|ms`. Semantics: statsd_exporter pkg/line/line.go, LineToEvents (v0.30).
 *
 * Differs: text that is not UTF-8 is refused by `decodeLines`, before it gets here.
 */
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import type { EventKind, LineCounters, SampleError, StatsdEvent } from './event.ts'
import { readDogstatsdTags, splitName, type TagStyles } from './tags.ts'

/** More components than any dialect has. */
const MAX_COMPONENTS = 8
/** Without a prototype: clients may send any word, `constructor` as well. */
const KINDS: Readonly<Record<string, EventKind>> = {
  __proto__: null as never,
  c: 'counter',
  g: 'gauge',
  ms: 'observer',
  h: 'observer',
  d: 'observer',
}

export type EventSink = (event: StatsdEvent) => void

/** Counts what it cannot read in `counters` and goes on. */
export function parseLine(line: string, styles: TagStyles, counters: LineCounters, sink: EventSink): void {
  if (line === '') return
  const error = parseSamples(line, styles, counters, sink)
  if (error !== null) countError(counters, error)
}

/** @returns why the whole line is refused */
function parseSamples(line: string, styles: TagStyles, counters: LineCounters, sink: EventSink): SampleError | null {
  const colon = line.indexOf(':')
  if (colon <= 0) return 'malformed_line'
  const labels = new Map<string, string>()
  const name = splitName(line.slice(0, colon), styles, labels, counters)
  const rest = line.slice(colon + 1)
  const hasDogstatsdTags = rest.includes('|#')
  if (hasDogstatsdTags && labels.size > 0) return 'mixed_tagging_styles'
  const bar = rest.indexOf('|')
  if (bar < 0) return 'not_enough_parts_after_colon'

  const values = rest.slice(0, bar)
  if (values.includes(':')) {
    const suffix = rest.slice(bar)
    if (!/^\|(?:ms|h|d)(?:\||$)/.test(suffix)) return 'invalid_extended_aggregate_type'
    for (const value of values.split(':')) take(value + suffix)
  } else if (hasDogstatsdTags) take(rest)
  else for (const sample of rest.split(':')) take(sample)
  return null

  function take(sample: string): void {
    const error = parseSample(sample, name, labels, styles, counters, sink)
    if (error !== null) countError(counters, error)
  }
}

/** @returns why the sample is refused */
function parseSample(
  sample: string,
  name: string,
  labels: Map<string, string>,
  styles: TagStyles,
  counters: LineCounters,
  sink: EventSink,
): SampleError | null {
  counters.samples++
  const components = sample.split('|')
  if (components.length < 2 || components.length > MAX_COMPONENTS) return 'malformed_component'
  const text = components[0]!
  const type = components[1]!
  let value = parseGoFloat(text)
  if (value === null) return 'malformed_value'
  if (components.indexOf('', 2) >= 0) return 'malformed_component'

  let times = 1
  for (let i = 2; i < components.length; i++) {
    const component = components[i]!
    switch (component[0]) {
      case '@': {
        const factor = parseGoFloat(component.slice(1))
        // A rate that cannot be read is counted, and the sample taken as it is.
        if (factor === null) countError(counters, 'invalid_sample_factor')
        else if (factor !== 0 && type === 'c') value /= factor
        else if (factor !== 0 && KINDS[type] === 'observer') times = Math.trunc(1 / factor)
        break
      }
      case '#':
        if (styles.dogstatsd) readDogstatsdTags(component.slice(1), labels, counters)
        break
      case 'c':
        if (!component.startsWith('c:') || component.length === 2) return 'malformed_container_id'
        labels.set('container_id', component.slice(2))
        break
      case 'T':
        // The sender's time is not forwarded, so that a bad one costs nothing but a count.
        if (!isInt64(component.slice(1))) countError(counters, 'malformed_timestamp')
        break
      default:
        return 'invalid_sample_factor'
    }
  }
  if (labels.size > 0) counters.tags++
  const kind = KINDS[type]
  if (kind === undefined) return 'illegal_event'
  // A rate so small that its inverse is no int64 is none to upstream either.
  if (!(times >= 1 && times < 2 ** 63)) return null
  // StatsD times in milliseconds, Prometheus in seconds.
  if (type === 'ms') value /= 1000
  sink({ kind, name, value, relative: kind === 'gauge' && /^[+-]/.test(text), labels, times })
  return null
}

/**
 * The lines of a packet. Bytes that are not UTF-8 cost the lines that have them.
 * @param sink gets '' for a line that cannot be read, after it was counted
 */
export function decodeLines(packet: Uint8Array, counters: LineCounters, sink: (line: string) => void): void {
  const text = decodeUtf8(packet)
  if (text !== null) {
    for (const line of text.split('\n')) {
      counters.lines++
      sink(line)
    }
    return
  }
  let from = 0
  for (;;) {
    const end = packet.indexOf(0x0a, from)
    const line = decodeUtf8(packet.subarray(from, end < 0 ? packet.length : end))
    counters.lines++
    if (line === null) countError(counters, 'malformed_line')
    else sink(line)
    if (end < 0) return
    from = end + 1
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes)
  } catch {
    return null
  }
}

function isInt64(text: string): boolean {
  const match = /^([+-]?)0*(\d{1,19})$/.exec(text)
  return match !== null && BigInt(match[2]!) < 2n ** 63n + (match[1] === '-' ? 1n : 0n)
}

/** As Go's strconv.ParseFloat; digits that no float holds (1e400) are an error. */
function parseGoFloat(text: string): number | null {
  const isDecimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text)
  const value = isDecimal ? Number(text) : readGoFloat(text)
  if (typeof value !== 'number') return null
  return isDecimal && !Number.isFinite(value) ? null : value
}

function countError({ sampleErrors }: LineCounters, reason: SampleError): void {
  sampleErrors.set(reason, (sampleErrors.get(reason) ?? 0) + 1)
}
