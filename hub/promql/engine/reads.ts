/**
 * Selectors of a plan that read the same series: `rate(x[5m]) / count_over_time(x[5m])`, `x / x offset 5m`. Whoever comes
 * first has the samples decoded over all that the others will want, too, and the others are given parts of that.
 */
import type { SampleBuffer, SeriesReader, SeriesRef, TimeRange } from '../../tsdb/contract.ts'
import type { Expr, MatrixSelector, SubqueryExpr, VectorSelector } from '../ast.ts'
import { childrenOf } from '../parser/mod.ts'
import type { Fused } from './fuse.ts'
import { type Lookups, lookups, newSampleBuffer } from './selector.ts'
import type { Frame } from './types.ts'
import { subqueryFrame } from './windows.ts'

/** Kept for those who come later, 16 bytes or less each; what comes on top is decoded again. */
const SAMPLES_MAX = 4_000_000

/** Of an evaluation: what is not read, as it was computed elsewhere or is streamed with something else. */
type Plan = {
  readonly given: ReadonlyMap<Expr, unknown>
  readonly fused: Fused
  readonly options: { readonly lookbackMs: number; readonly defaultSubqueryStepMs: number }
}

/** One selector's: of the inside of a range selector, that of the range. */
type Use = { readonly selector: VectorSelector; readonly span: TimeRange }

type Group = {
  readonly span: TimeRange
  readonly uses: number
  readonly kept: Map<SeriesRef, Kept>
  /**
   * Each is to read its own: of histograms, which know what came before them in what was read, and of samples that stand
   * for others which are gone (`SampleBuffer.sparse`).
   */
  isApart: boolean
}

type Kept = {
  readonly times: Float64Array
  readonly values: Float64Array
  readonly startTimes: Float64Array | null
  /** Who may still come for it. */
  left: number
}

export class SharedReads {
  readonly #groups = new Map<VectorSelector, Group>()
  readonly #buffer = newSampleBuffer()
  readonly #part = newSampleBuffer()
  #samples = 0
  #lastTimes = new Float64Array(0)

  private constructor(groups: readonly Members[]) {
    for (const group of groups) for (const { selector } of group.members) this.#groups.set(selector, group)
  }

  /**
   * Null when no two selectors have anything in common.
   * @param parts of a plan that are evaluated over the frame
   */
  static of(parts: readonly Expr[], frame: Frame, plan: Plan): SharedReads | null {
    const uses = usesOf(parts, frame, plan)
    const groups = uses.length < 2 ? [] : groupsOf(uses)
    return groups.length === 0 ? null : new SharedReads(groups)
  }

  /** What is to be selected over before `read` is asked for the range: readers give no more of a series than that. */
  selectRange(selector: VectorSelector, range: TimeRange): TimeRange {
    const group = this.#groups.get(selector)
    return group !== undefined && covers(group.span, range) ? group.span : range
  }

  /** As the reader's own `read`, into `out` or a buffer of its own, which is borrowed until the next call. */
  read(
    reader: SeriesReader,
    selector: VectorSelector,
    ref: SeriesRef,
    range: TimeRange,
    out: SampleBuffer,
  ): SampleBuffer {
    const group = this.#groups.get(selector)
    if (group !== undefined && covers(group.span, range)) {
      const known = group.kept.get(ref)
      if (known !== undefined) {
        if (--known.left === 0) this.#forget(group, ref, known)
        return this.#partOf(known, range)
      }
      if (!group.isApart && this.#samples < SAMPLES_MAX) {
        const buffer = this.#buffer
        reader.read(ref, group.span, buffer)
        if (buffer.count === 0) return buffer
        if (areFloats(buffer)) return this.#partOf(this.#keep(group, ref, buffer), range)
        group.isApart = true
      }
    }
    reader.read(ref, range, out)
    return out
  }

  #keep(group: Group, ref: SeriesRef, { count, times, values, startTimes }: SampleBuffer): Kept {
    // Series of a target are sampled together.
    if (!startsWith(times, this.#lastTimes, count)) this.#lastTimes = times.slice(0, count)
    const kept = {
      times: this.#lastTimes,
      values: values.slice(0, count),
      startTimes: startTimes?.slice(0, count) ?? null,
      left: group.uses - 1,
    }
    group.kept.set(ref, kept)
    this.#samples += count
    return kept
  }

  #forget({ kept }: Group, ref: SeriesRef, { values }: Kept): void {
    kept.delete(ref)
    this.#samples -= values.length
  }

