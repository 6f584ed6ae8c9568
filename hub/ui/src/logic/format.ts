/** Numbers as the page shows them. */

const PREFIXES: readonly (readonly [factor: number, prefix: string])[] = [
  [1e24, 'Y'],
  [1e21, 'Z'],
  [1e18, 'E'],
  [1e15, 'P'],
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
  [1, ''],
  [1e-3, 'm'],
  [1e-6, 'µ'],
  [1e-9, 'n'],
  [1e-12, 'p'],
]

/** `1234567` is `1.235M`, `0.00042` is `420µ`: at most `digits` significant ones, no trailing zeros. */
export function formatSi(value: number, digits = 4): string {
  if (value === 0) return '0'
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  const size = Math.abs(value)
  for (const [factor, prefix] of PREFIXES) {
    // The rounded size decides: 999.99 with three digits is 1k, not 1000.
    const scaled = Number((size / factor).toPrecision(digits))
    if (scaled < 1) continue
    if (scaled >= 1000 && factor === 1e24) break
    return `${value < 0 ? '-' : ''}${scaled}${prefix}`
  }
  return value.toExponential(digits - 1).replace(/\.?0+e/, 'e')
}

/**
 * Labels of a value axis: one prefix for all of them, chosen by the largest, so that they line up and compare.
 * @param splits the tick values, ascending @param incr the distance between them
 */
export function axisValues(splits: readonly number[], incr: number): string[] {
  const largest = splits.reduce((max, value) => Math.max(max, Math.abs(value)), 0)
  if (largest === 0) return splits.map(() => '0')
  const [factor, prefix] = PREFIXES.find(([size]) => largest >= size) ?? [0, '']
  if (factor === 0 || largest >= 1e27) return splits.map((value) => (value === 0 ? '0' : value.toExponential(2)))
  const decimals = Math.min(12, Math.max(0, -Math.floor(Math.log10(incr / factor) + 1e-9)))
  // An increment like 2.5 needs one digit more than its size says.
  const scaled = incr / factor
  const extra = Math.abs(scaled * 10 ** decimals - Math.round(scaled * 10 ** decimals)) > 1e-6 ? 1 : 0
  return splits.map((value) =>
    Math.abs(value) < incr * 1e-9 ? '0' : `${(value / factor).toFixed(decimals + extra)}${prefix}`,
  )
}

/** A sample value of the API (a string) for reading: as it came; grouping digits would make copies unusable. */
export function parseSample(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Infinity
  if (text === '-Inf') return -Infinity
  return text === 'NaN' ? NaN : Number(text)
}

/** `12,345`: counts of things, never sample values. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** "1 series", "2 rows", "1 row". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

/** Milliseconds of a measurement: `123µs`, `4.56ms`, `1.2s`. */
export function formatMs(ms: number): string {
  return ms === 0 ? '0s' : `${formatSi(ms / 1000, 3)}s`
}

/** `1.5MiB`; whole below a KiB. */
export function formatBytes(bytes: number): string {
  const power = Math.min(5, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)))
  return `${Number((bytes / 1024 ** power).toPrecision(power === 0 ? 15 : 3))}${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][power]}`
}
