/**
 * Colours of series. No published palette keeps 3:1 on white and on dark ground, so there is one per theme; both were
 * searched for distance under three kinds of colour blindness. A series takes its colour from the hash of its labels,
 * so it keeps it across refreshes and panels; where two would meet, the later one moves on. Beyond the eight colours
 * the line is dashed.
 */
import { type LabelSet, seriesKey } from './labels.ts'

export type Theme = 'light' | 'dark'

export const PALETTES: Readonly<Record<Theme, readonly string[]>> = {
  light: ['#0072b2', '#780f5a', '#2d0096', '#d27800', '#2d0f0f', '#e1005a', '#a50fff', '#3c4b00'],
  dark: ['#56b4e9', '#961eff', '#c35a69', '#ffe1f0', '#ffb478', '#4b5ab4', '#a5e10f', '#d20000'],
}
/** CSS pixels of line and space; the empty one is a full line. */
export const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 3], [10, 3, 2, 3]]

export type Slot = { readonly color: number; readonly dash: number }

/** FNV-1a over UTF-16 code units, then mixed: neighbouring label values must not take neighbouring slots. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** More lines than there are slots: dashes would tell nothing apart any more, and they are slow to draw. */
export const MAX_SLOTS = PALETTES.light.length * DASHES.length

/** A slot per series, independent of their order. All eight full lines are given before any dash. */
export function assignSlots(series: readonly LabelSet[]): Slot[] {
  const colors = PALETTES.light.length
  if (series.length > MAX_SLOTS)
    return series.map((labels) => ({ color: hashText(seriesKey(labels)) % colors, dash: 0 }))
  const order = series
    .map((labels, index) => ({ index, key: seriesKey(labels) }))
    .map((item) => ({ ...item, hash: hashText(item.key) }))
    .sort((a, b) => a.hash - b.hash || (a.key < b.key ? -1 : 1))
  const slots: Slot[] = new Array(series.length)
  const taken = new Set<number>()
  for (const { index, hash } of order) {
    const dash = Math.floor(taken.size / colors)
    let color = hash % colors
    while (taken.has(dash * colors + color)) color = (color + 1) % colors
    taken.add(dash * colors + color)
    slots[index] = { color, dash }
  }
  return slots
}
