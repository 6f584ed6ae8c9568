/**
 * Delays of timers that fire again and again, so that all timers of one process with the same interval, or multiples of
 * it, fire in the same wake-up: waking costs more than most of what they do.
 */

/** Firing early by a fraction must not make one moment two. */
const EARLY_MS = 2

/**
 * Until the next multiple of the interval, in whole milliseconds: runtimes cut off the rest, and would fire before it.
 * @param nowMs of the monotonic clock, which all of them share
 */
export function sharedDelayMs(everyMs: number, nowMs = performance.now()): number {
  const restMs = Math.ceil(everyMs - (nowMs % everyMs))
  return restMs < EARLY_MS ? restMs + everyMs : restMs
}
