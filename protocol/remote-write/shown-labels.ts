/** Labels as an answer names them. */
import { formatLabels, type Labels } from '../labels/mod.ts'

/** More than series have that anybody stores. */
const SHOWN_CHARS_MAX = 10_000
const TEXT_CHARS_MAX = 200

/**
 * As `formatLabels`, but bounded: a symbol of megabytes costs a request of 2.0 some bytes for each series that has it, and
 * all of their texts no string holds.
 */
export function shownLabels(labels: Labels): string {
  let chars = 0
  for (const text of labels) chars += text.length
  if (chars <= SHOWN_CHARS_MAX) return formatLabels(labels)
  const short: string[] = []
  for (let i = 0; i < labels.length && i <= SHOWN_CHARS_MAX / TEXT_CHARS_MAX; i++) short.push(shortened(labels[i]!))
  return formatLabels(short.slice(0, short.length & ~1) as unknown as Labels)
}

/** A text of the sender's within one of ours. */
export const shortened = (text: string): string =>
  text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text
