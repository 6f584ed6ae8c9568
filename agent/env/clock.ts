/** The real clock. */
import { setTimeout as sleepFor } from 'node:timers/promises'
import type { Clock, Timer } from '../../protocol/env/mod.ts'

/** Node fires longer timers at once; longer waits are chained. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, fn, options) {
    return startTimer(Math.max(0, delayMs), fn, options?.unref ?? false)
  },
  sleep: (delayMs, signal) => sleepFor(Math.max(0, delayMs), undefined, signal ? { signal } : {}),
}

function startTimer(delayMs: number, fn: () => void, unref: boolean): Timer {
  let handle: NodeJS.Timeout
  const arm = (restMs: number): void => {
    const chunkMs = Math.min(restMs, LONGEST_TIMER_MS)
    handle = setTimeout(() => (restMs > chunkMs ? arm(restMs - chunkMs) : fn()), chunkMs)
    if (unref) handle.unref()
  }
  arm(delayMs)
  return { cancel: () => clearTimeout(handle) }
}
