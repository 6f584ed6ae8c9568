/** A clock moved by hand, a logger that keeps its lines, and seeded randomness. */
import type { Clock, LogFields, Logger, Random } from '../../../protocol/env/mod.ts'

export type ManualClock = Clock & { advance(ms: number): void; set(nowMs: number): void }

export function manualClock(startMs: number): ManualClock {
  let now = startMs
  let monotonic = 0
  const timers = new Set<{ at: number; fn: () => void }>()
  const setTimer: Clock['setTimer'] = (delayMs, fn) => {
    const timer = { at: monotonic + delayMs, fn }
    timers.add(timer)
    return { cancel: () => void timers.delete(timer) }
  }
  return {
    now: () => now,
    monotonic: () => monotonic,
    setTimer,
    sleep: (delayMs) => new Promise((resolve) => void setTimer(delayMs, resolve)),
    set: (nowMs) => {
      now = nowMs
    },
    advance(ms) {
      const end = monotonic + ms
      for (;;) {
        const due = [...timers].filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (!due) break
        timers.delete(due)
        now += due.at - monotonic
        monotonic = due.at
        due.fn()
      }
      now += end - monotonic
      monotonic = end
    },
  }
}

export type LogLine = { readonly level: string; readonly message: string; readonly fields: LogFields }

export function memoryLogger(): Logger & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const at = (bound: LogFields): Logger => {
    const add =
      (level: string) =>
      (message: string, fields: LogFields = {}): void =>
        void lines.push({ level, message, fields: { ...bound, ...fields } })
    return {
      debug: add('debug'),
      info: add('info'),
      warn: add('warn'),
      error: add('error'),
      with: (fields) => at({ ...bound, ...fields }),
    }
  }
  return Object.assign(at({}), { lines })
}

/** As mulberry32: small, and the same on every runtime. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const float = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  return { float, bytes: (count) => Uint8Array.from({ length: count }, () => Math.floor(float() * 256)) }
}
