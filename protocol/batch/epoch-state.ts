/**
 * What an encoder knows of its epoch beyond the keyframe: last values, and the targets with their series, from which
 * the next keyframe restates whatever its own scrapes do not cover.
 */
import { startTimestampsOf } from './encode-payload.ts'
import { type Group, groupOf } from './grouping.ts'
import { carryLast } from './keyframe.ts'
import type { Scrape } from './types.ts'

type Target = { readonly ids: Uint32Array; scrapedSinceKeyframe: boolean }

export class EpochState {
  private values: Float64Array = new Float64Array(0)
  private startTimestamps: Float64Array | null = null
  private readonly targets = new Map<string, Target>()

  /**
   * One row of last values for every target that was scraped since the last keyframe but is not among `present`.
   * Targets not scraped for a whole keyframe interval are gone, and forgotten.
   */
  restate(present: ReadonlySet<string>): Group[] {
    const groups: Group[] = []
    for (const [target, entry] of this.targets) {
      if (!entry.scrapedSinceKeyframe) this.targets.delete(target)
      else if (!present.has(target)) groups.push(groupOf(target, [this.row(target, entry.ids)]))
      entry.scrapedSinceKeyframe = false
    }
    return groups
  }

  /** Takes over what a batch holds. */
  advance(live: readonly Group[], definitionCount: number): void {
    this.values = grown(this.values, definitionCount)
    for (const group of live) {
      carryLast(group.values, group.valueLayout, group.ids, this.values)
      if (group.scrapes.some(({ startTimestamps }) => startTimestamps !== null)) {
        this.startTimestamps = grown(this.startTimestamps ?? new Float64Array(0), definitionCount)
        carryLast(startTimestampsOf(group), group.layout, group.ids, this.startTimestamps)
      }
      this.targets.set(group.target, { ids: group.ids, scrapedSinceKeyframe: true })
    }
  }

  private row(target: string, ids: Uint32Array): Scrape {
    const starts = this.startTimestamps === null ? null : gather(this.startTimestamps, ids)
    return {
      target,
      slotMs: 0,
      intervalMs: 0,
      timestampMs: 0,
      ids,
      values: gather(this.values, ids),
      timestamps: null,
      startTimestamps: starts?.some((start) => start !== 0) ? starts : null,
      histograms: null,
      exemplars: null,
    }
  }
}

/** A copy with room for `count` series at least; doubled, so that growing costs little. */
function grown(values: Float64Array, count: number): Float64Array {
  if (values.length >= count) return values
  const next = new Float64Array(Math.max(count, 2 * values.length))
  next.set(values)
  return next
}

/** As bits; 0 for series without a value. */
function gather(values: Float64Array, ids: Uint32Array): Float64Array {
  const out = new Float64Array(ids.length)
  const from = new Uint32Array(values.buffer)
  const to = new Uint32Array(out.buffer)
  for (let i = 0; i < ids.length; i++) {
    if (ids[i]! >= values.length) continue
    to[2 * i] = from[2 * ids[i]!]!
    to[2 * i + 1] = from[2 * ids[i]! + 1]!
  }
  return out
}
