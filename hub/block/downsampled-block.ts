/**
 * A block as queries see it that may have windows of samples which are gone: the last of such a window stands for them
 * wherever single samples are asked for, and says so (`SampleBuffer.sparse`).
 */
import type { SampleBuffer, SeriesReader, TimeRange } from '../tsdb/mod.ts'
import { Layers, type RawReader, wholeWindows } from './choose-aggregates.ts'
import { HashedHidingReader, type Hidden, hideFromBlock, openTo, veilOf } from './hiding.ts'
import type { LazyBlock } from './lazy-block.ts'

/** The samples alone when downsampling is off. */
export function seenBlock(block: LazyBlock, hidden: Hidden, deletes: number): SeriesReader {
  if (!hidden.floors.tiers) return hideFromBlock(block, hidden, deletes, block.matched)
  return new DownsampledBlock(block, veilOf(openTo(hidden, deletes), block.matched, block.timeRange()))
}

class DownsampledBlock extends HashedHidingReader implements RawReader {
  readonly #layers = new Layers()

  override read(ref: number, range: TimeRange, out: SampleBuffer): void {
    const { stored } = this
    out.sparse = undefined
    if (stored === null || range.minTime >= stored.goneBefore(ref)) {
      super.read(ref, range, out)
      return
    }
    super.read(ref, wholeWindows(range, stored.allWidths()), out)
    this.#layers.addLasts(out, stored, ref, range)
  }

  readStoredSamples(ref: number, range: TimeRange, out: SampleBuffer): void {
    super.read(ref, range, out)
  }
}
