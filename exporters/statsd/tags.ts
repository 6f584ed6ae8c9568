/**
 * The tag dialects: InfluxDB `name,k=v:…`, Librato `name#k=v:…`, SignalFX `na[k=v]me:…`, DogStatsD `…|#k:v`.
 * Semantics: statsd_exporter pkg/line/line.go, pkg/mapper/escape.go (v0.30).
 */
import type { LineCounters } from './event.ts'

export type TagStyles = {
  readonly dogstatsd: boolean
  readonly influxdb: boolean
  readonly librato: boolean
  readonly signalfx: boolean
}

/** Reads the tags within a name into `labels`. @returns the name without them */
export function splitName(
  name: string,
  styles: TagStyles,
  labels: Map<string, string>,
  counters: LineCounters,
): string {
  if (styles.signalfx) {
    const open = name.indexOf('[')
    const close = name.indexOf(']')
    if (open >= 0 && close >= open) {
      readTags(name.slice(open + 1, close), '=', labels, counters)
      return name.slice(0, open) + name.slice(close + 1)
    }
    if (open >= 0 || close >= 0) {
      counters.tagErrors++
      return name
    }
  }
  for (let i = 0; i < name.length; i++) {
    const c = name[i]
    if ((c === '#' && styles.librato) || (c === ',' && styles.influxdb)) {
      readTags(name.slice(i + 1), '=', labels, counters)
      return name.slice(0, i)
    }
  }
  return name
}

/** `k:v,k:v` after `|#`; some clients put the `#` before every tag. */
export function readDogstatsdTags(text: string, labels: Map<string, string>, counters: LineCounters): void {
  readTags(text, ':', labels, counters)
}

/** An empty tag, key or value is counted and left out. */
function readTags(text: string, separator: '=' | ':', labels: Map<string, string>, counters: LineCounters): void {
  let from = 0
  while (from < text.length) {
    let to = text.indexOf(',', from)
    if (to < 0) to = text.length
    const start = separator === ':' && text[from] === '#' ? from + 1 : from
    const at = text.indexOf(separator, start)
    if (at > start && at < to - 1) labels.set(escapeMetricName(text.slice(start, at)), text.slice(at + 1, to))
    else counters.tagErrors++
    from = to + 1
  }
}

/**
 * Makes a name that Prometheus takes: every other character is `_`, a run of dashes is one.
 * @example escapeMetricName('0a--b.c') // '_0a_b_c'
 */
export function escapeMetricName(name: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) || name === '') return name
  const escaped = name.replace(/-+/g, '_').replace(/[^a-zA-Z0-9_]/gu, '_')
  return /^\d/.test(escaped) ? `_${escaped}` : escaped
}
