/** Which files of the log can go once a checkpoint is there. */
import type { Listing } from './names.ts'

/** Of segments that only a follower needs: one that needs more has not kept its own, smaller, bound. */
export const MAX_HELD_BYTES = 8 * 2 ** 30
/**
 * A checkpoint is kept after so much log: with the oldest of them alone, a follower that is always a little behind would
 * hold all of the log from there on, more and more of it.
 */
const HELD_CHECKPOINT_EVERY_BYTES = MAX_HELD_BYTES / 16

export type Droppable = {
  readonly checkpoints: readonly number[]
  readonly segments: readonly number[]
  /** Some of it a follower needs: it holds more than `MAX_HELD_BYTES`. */
  readonly isOverdrawn: boolean
}

/**
 * A restart needs the newest two checkpoints and the segments from the older of them on (all, while there is only one);
 * a follower, the newest checkpoint that is not after its segment, and the segments from that one on, with checkpoints
 * here and there.
 * @param needed the segment; null: there is no follower
 */
export function droppable(
  { checkpoints, segments }: Pick<Listing, 'checkpoints' | 'segments'>,
  newest: number,
  needed: number | null,
  bytesOf: (segment: number) => number,
): Droppable {
  const previous = checkpoints.filter((index) => index < newest).at(-1)
  if (previous === undefined) return { checkpoints: [], segments: [], isOverdrawn: false }
  let from = previous
  if (needed !== null && needed < previous) from = checkpoints.filter((index) => index <= needed).at(-1) ?? 0
  const held = segments.filter((index) => index >= from && index < previous)
  const isOverdrawn = held.reduce((sum, index) => sum + bytesOf(index), 0) > MAX_HELD_BYTES
  if (isOverdrawn) from = previous
  const kept = new Set([from])
  let bytesSince = 0
  for (const index of isOverdrawn ? [] : held) {
    if (bytesSince >= HELD_CHECKPOINT_EVERY_BYTES && checkpoints.includes(index)) {
      kept.add(index)
      bytesSince = 0
    }
    bytesSince += bytesOf(index)
  }
  return {
    checkpoints: checkpoints.filter((index) => index < previous && !kept.has(index)),
    segments: segments.filter((index) => index < from),
    isOverdrawn,
  }
}
