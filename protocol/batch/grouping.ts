/**
 * The encoder's view of the scrapes of a batch: by target, with the union of their series as columns. Samples of a
 * scrape are put in ascending order of series id (their order means nothing), so that rows become presence lists.
 */
import { isStaleAt } from '../samples/mod.ts'
import { buildLayout, type Layout } from './layout.ts'
import type { Scrape } from './types.ts'

/** More than a scrape has samples; times an id it is still a whole number in a double. */
const POSITIONS = 2 ** 22

export type Group = {
  readonly target: string
  /** Strictly ascending: column c is series `ids[c]`. */
  readonly ids: Uint32Array
  readonly scrapes: readonly Scrape[]
  /** Per scrape its columns, ascending; null = all of them once. */
  readonly rows: readonly (Uint32Array | null)[]
  /** Of all samples. */
  readonly layout: Layout
  /** Of the samples that are no stale markers: these are what the value columns hold. */
  readonly valueLayout: Layout
  readonly values: Float64Array
  /** Flat positions of the stale markers; null when there are none. */
  readonly stale: Uint32Array | null
}

export function groupOf(target: string, scrapes: readonly Scrape[]): Group {
  const ids = unionOf(scrapes)
  const rows = scrapes.map((scrape) => columnsOf(scrape.ids, ids))
  const layout = buildLayout(rows, ids.length, null)
  const values = flatten(scrapes, layout, (scrape) => scrape.values, 0)
  const stale = stalePositions(values)
  const valueLayout = stale === null ? layout : buildLayout(rows, ids.length, maskOf(stale, values.length))
  return { target, ids, scrapes, rows, layout, valueLayout, values, stale }
}

/** The samples of all scrapes by flat position; `missing` where a scrape has no such column. */
export function flatten(
  scrapes: readonly Scrape[],
  layout: Layout,
  column: (scrape: Scrape) => Float64Array | null,
  missing: number,
): Float64Array {
  const flat = new Float64Array(layout.rowStart[layout.rowCount]!)
  if (missing !== 0) flat.fill(missing)
  for (let r = 0; r < scrapes.length; r++) {
    const values = column(scrapes[r]!)
    if (values !== null) flat.set(values, layout.rowStart[r]!)
  }
  return flat
}

export function maskOf(positions: Uint32Array, length: number): Uint8Array {
  const mask = new Uint8Array(length)
  for (let i = 0; i < positions.length; i++) mask[positions[i]!] = 1
  return mask
}

type Order = { readonly given: Uint32Array; readonly sorted: Uint32Array; readonly order: Uint32Array; used: boolean }

/** Puts scrapes in order of id. A target mostly shows the same series in the same order: that order is kept. */
export class IdOrders {
  private readonly orders = new Map<string, Order>()

  /** `scrape` with its samples in ascending order of id; the same object when they are. Equal ids keep their order. */
  sorted(scrape: Scrape): Scrape {
    const { ids, target } = scrape
    if (isAscending(ids)) return scrape
    let known = this.orders.get(target)
    if (known === undefined || !sameList(known.given, ids)) {
      const order = orderOf(ids)
      known = { given: ids, sorted: order.map((i) => ids[i]!), order, used: true }
      this.orders.set(target, known)
    }
    known.used = true
    return reordered(scrape, known)
  }

  /** Forgets targets without a scrape since the last call. */
  forgetUnused(): void {
    for (const [target, order] of this.orders) {
      if (!order.used) this.orders.delete(target)
      order.used = false
    }
  }
}

function isAscending(ids: Uint32Array): boolean {
  for (let i = 1; i < ids.length; i++) if (ids[i]! < ids[i - 1]!) return false
  return true
}

/** Positions by id, then by position. Both in one double: a sort of numbers needs no calls to compare. */
function orderOf(ids: Uint32Array): Uint32Array {
  const keys = new Float64Array(ids.length)
  for (let i = 0; i < ids.length; i++) keys[i] = ids[i]! * POSITIONS + i
  keys.sort()
  return Uint32Array.from(keys, (key) => key % POSITIONS)
}

function reordered(scrape: Scrape, { sorted, order }: Order): Scrape {
  const histograms = scrape.histograms
  return {
    ...scrape,
    ids: sorted,
    values: permute(scrape.values, order),
    timestamps: scrape.timestamps && permute(scrape.timestamps, order),
    startTimestamps: scrape.startTimestamps && permute(scrape.startTimestamps, order),
    histograms:
      histograms &&
      new Map(Array.from(order, (from, to) => [to, histograms.get(from)!] as const).filter(([, value]) => value)),
  }
}

/** As bits: values may be stale markers. */
function permute(values: Float64Array, order: Uint32Array): Float64Array {
  const out = new Float64Array(values.length)
  const from = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  const to = new Uint32Array(out.buffer)
  for (let i = 0; i < order.length; i++) {
    to[2 * i] = from[2 * order[i]!]!
    to[2 * i + 1] = from[2 * order[i]! + 1]!
  }
  return out
}

function unionOf(scrapes: readonly Scrape[]): Uint32Array {
  const first = scrapes[0]!.ids
  if (isStrict(first) && scrapes.every(({ ids }) => ids === first || sameList(ids, first))) return first
  const all = new Set<number>()
  for (const { ids } of scrapes) for (let i = 0; i < ids.length; i++) all.add(ids[i]!)
  return Uint32Array.from(all).sort()
}

function columnsOf(ids: Uint32Array, union: Uint32Array): Uint32Array | null {
  if (ids === union || sameList(ids, union)) return null
  const columns = new Uint32Array(ids.length)
  for (let i = 0, c = 0; i < ids.length; i++) {
    while (union[c] !== ids[i]) c++
    columns[i] = c
  }
  return columns
}

function stalePositions(values: Float64Array): Uint32Array | null {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  const positions: number[] = []
  for (let i = 0; i < values.length; i++) if (isStaleAt(words, i)) positions.push(i)
  return positions.length === 0 ? null : Uint32Array.from(positions)
}

export function isStrict(ids: Uint32Array): boolean {
  for (let i = 1; i < ids.length; i++) if (ids[i]! <= ids[i - 1]!) return false
  return true
}

export function sameList(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
