/** What is kept for how long, as times before which nothing is shown. */
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Floors } from './hiding.ts'

/** Downsampled windows of `resolutionMs` are kept for `keepMs`. */
export type KeptWindows = { readonly resolutionMs: number; readonly keepMs: number }

export type Kept = {
  /** Of several that match a series, the first has the say; windows that it does not name are kept as long as samples. */
  readonly rules: readonly {
    readonly matchers: readonly Matcher[]
    readonly timeMs: number
    readonly downsampling: readonly KeptWindows[]
  }[]
  /** Of series that no rule matches; 0 = for ever. */
  readonly timeMs: number
  /** By ascending resolution; empty: there are no windows. */
  readonly downsampling: readonly KeptWindows[]
}

export function retentionFloors({ rules, timeMs, downsampling }: Kept, now: number): Floors {
  const floors = {
    rules: rules.map((rule) => ({ matchers: rule.matchers, minTime: now - rule.timeMs })),
    minTime: timeMs > 0 ? now - timeMs : Number.NEGATIVE_INFINITY,
  }
  if (downsampling.length === 0) return floors
  const tiers = downsampling.map(({ resolutionMs: widthMs, keepMs }) => ({
    widthMs,
    floors: {
      rules: rules.map((rule) => {
        const own = rule.downsampling.find((level) => level.resolutionMs === widthMs)
        return { matchers: rule.matchers, minTime: now - (own?.keepMs ?? rule.timeMs) }
      }),
      minTime: now - keepMs,
    },
  }))
  return { ...floors, tiers }
}

/** Of whatever is kept longest; 0 = for ever. */
export function longestRetention({ rules, timeMs, downsampling }: Kept): number {
  if (timeMs === 0) return 0
  const windows = [downsampling, ...rules.map((rule) => rule.downsampling)].flat()
  return Math.max(timeMs, ...rules.map((rule) => rule.timeMs), ...windows.map(({ keepMs }) => keepMs))
}
