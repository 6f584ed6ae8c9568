/** Durations as Go programs read and print them: `1m2.5s`. Semantics: Go time.ParseDuration and Duration.String. */
const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const PART = /^(\d+\.?\d*|\.\d+)([^\d.]*)/

/**
 * @returns milliseconds, with a fraction
 * @throws Error in Go's words
 * @example parseGoDuration('1m2.5s') // 62500
 */
export function parseGoDuration(text: string): number {
  const quoted = JSON.stringify(text)
  let rest = text.replace(/^[-+]/, '')
  if (rest === '0') return 0
  if (rest === '') throw new Error(`time: invalid duration ${quoted}`)
  let ms = 0
  while (rest !== '') {
    const [whole, amount, unit] = PART.exec(rest) ?? []
    if (whole === undefined) throw new Error(`time: invalid duration ${quoted}`)
    if (unit === '') throw new Error(`time: missing unit in duration ${quoted}`)
    const unitMs = Object.hasOwn(UNIT_MS, unit!) ? UNIT_MS[unit!]! : 0
    if (unitMs === 0) throw new Error(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`)
    ms += Number(amount) * unitMs
    rest = rest.slice(whole.length)
  }
  return text.startsWith('-') ? -ms : ms
}

/** @param ms whole. @example formatGoDuration(7_200_000) // '2h0m0s' */
export function formatGoDuration(ms: number): string {
  if (ms === 0) return '0s'
  if (ms < 0) return `-${formatGoDuration(-ms)}`
  if (ms < 1000) return `${ms}ms`
  const hours = Math.floor(ms / 3_600_000)
  const minutes = Math.floor(ms / 60_000) % 60
  const seconds = `${(ms % 60_000) / 1000}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}
