/**
 * One line of Graphite's plaintext protocol, `name[;tag=value…] value time`. Semantics: graphite_exporter
 * collector/collector.go, processLine and parseMetricNameAndTags (v0.17).
 */
import { readGoFloat } from '../../protocol/exposition/mod.ts'

export type NameAndTags = {
  readonly name: string
  /** In the order sent; of two tags of one name the later one counts. */
  readonly tags: ReadonlyMap<string, string>
  /** Tags that are no `name=value`; they are left out. */
  readonly badTags: number
}

export type Reading = { readonly path: string; readonly value: number; readonly timeMs: number }
export type LineFault = 'parts' | 'value' | 'timestamp'

/** @example splitTags('a.b;dc=eu;x') // { name: 'a.b', tags: { dc: 'eu' }, badTags: 1 } */
export function splitTags(path: string): NameAndTags {
  const [name = '', ...rest] = path.split(';')
  const tags = new Map<string, string>()
  let badTags = 0
  for (const tag of rest) {
    const at = tag.indexOf('=')
    // Differs: upstream ends the process at a tag without a name, or with one that is reserved (`__name__` would be the
    // name of the metric), as its client library takes none.
    if (at <= 0 || labelName(tag.slice(0, at)).startsWith('__')) badTags++
    else tags.set(tag.slice(0, at), tag.slice(at + 1))
  }
  return { name, tags, badTags }
}

/** Parts are told apart by one space each, so that two in a row are a line of four parts. */
export function readLine(line: string): Reading | LineFault {
  const parts = line.trim().split(' ')
  if (parts.length !== 3) return 'parts'
  const value = readGoFloat(parts[1]!)
  if (typeof value === 'string') return 'value'
  const seconds = readGoFloat(parts[2]!)
  if (typeof seconds === 'string') return 'timestamp'
  return { path: parts[0]!, value, timeMs: seconds * 1000 }
}

/** @example metricName('1min.load-5') // '_min_load_5' */
export function metricName(text: string): string {
  return /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(text) ? text : text.replace(/[^a-zA-Z0-9_:]/gu, '_').replace(/^\d/, '_')
}

/** Text 0.0.4 takes no other names; client_golang escapes them the same way when it writes the page. */
export function labelName(text: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(text) ? text : text.replace(/[^a-zA-Z0-9_]/gu, '_').replace(/^\d/, '_')
}
