/**
 * Labels of a series, checked as upstream checks them.
 * Semantics: Prometheus storage/remote/write_handler.go (write, appendV2), model/labels Labels.IsValid with UTF-8 names,
 * HasDuplicateLabelNames; empty values are dropped afterwards, as the head does (WithoutEmpty).
 */
import { compareStrings, type Labels, labelsFromSorted, METRIC_NAME } from '../labels/mod.ts'
import { Label, Series } from './fields.ts'
import { ProtoReader } from './proto-reader.ts'
import { shortened, shownLabels } from './shown-labels.ts'
import type { StringCache } from './string-cache.ts'

/** Labels, or why the series is refused, in upstream's words. */
export type LabelsResult =
  | { readonly labels: Labels; readonly problem: null }
  | { readonly labels: null; readonly problem: string }

/**
 * @param labelTag of the label fields in the message at hand (series and exemplars have the same)
 * @returns `[name, value, name, value…]` as sent; null for a string that is not valid UTF-8
 */
export function readPairs(reader: ProtoReader, labelTag: number, strings: StringCache): (string | null)[] {
  const flat: (string | null)[] = []
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === labelTag) readPair(reader, flat, strings)
    else reader.skip(tag)
  }
  return flat
}

/** Labels of a series from its label fields alone (`WriteRequest.labelBytes`). */
export function readLabelBytes(bytes: Uint8Array, strings: StringCache): LabelsResult {
  return checkLabels(readPairs(new ProtoReader(bytes), Series.label, strings))
}

/** Reads one label message, its length included, to the end of `flat`. */
export function readPair(reader: ProtoReader, flat: (string | null)[], strings: StringCache): void {
  const end = reader.lengthEnd()
  let name: string | null = ''
  let value: string | null = ''
  while (reader.at < end) {
    const tag = reader.tag()
    if (tag !== Label.name && tag !== Label.value) {
      reader.skip(tag)
      continue
    }
    const textEnd = reader.lengthEnd()
    const text = strings.text(reader.bytes, reader.at, textEnd)
    reader.at = textEnd
    if (tag === Label.name) name = text
    else value = text
  }
  if (reader.at !== end) reader.fail('a label reaches past its end')
  flat.push(name, value)
}

export function checkLabels(pairs: readonly (string | null)[]): LabelsResult {
  const flat = sortPairs(pairs.map((text) => text ?? '\ufffd'))
  const shown = (): string => shownLabels(labelsFromSorted(flat))
  let hasName = false
  for (let i = 0; i < flat.length; i += 2) {
    if (flat[i] === METRIC_NAME) hasName = flat[i + 1] !== ''
    if (flat[i] === '') return { labels: null, problem: `invalid metric name or labels, got ${shown()}` }
  }
  if (!hasName || pairs.includes(null))
    return { labels: null, problem: `invalid metric name or labels, got ${shown()}` }
  for (let i = 2; i < flat.length; i += 2)
    if (flat[i] === flat[i - 2])
      return {
        labels: null,
        problem: `invalid labels for series, labels ${shown()}, duplicated label ${shortened(flat[i]!)}`,
      }
  return { labels: labelsFromSorted(flat.includes('') ? withoutEmpty(flat) : flat), problem: null }
}

/** By name; senders must sort, so that the first look nearly always suffices. */
function sortPairs(flat: string[]): string[] {
  let sorted = true
  for (let i = 2; i < flat.length; i += 2) if (compareStrings(flat[i - 2]!, flat[i]!) > 0) sorted = false
  if (sorted) return flat
  const order = Array.from({ length: flat.length / 2 }, (_, i) => 2 * i)
  order.sort((a, b) => compareStrings(flat[a]!, flat[b]!) || a - b)
  return order.flatMap((i) => [flat[i]!, flat[i + 1]!])
}

function withoutEmpty(flat: readonly string[]): string[] {
  const out: string[] = []
  for (let i = 0; i < flat.length; i += 2) if (flat[i + 1] !== '') out.push(flat[i]!, flat[i + 1]!)
  return out
}
