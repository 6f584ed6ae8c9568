/**
 * Between the scrapes and the recorder: leaves out what the budget's steps in force give up, and says so. Slots left
 * out are missed with the reason `budget`; of a dropped class, the slots of `TARGET class=NAME` are, and its series end
 * with a stale marker, so that nobody takes them for living.
 */
import { isTargetEnd, type MissedSlots, type SampleSink, type Scrape } from '../../protocol/batch/mod.ts'
import { type BudgetClass, DEFAULT_CLASS } from '../../protocol/config/mod.ts'
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Predicate } from '../../protocol/matchers/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import { isStaleAt, setStaleAt } from '../../protocol/samples/mod.ts'
import { SlotRuns } from '../ring/mod.ts'
import type { Degradation } from './controller.ts'

type CompiledClass = readonly (readonly { readonly name: string; readonly matches: Predicate }[])[]

/** Gaps of classes are told in runs, not one a slot. */
const TELL_EVERY_SLOTS = 20

export class BudgetSink implements SampleSink {
  readonly #sink: SampleSink
  readonly #degradation: () => Degradation
  readonly #names: readonly string[]
  readonly #classes: readonly CompiledClass[]
  /** Class by id of the present epoch, 0 = default. */
  #classOf = new Uint8Array(1024)
  #epoch: number
  /** Series that ended in slots that were left out, by target: the next slot that is kept has their markers. */
  readonly #owed = new Map<string, Set<number>>()
  /** Classes that are dropped already, by target: their series have ended. */
  readonly #ended = new Map<string, Set<number>>()
  #runs = new SlotRuns()
  #slots = 0
  droppedSlots = 0
  readonly droppedSamples: Map<string, number>

  constructor(sink: SampleSink, classes: readonly BudgetClass[], degradation: () => Degradation) {
    this.#sink = sink
    this.#degradation = degradation
    this.#epoch = sink.epoch
    this.#names = [DEFAULT_CLASS, ...classes.map(({ name }) => name)]
    this.#classes = classes.map(({ selectors }) =>
      selectors.map((matchers) =>
        matchers.map((matcher) => ({ name: matcher.name, matches: compileMatcher(matcher) })),
      ),
    )
    this.droppedSamples = new Map(this.#names.map((name) => [name, 0]))
  }

  get epoch(): number {
    return this.#sink.epoch
  }

  define(labels: Labels, metadata: Metadata | null): number {
    const id = this.#sink.define(labels, metadata)
    if (this.#epoch !== this.#sink.epoch) {
      this.#epoch = this.#sink.epoch
      this.#classOf.fill(0)
      this.#owed.clear()
    }
    if (id >= this.#classOf.length) {
      const grown = new Uint8Array(2 * id + 1)
      grown.set(this.#classOf)
      this.#classOf = grown
    }
    this.#classOf[id] = this.#classify(labels)
    return id
  }

  append(scrape: Scrape): void {
    const { factor, dropped } = this.#degradation()
    const { target, slotMs, intervalMs } = scrape
    // The end of a target is its last scrape: nobody would repeat its markers.
    if (factor > 1 && Math.floor(slotMs / intervalMs) % factor !== 0 && !isTargetEnd(scrape)) {
      this.droppedSlots++
      this.#owe(scrape)
      this.#sink.missed({ target, fromMs: slotMs, toMs: slotMs, intervalMs, reason: 'budget' })
      return
    }
    const whole = this.#withOwed(scrape)
    if (dropped.size === 0) {
      this.#ended.delete(target)
      this.#sink.append(whole)
    } else this.#sink.append(this.#without(whole, dropped))
    this.#tell(false)
  }

  missed(slots: MissedSlots): void {
    this.#sink.missed(slots)
  }

  /** Announces what has been left out so far. */
  flush(): void {
    this.#tell(true)
  }

  #classify(labels: Labels): number {
    const found = this.#classes.findIndex((selectors) =>
      selectors.some((matchers) => matchers.every(({ name, matches }) => matches(labelValue(labels, name)))),
    )
    return found + 1
  }

  #owe({ target, ids, values, histograms }: Scrape): void {
    const owed = this.#owed.get(target) ?? new Set<number>()
    const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
    for (let i = 0; i < ids.length; i++)
      if (isStaleAt(words, i) && !histograms?.has(i)) owed.add(ids[i]!)
      else if (owed.size > 0) owed.delete(ids[i]!)
    if (owed.size > 0) this.#owed.set(target, owed)
    else this.#owed.delete(target)
  }

  #withOwed(scrape: Scrape): Scrape {
    const owed = this.#owed.get(scrape.target)
    if (owed === undefined) return scrape
    this.#owed.delete(scrape.target)
    for (const id of scrape.ids) owed.delete(id)
    return owed.size === 0 ? scrape : withMarkers(scrape, Uint32Array.from(owed))
  }

  /** Series of a class that ends now are there once more, as stale markers. */
  #without(scrape: Scrape, dropped: ReadonlySet<string>): Scrape {
    const { target, ids, values } = scrape
    const isDropped = this.#names.map((name) => dropped.has(name))
    const before = this.#ended.get(target) ?? new Set<number>()
    const now = new Set<number>()
    const keep = new Uint32Array(ids.length)
    const ends = new Set<number>()
    let kept = 0
    for (let i = 0; i < ids.length; i++) {
      const own = this.#classOf[ids[i]!]!
      if (isDropped[own]) {
        now.add(own)
        if (before.has(own)) {
          this.#count(own)
          continue
        }
        ends.add(kept)
      }
      keep[kept++] = i
    }
    this.#ended.set(target, now)
    for (const own of now) this.#runs.add(`${target} class=${this.#names[own]}`, scrape.slotMs, scrape.intervalMs)
    if (kept === ids.length && ends.size === 0) return scrape
    return chosen(scrape, keep.subarray(0, kept), ends, values)
  }

  #count(own: number): void {
    const name = this.#names[own]!
    this.droppedSamples.set(name, this.droppedSamples.get(name)! + 1)
  }

  #tell(all: boolean): void {
    if (!all && ++this.#slots < TELL_EVERY_SLOTS) return
    this.#slots = 0
    const runs = this.#runs
    this.#runs = new SlotRuns()
    for (const run of runs.take()) this.#sink.missed({ ...run, reason: 'budget' })
  }
}

