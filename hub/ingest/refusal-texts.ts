/**
 * Why a sample is refused, in upstream's words.
 * Semantics: Prometheus storage/interface.go (ErrOutOfOrderSample, ErrTooOldSample, ErrOutOfBounds), storage/errors.go
 * (errDuplicateSampleForTimestamp), storage/remote/write_handler.go (maxAheadTime), as of v3.14.
 */
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import { AppendResult } from '../tsdb/contract.ts'

/** Besides what the head says: too far in the future. */
export const AHEAD = 255
export type Result = AppendResult | typeof AHEAD

/** What a series has at the time of a sample that contradicts it; null: not known. */
export type Stored = number | 'histogram' | null

const FIXED: Readonly<Record<number, string>> = {
  [AppendResult.outOfOrder]: 'out of order sample',
  [AppendResult.tooOld]: 'too old sample',
  [AHEAD]: 'out of bounds: timestamp is too far in the future',
}

/** Whether the sample itself is wrong, and will be when it comes again. */
export const isRefusal = (result: Result): boolean => result === AppendResult.conflicting || result in FIXED

/**
 * @param value of the float that is refused; null: a histogram is
 * @example refusalText(AppendResult.outOfOrder, 1, 2, () => null) // 'out of order sample'
 */
export const refusalText = (result: Result, timestampMs: number, value: number | null, stored: () => Stored): string =>
  FIXED[result] ?? duplicateText(timestampMs, value, stored)

/** Upstream leaves the values out at time 0, for want of another mark of an error without them. */
function duplicateText(timestampMs: number, value: number | null, stored: () => Stored): string {
  const before = value === null || timestampMs === 0 ? null : stored()
  if (before === null) return 'duplicate sample for timestamp'
  const existing = before === 'histogram' ? 'existing is a histogram' : `existing ${formatGoFloat(before)}`
  const what = `duplicate sample for timestamp ${timestampMs}`
  return `${what}; overrides not allowed: ${existing}, new value ${formatGoFloat(value!)}`
}
