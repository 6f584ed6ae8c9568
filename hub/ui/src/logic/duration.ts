/** Durations as the page writes and reads them. Semantics: Prometheus model.ParseDuration, `1h30m`. */

const UNITS: readonly (readonly [unit: string, ms: number])[] = [
  ['y', 365 * 86_400_000],
  ['w', 7 * 86_400_000],
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
]
const PATTERN = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/

/** Milliseconds, or null for text that is no duration or none above zero. */
export function parseDuration(text: string): number | null {
  const found = PATTERN.exec(text.trim())
  if (!found) return null
  let ms = 0
  for (const [index, [, unitMs]] of UNITS.entries()) ms += Number(found[index + 1] ?? 0) * unitMs
  return ms > 0 && Number.isSafeInteger(ms) ? ms : null
}

/** `90000` is `1m30s`; years and weeks only where nothing is left over, as Prometheus prints them. */
export function formatDuration(durationMs: number): string {
  let left = Math.round(durationMs)
  if (left <= 0) return '0s'
  let out = ''
  for (const [unit, unitMs] of UNITS) {
    if ((unit === 'y' || unit === 'w') && left % unitMs !== 0) continue
    const count = Math.floor(left / unitMs)
    if (count > 0) out += `${count}${unit}`
    left -= count * unitMs
  }
  return out
}

/** The ranges that `-` and `+` step through. */
export const RANGES_MS: readonly number[] = [
  '1m',
  '5m',
  '15m',
  '30m',
  '1h',
  '2h',
  '6h',
  '12h',
  '1d',
  '2d',
  '1w',
  '2w',
  '4w',
  '8w',
  '1y',
].map((text) => parseDuration(text)!)

export function nextRange(rangeMs: number, direction: 1 | -1): number {
  if (direction > 0) return RANGES_MS.find((ms) => ms > rangeMs) ?? rangeMs
  return RANGES_MS.findLast((ms) => ms < rangeMs) ?? rangeMs
}

/** How long ago, in one or two units: `3s`, `2m10s`, `4h`. */
export function formatAge(ageMs: number): string {
  if (ageMs < 1000) return `${Math.max(0, Math.round(ageMs))}ms`
  if (ageMs < 60_000) return `${(ageMs / 1000).toFixed(ageMs < 10_000 ? 1 : 0)}s`
  const unit = ageMs < 3_600_000 ? 1000 : ageMs < 86_400_000 ? 60_000 : 3_600_000
  return formatDuration(Math.round(ageMs / unit) * unit)
}
