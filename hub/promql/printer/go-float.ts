/**
 * A float as Go's `%g` and `%v` write it: shortest digits, an exponent below 1e-4 and from 1e6 on unless all.
 * Semantics: Go strconv.FormatFloat(v, 'g', -1, 64).
 */
export function formatG(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e')
  const exponent = Number(exponentText)
  if (exponent >= -4 && exponent < 6) {
    const text = String(value)
    if (!text.includes('e')) return text
    return value.toFixed(20).replace(/0+$/, '')
  }
  const digits = String(Math.abs(exponent)).padStart(2, '0')
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`
}
