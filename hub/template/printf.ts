/** Go's fmt.Sprintf, Sprint and Sprintln over template values. Semantics: Go fmt/print.go, fmt/format.go. */
import { formatFloat64, formatValue, GoList, GoMap, twoDigits, typeName, type Value } from './values.ts'

type Spec = {
  readonly flags: ReadonlySet<string>
  readonly width: number | null
  readonly precision: number | null
}

/** Widths and precisions above are refused, as by Go, so that a template cannot ask for a huge text. */
const SIZE_MAX = 1_000_000

const DIRECTIVE = /%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d+)?)?(?:\[(\d+)\])?([\s\S])?/gu

export function sprintf(format: string, args: readonly Value[]): string {
  let next = 0
  // With indexes, not every value has to be used.
  let reordered = false
  const star = (): number | null => {
    const value = args[next++]
    return typeof value === 'bigint' && value <= BigInt(SIZE_MAX) && value >= BigInt(-SIZE_MAX) ? Number(value) : null
  }
  const out = format.replace(
    DIRECTIVE,
    (whole, flags: string, widthText?: string, precisionText?: string, indexText?: string, verb?: string) => {
      if (verb === undefined) return '%!(NOVERB)'
      if (verb === '%') return '%'
      const set = new Set(flags)
      let width = widthText === '*' ? star() : widthText === undefined ? null : Math.min(SIZE_MAX, Number(widthText))
      if (width !== null && width < 0) {
        set.add('-')
        width = -width
      }
      const hasPoint = /\.\D*$|\.\d*/.test(whole.slice(1 + flags.length + (widthText?.length ?? 0)))
      const precision =
        precisionText === '*'
          ? star()
          : precisionText !== undefined
            ? Math.min(SIZE_MAX, Number(precisionText))
            : hasPoint && whole.includes('.')
              ? 0
              : null
      if (indexText !== undefined) {
        reordered = true
        next = Number(indexText) - 1
        if (next < 0 || next >= args.length) return `%!${verb}(BADINDEX)`
      }
      if (next >= args.length) return `%!${verb}(MISSING)`
      return directive(verb, args[next++]!, { flags: set, width, precision })
    },
  )
  if (reordered || next >= args.length) return out
  const extra = args.slice(next).map((value) => (value === null ? '<nil>' : `${typeName(value)}=${formatValue(value)}`))
  return `${out}%!(EXTRA ${extra.join(', ')})`
}

/** Spaces only between operands of which neither is a string. */
export function sprint(args: readonly Value[]): string {
  let out = ''
  args.forEach((value, i) => {
    if (i > 0 && typeof value !== 'string' && typeof args[i - 1] !== 'string') out += ' '
    out += formatValue(value)
  })
  return out
}

export function sprintln(args: readonly Value[]): string {
  return `${args.map(formatValue).join(' ')}\n`
}

function directive(verb: string, value: Value, spec: Spec): string {
  if (verb === 'T') return pad(typeName(value), spec, false)
  const text = convert(verb, value, spec)
  if (text === null) return value === null ? `%!${verb}(<nil>)` : `%!${verb}(${typeName(value)}=${formatValue(value)})`
  const isNumber = typeof value === 'bigint' || (typeof value === 'number' && Number.isFinite(value))
  return pad(text, spec, isNumber && spec.flags.has('0') && !spec.flags.has('-'))
}

/** null: the verb does not go with the type. */
function convert(verb: string, value: Value, spec: Spec): string | null {
  if (value instanceof GoList && verb !== 'v' && verb !== 'T')
    return `[${value.items.map((item) => directive(verb, item, { ...spec, width: null })).join(' ')}]`
  if (value instanceof GoMap && verb !== 'v')
    return `map[${value
      .sorted()
      .map(([key, item]) => `${directive(verb, key, spec)}:${directive(verb, item, spec)}`)
      .join(' ')}]`
  if (typeof value === 'boolean') return verb === 'v' || verb === 't' ? String(value) : null
  if (typeof value === 'bigint') return integer(verb, value, spec)
  if (typeof value === 'number') return float(verb, value, spec)
  if (value === null) return verb === 'v' ? '<nil>' : null
  if (verb === 'v' && typeof value !== 'string') return formatValue(value)
  return string(verb, formatValue(value), spec)
}

