/**
 * Durations as Prometheus writes them: `1h30m`, `15s`, `0`.
 * Semantics: prometheus/common model/time.go, ParseDuration and Duration.String.
 */
export { formatGoDuration, parseGoDuration } from './go.ts'

/** From long to short, as a duration must have them. */
const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]
/** Go's time.Duration is an int64 of nanoseconds. */
const MAX_MS = 9_223_372_036_854

export class DurationError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DurationError'
  }
}

/**
 * @returns milliseconds
 * @throws DurationError with upstream's text
 * @example parseDuration('1h30m') // 5400000
 */
export function parseDuration(text: string): number {
  if (text === '0') return 0
  if (text === '') throw new DurationError('empty duration string')
  let ms = 0
  let last = -1
  for (const [, amount, unit] of text.matchAll(/(\d*)(\D*)/g)) {
    if (amount === '' && unit === '') break
    const index = UNITS.findIndex(([name]) => name === unit)
    if (amount !== '' && unit !== '' && index < 0)
      throw new DurationError(`unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`)
    if (amount === '' || index <= last) throw new DurationError(`not a valid duration string: ${JSON.stringify(text)}`)
    last = index
    ms += Number(amount) * UNITS[index]![1]
    if (ms > MAX_MS) throw new DurationError('duration out of range')
  }
  return ms
}

/** @example formatDuration(5400000) // '1h30m' */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  if (ms < 0) return `-${formatDuration(-ms)}`
  let out = ''
  let rest = ms
  for (const [unit, unitMs] of UNITS) {
    // Years and weeks only when nothing else is left over, as upstream.
    const exactOnly = unit === 'y' || unit === 'w'
    if (exactOnly && rest % unitMs !== 0) continue
    const amount = Math.floor(rest / unitMs)
    if (amount > 0) {
      out += `${amount}${unit}`
      rest -= amount * unitMs
    }
  }
  return out
}