function withMarkers(scrape: Scrape, ended: Uint32Array): Scrape {
  const { length } = scrape.ids
  const extended = (column: Float64Array, fill: number): Float64Array => {
    const out = new Float64Array(length + ended.length).fill(fill, length)
    out.set(column)
    return out
  }
  const ids = new Uint32Array(length + ended.length)
  ids.set(scrape.ids)
  ids.set(ended, length)
  const values = extended(scrape.values, 0)
  const words = new Uint32Array(values.buffer)
  // Word by word: a stale marker does not survive as a number.
  words.set(new Uint32Array(scrape.values.buffer, scrape.values.byteOffset, 2 * length))
  for (let i = length; i < ids.length; i++) setStaleAt(words, i)
  return {
    ...scrape,
    ids,
    values,
    timestamps: scrape.timestamps && extended(scrape.timestamps, Number.NaN),
    startTimestamps: scrape.startTimestamps && extended(scrape.startTimestamps, 0),
  }
}

function chosen(scrape: Scrape, at: Uint32Array, ends: ReadonlySet<number>, values: Float64Array): Scrape {
  const pick = (from: Float64Array): Float64Array => Float64Array.from(at, (i) => from[i]!)
  const out = new Float64Array(at.length)
  // Word by word: a stale marker does not survive as a number.
  const from = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  const words = new Uint32Array(out.buffer)
  at.forEach((i, n) => {
    words[2 * n] = from[2 * i]!
    words[2 * n + 1] = from[2 * i + 1]!
    if (ends.has(n)) setStaleAt(words, n)
  })
  const ids = Uint32Array.from(at, (i) => scrape.ids[i]!)
  let histograms: Map<number, NonNullable<ReturnType<NonNullable<Scrape['histograms']>['get']>>> | null = null
  if (scrape.histograms) {
    histograms = new Map()
    at.forEach((i, n) => {
      const histogram = scrape.histograms!.get(i)
      if (histogram && !ends.has(n)) histograms!.set(n, histogram)
    })
  }
  const left = new Set(ids)
  return {
    ...scrape,
    ids,
    values: out,
    timestamps: scrape.timestamps && pick(scrape.timestamps),
    startTimestamps: scrape.startTimestamps && pick(scrape.startTimestamps),
    histograms: histograms && histograms.size > 0 ? histograms : null,
    exemplars: scrape.exemplars?.filter(({ id }) => left.has(id)) ?? null,
  }
}