  #partOf({ times, values, startTimes }: Kept, { minTime, maxTime }: TimeRange): SampleBuffer {
    const part = this.#part
    const from = firstAfter(times, minTime - 1)
    const to = firstAfter(times, maxTime)
    part.count = to - from
    part.times = times.subarray(from, to)
    part.values = values.subarray(from, to)
    part.startTimes = startTimes?.subarray(from, to) ?? null
    // No sample is anything but a float.
    if (part.flags.length < part.count) part.flags = new Uint8Array(2 * part.count)
    return part
  }
}

/** Floats alone are the same whatever else was read with them. */
const areFloats = ({ mixed, sparse }: SampleBuffer): boolean => !mixed && sparse === undefined

type Members = Group & { readonly members: readonly Use[] }

/** Of those that read the same series, at times that overlap so much that little is read for nothing. */
function groupsOf(uses: readonly Use[]): Members[] {
  const byMatchers = new Map<string, Use[]>()
  for (const use of uses) {
    const key = JSON.stringify(use.selector.matchers)
    const same = byMatchers.get(key)
    if (same === undefined) byMatchers.set(key, [use])
    else same.push(use)
  }
  const out: Members[] = []
  for (const members of byMatchers.values()) {
    if (members.length < 2) continue
    const spans = members.map(({ span }) => span)
    const span = {
      minTime: Math.min(...spans.map(({ minTime }) => minTime)),
      maxTime: Math.max(...spans.map(({ maxTime }) => maxTime)),
    }
    const apart = spans.reduce((sum, each) => sum + lengthOf(each), 0)
    if (lengthOf(span) < apart) out.push({ span, uses: members.length, kept: new Map(), isApart: false, members })
  }
  return out
}

const lengthOf = ({ minTime, maxTime }: TimeRange): number => maxTime - minTime + 1

const covers = (span: TimeRange, { minTime, maxTime }: TimeRange): boolean =>
  minTime >= span.minTime && maxTime <= span.maxTime

function usesOf(parts: readonly Expr[], whole: Frame, { given, fused, options }: Plan): readonly Use[] {
  const uses: Use[] = []
  const seen = new Set<unknown>()
  const visit = (expr: Expr, frame: Frame): void => {
    // What stands in two places is evaluated once, and so is what several aggregations are fed with.
    const feeds = fused.get(expr)
    if (frame.steps < 1 || seen.has(expr) || given.has(expr) || seen.has(feeds)) return
    if (feeds !== undefined) seen.add(feeds)
    seen.add(expr)
    switch (expr.kind) {
      case 'vector-selector':
        // At one time the newest sample is all that is read.
        if (frame.steps > 1) uses.push({ selector: expr, span: selectorSpan(expr, frame, options.lookbackMs) })
        return
      case 'matrix-selector':
        uses.push({ selector: expr.selector, span: rangeSpan(expr, frame, options.lookbackMs) })
        return
      case 'subquery':
        visit(expr.expr, insideOf(expr, frame, options))
        return
      default:
        for (const child of childrenOf(expr)) visit(child, frame)
    }
  }
  for (const part of parts) visit(part, whole)
  return uses
}

function insideOf(range: SubqueryExpr, frame: Frame, { defaultSubqueryStepMs }: Plan['options']): Frame {
  return subqueryFrame(range, lookups(range, frame), defaultSubqueryStepMs)
}

/** All that an instant selector looks at over a frame. */
function selectorSpan(selector: VectorSelector, frame: Frame, lookbackMs: number): TimeRange {
  const at = lookups(selector, frame)
  return { minTime: at.first - lookbackMs + 1, maxTime: selector.smoothed ? at.last + lookbackMs : at.last }
}

function rangeSpan({ rangeMs, selector }: MatrixSelector, frame: Frame, lookbackMs: number): TimeRange {
  const at: Lookups = lookups(selector, frame)
  const before = selector.anchored || selector.smoothed ? lookbackMs : 0
  return { minTime: at.first - rangeMs - before + 1, maxTime: selector.smoothed ? at.last + lookbackMs : at.last }
}

/** Index of the first time after `time`. */
function firstAfter(times: Float64Array, time: number): number {
  let low = 0
  let high = times.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (times[middle]! <= time) low = middle + 1
    else high = middle
  }
  return low
}

function startsWith(times: Float64Array, known: Float64Array, count: number): boolean {
  if (known.length !== count) return false
  for (let i = 0; i < count; i++) if (times[i] !== known[i]) return false
  return true
}