function string(verb: string, text: string, { precision, flags }: Spec): string | null {
  const cut = precision === null ? text : [...text].slice(0, precision).join('')
  if (verb === 'v' || verb === 's') return cut
  if (verb === 'q') return flags.has('#') && !cut.includes('`') ? `\`${cut}\`` : JSON.stringify(cut)
  if (verb === 'x' || verb === 'X') {
    const hex = Array.from(new TextEncoder().encode(cut), (byte) => byte.toString(16).padStart(2, '0')).join('')
    return verb === 'x' ? hex : hex.toUpperCase()
  }
  return null
}

function integer(verb: string, value: bigint, { flags, precision }: Spec): string | null {
  const magnitude = value < 0n ? -value : value
  const base = ({ d: 10, v: 10, b: 2, o: 8, O: 8, x: 16, X: 16 } as Record<string, number>)[verb]
  if (base === undefined) {
    if (verb === 'c') return String.fromCodePoint(Number(value))
    if (verb === 'q') return `'${String.fromCodePoint(Number(value))}'`
    if (verb === 'U') return `U+${value.toString(16).toUpperCase().padStart(4, '0')}`
    return null
  }
  let digits = magnitude.toString(base).padStart(precision ?? 0, '0')
  if (verb === 'X') digits = digits.toUpperCase()
  if (flags.has('#')) digits = ({ b: '0b', o: '0', x: '0x', X: '0X' }[verb] ?? '') + digits
  if (verb === 'O') digits = `0o${digits}`
  return signOf(value < 0n, flags) + digits
}

function float(verb: string, value: number, { flags, precision }: Spec): string | null {
  const negative = value < 0 || Object.is(value, -0)
  const sign = signOf(negative, flags)
  if (!'vgGeEfF'.includes(verb)) return null
  if (Number.isNaN(value)) return `${flags.has('+') ? '+' : ''}NaN`
  if (!Number.isFinite(value)) return negative ? '-Inf' : '+Inf'
  const magnitude = Math.abs(value)
  let out: string
  if (verb === 'f' || verb === 'F') out = fixed(magnitude, precision ?? 6)
  else if (verb === 'e' || verb === 'E') out = scientific(magnitude, precision ?? 6)
  else if (precision === null) {
    out = formatFloat64(magnitude)
  } else out = general(magnitude, precision)
  return sign + (verb === 'G' || verb === 'E' ? out.toUpperCase() : out)
}

/** Go's %.Ng without trailing zeros. */
export function general(magnitude: number, precision: number): string {
  const digits = Math.min(100, precision || 1)
  if (magnitude === 0) return '0'
  const exponent = Number(magnitude.toExponential(digits - 1).split('e')[1])
  if (exponent < -4 || exponent >= digits) {
    const [mantissa = ''] = magnitude.toExponential(digits - 1).split('e')
    return `${mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa}e${twoDigits(exponent)}`
  }
  const out = magnitude.toFixed(Math.max(0, digits - 1 - exponent))
  return out.includes('.') ? out.replace(/\.?0+$/, '') : out
}

function scientific(magnitude: number, precision: number): string {
  const [mantissa = '', power = '0'] = magnitude.toExponential(Math.min(100, precision)).split('e')
  return `${mantissa}e${twoDigits(Number(power))}`
}

function fixed(magnitude: number, precision: number): string {
  if (magnitude < 1e21) return magnitude.toFixed(Math.min(100, precision))
  return BigInt(magnitude).toString() + (precision > 0 ? `.${'0'.repeat(Math.min(100, precision))}` : '')
}

function signOf(negative: boolean, flags: ReadonlySet<string>): string {
  return negative ? '-' : flags.has('+') ? '+' : flags.has(' ') ? ' ' : ''
}

function pad(text: string, { width, flags }: Spec, zeros: boolean): string {
  const missing = (width ?? 0) - [...text].length
  if (missing <= 0) return text
  if (flags.has('-')) return text + ' '.repeat(missing)
  if (!zeros) return ' '.repeat(missing) + text
  const sign = /^[-+ ]/.test(text) ? text[0]! : ''
  return sign + '0'.repeat(missing) + text.slice(sign.length)
}
