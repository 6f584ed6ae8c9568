/**
 * Which series each target showed in its last scrape: what a restart compares with, so that series which vanished
 * while the agent was away get their stale markers. Saved as `zstd(JSON of label lists)`, and only when it changed.
 */
import type { Compressor, Scrape } from '../../protocol/batch/mod.ts'
import { type Labels, labelsFromSorted } from '../../protocol/labels/mod.ts'
import { isStaleAt } from '../../protocol/samples/mod.ts'

type Live = { ids: Uint32Array; slotMs: number; dirty: boolean }
const NO_IDS = new Uint32Array(0)
const LEVEL = 3
/** A dictionary that inflates to more was not written by this file. */
const MAX_INFLATED_BYTES = 256 << 20

export class LiveSeries {
  private readonly targets = new Map<string, Live>()

  /** Call before the scrape's arrays are handed over. */
  observe(scrape: Scrape): void {
    const known = this.targets.get(scrape.target)
    // Further parts of one scrape repeat series of the first.
    if (known && known.slotMs === scrape.slotMs) return
    const ids = livingIds(scrape)
    if (!known) this.targets.set(scrape.target, { ids, slotMs: scrape.slotMs, dirty: true })
    else {
      if (!sameIds(known.ids, ids)) known.dirty = true
      known.ids = ids
      known.slotMs = scrape.slotMs
    }
  }

  get count(): number {
    let count = 0
    for (const { ids } of this.targets.values()) count += ids.length
    return count
  }

  /** Changed since the last call; `bytes` is null for a target of which nothing lives: it is gone. */
  takeChanged(
    labels: readonly Labels[],
    compressor: Compressor,
  ): { readonly target: string; readonly bytes: Uint8Array | null }[] {
    const out: { target: string; bytes: Uint8Array | null }[] = []
    for (const [target, live] of this.targets) {
      if (!live.dirty) continue
      live.dirty = false
      out.push({ target, bytes: live.ids.length > 0 ? encodeDictionary(live.ids, labels, compressor) : null })
      if (live.ids.length === 0) this.targets.delete(target)
    }
    return out
  }

  /** A new epoch: ids mean nothing any more, and every target's next scrape is a change. */
  forgetIds(): void {
    for (const live of this.targets.values()) {
      live.ids = NO_IDS
      live.slotMs = Number.NaN
      live.dirty = false
    }
  }
}

function livingIds({ ids, values, histograms }: Scrape): Uint32Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
  let stale = 0
  const isStale = (i: number): boolean => isStaleAt(words, i) || (histograms?.get(i)?.isStale ?? false)
  for (let i = 0; i < ids.length; i++) if (isStale(i)) stale++
  if (stale === 0) return ids
  const living = new Uint32Array(ids.length - stale)
  for (let i = 0, n = 0; i < ids.length; i++) if (!isStale(i)) living[n++] = ids[i]!
  return living
}

function sameIds(a: Uint32Array, b: Uint32Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

function encodeDictionary(ids: Uint32Array, labels: readonly Labels[], compressor: Compressor): Uint8Array {
  const series: Labels[] = []
  for (const id of ids) series.push(labels[id]!)
  return compressor.compress(new TextEncoder().encode(JSON.stringify(series)), LEVEL)
}

/** Throws for bytes that are none of `encodeDictionary`'s. */
export function decodeDictionary(bytes: Uint8Array, compressor: Compressor): Labels[] {
  const text = new TextDecoder().decode(compressor.decompress(bytes, MAX_INFLATED_BYTES))
  return (JSON.parse(text) as string[][]).map(labelsFromSorted)
}
