/** Durations as Go programs read them from flags and mapping files. Semantics: Go time.ParseDuration. */
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

/**
 * @returns milliseconds, with a fraction
 * @throws Error in Go's words
 * @example parseGoDuration('1m2.5s') // 62500
 */
export function parseGoDuration(text: string): number {
  if (text === '0') return 0
  if (!/^-?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(text)) throw new Error(`invalid duration "${text}"`)
  let ms = 0
  for (const [, amount, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    ms += Number(amount) * UNIT_MS[unit!]!
  return text.startsWith('-') ? -ms : ms
}
