/**
 * Labels: what identifies a series. A flat, frozen-by-convention array `[name, value, name, value…]`, sorted by name
 * in byte order, no empty values, no duplicate names. Flat because one array per label set is a third of the heap of
 * an array of pairs, and because codecs walk it in order.
 */
export { lowerCase, upperCase } from './letter-case.ts'

declare const brand: unique symbol
export type Labels = readonly string[] & { readonly [brand]: 'Labels' }

export const METRIC_NAME = '__name__'
export const EMPTY_LABELS: Labels = [] as unknown as Labels

const SURROGATES = /[\ud800-\udfff]/

/** Sorts in place, in the order of `compareStrings`; the runtime's own order, which is faster, differs by surrogates only. */
export function sortStrings(texts: string[]): string[] {
  return texts.some((text) => SURROGATES.test(text)) ? texts.sort(compareStrings) : texts.sort()
}

/** Byte order of the UTF-8 forms: what Go's string comparison gives. */
export function compareStrings(a: string, b: string): number {
  if (a === b) return 0
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    let x = a.charCodeAt(i)
    let y = b.charCodeAt(i)
    if (x === y) continue
    // Surrogates stand for code points above U+FFFF, so they sort after every other unit.
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000
    }
    return x < y ? -1 : 1
  }
  return a.length - b.length
}

/** Label sets in upstream's order. Semantics: Prometheus model/labels, Compare. */
export function compareLabels(a: Labels, b: Labels): number {
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const c = compareStrings(a[i]!, b[i]!)
    if (c !== 0) return c
  }
  return a.length - b.length
}

/** @example labelsFrom({ __name__: 'up', job: 'node' }) */
export function labelsFrom(pairs: Readonly<Record<string, string>> | Iterable<readonly [string, string]>): Labels {
  const entries = Symbol.iterator in pairs ? [...(pairs as Iterable<readonly [string, string]>)] : Object.entries(pairs)
  const kept = entries.filter(([, value]) => value !== '').sort(([a], [b]) => compareStrings(a, b))
  return kept.flat() as unknown as Labels
}

/** Trusts that `flat` is sorted by name, without empty values and duplicates: for codecs that have proved it. */
export function labelsFromSorted(flat: readonly string[]): Labels {
  return flat as unknown as Labels
}

/** The value of `name`, or '' when absent (in this data model the two are one). */
export function labelValue(labels: Labels, name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1]!
  return ''
}

export function labelsToObject(labels: Labels): Record<string, string> {
  const out: Record<string, string> = Object.create(null)
  for (let i = 0; i < labels.length; i += 2) out[labels[i]!] = labels[i + 1]!
  return out
}

/** A string that is equal exactly when the labels are equal; for Map keys at the edges, not for hot paths. */
export function labelsKey(labels: Labels): string {
  return labels.join('\xff')
}

const LEGACY_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/
const LEGACY_METRIC = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
export const isLegacyLabelName = (name: string): boolean => LEGACY_NAME.test(name)
export const isLegacyMetricName = (name: string): boolean => LEGACY_METRIC.test(name)

/** What Go's unicode.IsPrint is not true of: blanks but the space, control and format characters, and what is unassigned. */
const UNPRINTABLE = /[\p{Z}\p{C}]/u

/** A code point above U+007F as Go escapes it. */
function escapedRune(code: number): string {
  const digits = code > 0xffff ? 8 : 4
  return (digits === 8 ? '\\U' : '\\u') + code.toString(16).padStart(digits, '0')
}

/** Text as Go's strconv.Quote writes it, for the values in selectors, errors and exposition of label sets. */
export function quote(text: string): string {
  let out = '"'
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (char === '"' || char === '\\') out += '\\' + char
    else if (code === 7) out += '\\a'
    else if (code === 8) out += '\\b'
    else if (code === 9) out += '\\t'
    else if (code === 10) out += '\\n'
    else if (code === 11) out += '\\v'
    else if (code === 12) out += '\\f'
    else if (code === 13) out += '\\r'
    else if (code < 0x20 || code === 0x7f) out += '\\x' + code.toString(16).padStart(2, '0')
    // A byte that was no UTF-8 (see hub/promql/parser/bytes.ts), and any other lone surrogate.
    else if (code >= 0xdc80 && code <= 0xdcff) out += '\\x' + (code - 0xdc00).toString(16)
    else if (code >= 0xd800 && code <= 0xdfff) out += '\\ufffd'
    else if (code > 0x7f && UNPRINTABLE.test(char)) out += escapedRune(code)
    else out += char
  }
  return out + '"'
}

/** `{a="b", c="d"}` as Labels.String upstream (names that are not legacy are quoted). */
export function formatLabels(labels: Labels): string {
  const parts: string[] = []
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!
    parts.push(`${isLegacyLabelName(name) ? name : quote(name)}=${quote(labels[i + 1]!)}`)
  }
  return `{${parts.join(', ')}}`
}
