/**
 * How the values of one column (a series' samples in one batch) are coded; one mode byte per column:
 *
 *     0                   every value has the bits of the base
 *     1                   XOR with the bits of the value before, 8 bytes, split over eight planes
 *     2 + 2·unit + sparse integers: zigzag varints of the difference to the value before, in units of
 *                           unit 0…12    10^-unit (a decimal with so many places, exactly restored)
 *                           unit 13…52   2^(unit - 12) (kB counters and the like)
 *                         sparse = 1: a bitmap of the values that changed, and varints of these alone
 *
 * The base of a column is the series' value in the keyframe, or 0. Both sides compute predecessors with `scaledOf`, from
 * the same doubles with the same IEEE operations.
 */
export const Mode = { same: 0, xor: 1, scaled: 2 } as const
export const MAX_DECIMALS = 12
export const MAX_SHIFT = 40
export const MODE_COUNT = Mode.scaled + 2 * (MAX_DECIMALS + MAX_SHIFT + 1)
/** Scaled values stay below it, so that differences (and their zigzag) are exact. */
export const MAX_SCALED = 2 ** 51

/** Exact powers: v * 10^k rounds, but the rounded integer divided by 10^k is checked to be v. */
export const POWERS_OF_TEN = Float64Array.from({ length: MAX_DECIMALS + 1 }, (_, k) => Number(`1e${k}`))

/** `value` in units of 1 / `power`, or 0 when it is no whole number of them; never -0, which would seep into results. */
export function scaledOf(value: number, power: number): number {
  const scaled = Math.round(value * power)
  return scaled / power === value && scaled < MAX_SCALED && scaled > -MAX_SCALED ? scaled + 0 : 0
}

/** The values that a batch's columns are measured against, by series id; ids from `count` on have `missing`. */
export type Base = {
  readonly words: Uint32Array
  readonly values: Float64Array
  readonly count: number
  readonly missingHigh: number
}

const NOTHING = new Float64Array(0)
const NO_WORDS = new Uint32Array(0)
export const ZERO_BASE: Base = { words: NO_WORDS, values: NOTHING, count: 0, missingHigh: 0 }
/** For own timestamps, where NaN means "the scrape's". */
export const NAN_BASE: Base = { words: NO_WORDS, values: NOTHING, count: 0, missingHigh: 0x7ff80000 }

export function baseOf(values: Float64Array | null): Base {
  if (values === null) return ZERO_BASE
  return {
    words: new Uint32Array(values.buffer, values.byteOffset, 2 * values.length),
    values,
    count: values.length,
    missingHigh: 0,
  }
}
