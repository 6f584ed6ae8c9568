/** Functions of rule templates. Semantics: Prometheus template/template.go (v3.14), Go text/template's built-ins. */
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'

export type TemplateValue = string | number | boolean | Readonly<Record<string, string>>
type TemplateFunction = (args: readonly TemplateValue[], externalUrl: string) => TemplateValue

export function truth(value: TemplateValue): boolean {
  if (typeof value === 'object') return Object.keys(value).length > 0
  return value !== '' && value !== 0 && value !== false
}

const text = (value: TemplateValue | undefined): string => (value === undefined ? '' : String(value))

function number(value: TemplateValue | undefined): number {
  const parsed =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && value.trim() !== ''
        ? Number(value.replace(/^\+?Inf$/, 'Infinity').replace('-Inf', '-Infinity'))
        : Number.NaN
  if (Number.isNaN(parsed) && value !== 'NaN' && typeof value !== 'number')
    throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text(value))}: invalid syntax`)
  return parsed
}

/** Go's %.4g. */
function short(value: number): string {
  if (!Number.isFinite(value)) return formatGoFloat(value)
  if (value === 0) return '0'
  const exponent = Number(value.toExponential(3).split('e')[1])
  if (exponent < -4 || exponent >= 4) {
    const [mantissa = '', power = ''] = value.toExponential(3).split('e')
    const digits = mantissa.replace(/\.?0+$/, '')
    return `${digits}e${power[0]}${power.slice(1).padStart(2, '0')}`
  }
  const fixed = value.toPrecision(4)
  return fixed.includes('.') ? fixed.replace(/\.?0+$/, '') : fixed
}

function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return short(value)
  let v = value
  let prefix = ''
  if (Math.abs(v) >= 1) {
    for (const p of ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y']) {
      if (Math.abs(v) < 1000) break
      prefix = p
      v /= 1000
    }
  } else {
    for (const p of ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y']) {
      if (Math.abs(v) >= 1) break
      prefix = p
      v *= 1000
    }
  }
  return short(v) + prefix
}

function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return short(value)
  let v = value
  let prefix = ''
  for (const p of ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi']) {
    if (Math.abs(v) < 1024) break
    prefix = p
    v /= 1024
  }
  return short(v) + prefix
}

function humanizeDuration(value: number): string {
  if (!Number.isFinite(value)) return short(value)
  let v = value
  if (v === 0) return `${short(v)}s`
  if (Math.abs(v) >= 1) {
    const sign = v < 0 ? '-' : ''
    v = Math.abs(v)
    const whole = Math.floor(v)
    const seconds = whole % 60
    const minutes = Math.floor(whole / 60) % 60
    const hours = Math.floor(whole / 3600) % 24
    const days = Math.floor(whole / 86_400)
    if (days !== 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`
    if (hours !== 0) return `${sign}${hours}h ${minutes}m ${seconds}s`
    if (minutes !== 0) return `${sign}${minutes}m ${seconds}s`
    return `${sign}${short(v)}s`
  }
  let prefix = ''
  for (const p of ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y']) {
    if (Math.abs(v) >= 1) break
    prefix = p
    v *= 1000
  }
  return `${short(v)}${prefix}s`
}

const compare = (a: TemplateValue, b: TemplateValue): number => (a < b ? -1 : a > b ? 1 : 0)

export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = {
  humanize: ([v]) => humanize(number(v)),
  humanize1024: ([v]) => humanize1024(number(v)),
  humanizeDuration: ([v]) => humanizeDuration(number(v)),
  humanizePercentage: ([v]) => `${short(number(v) * 100)}%`,
  humanizeTimestamp: ([v]) => goTime(number(v)),
  toUpper: ([v]) => text(v).toUpperCase(),
  toLower: ([v]) => text(v).toLowerCase(),
  title: ([v]) =>
    text(v).replace(
      /(^|[^\p{L}\p{N}_'])(\p{L})/gu,
      (_, before: string, letter: string) => before + letter.toUpperCase(),
    ),
  safeHtml: ([v]) => text(v),
  reReplaceAll: ([pattern, replacement, v]) =>
    compileRegex(text(pattern))
      .matcher(text(v))
      .replaceAll(text(replacement).replace(/\$\{?(\w+)\}?/g, '$$$1')),
  match: ([pattern, v]) => compileRegex(text(pattern)).matcher(text(v)).find(),
  stripPort: ([v]) =>
    text(v).replace(/^\[([^\]]+)\](?::\d+)?$|^([^:]+):\d+$/, (_, v6?: string, host?: string) => v6 ?? host ?? ''),
  stripDomain: ([v]) => text(v).replace(/^([^.:]+)\.[^:]*(:\d+)?$/, '$1$2'),
  graphLink: ([v]) => `/graph?g0.expr=${encodeURIComponent(text(v))}&g0.tab=0`,
  tableLink: ([v]) => `/graph?g0.expr=${encodeURIComponent(text(v))}&g0.tab=1`,
  externalURL: (_, url) => url,
  pathPrefix: (_, url) => {
    const match = /^[a-z]+:\/\/[^/]*(\/.*)?$/.exec(url)
    return (match?.[1] ?? '').replace(/\/$/, '')
  },
  urlQueryEscape: ([v]) => encodeURIComponent(text(v)).replaceAll('%20', '+'),
  parseDuration: ([v]) => number(v),
  toTime: ([v]) => goTime(number(v)),
  printf: ([format, ...args]) => sprintf(text(format), args),
  print: (args) => args.map(text).join(''),
  len: ([v]) => (typeof v === 'object' ? Object.keys(v).length : new TextEncoder().encode(text(v)).length),
  not: ([v]) => !truth(v ?? ''),
  and: (args) => args.find((value) => !truth(value)) ?? args.at(-1) ?? '',
  or: (args) => args.find(truth) ?? args.at(-1) ?? '',
  eq: ([a, ...rest]) => rest.some((b) => a === b),
  ne: ([a, b]) => a !== b,
  lt: ([a, b]) => compare(a!, b!) < 0,
  le: ([a, b]) => compare(a!, b!) <= 0,
  gt: ([a, b]) => compare(a!, b!) > 0,
  ge: ([a, b]) => compare(a!, b!) >= 0,
  index: ([map, name]) => (typeof map === 'object' ? (map[text(name)] ?? '') : ''),
}

/** Go's time.Time printed in UTC. */
function goTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return short(seconds)
  return `${new Date(seconds * 1000)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.?0*Z$/, '')} +0000 UTC`
}

/** The verbs that rules use of Go's fmt. */
function sprintf(format: string, args: readonly TemplateValue[]): string {
  let next = 0
  return format.replace(
    /%(-|0|\+)?(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (whole, flag?: string, width?: string, precision?: string, verb?: string) => {
      if (verb === '%') return '%'
      if (next >= args.length) return `%!${verb}(MISSING)`
      const value = args[next++]!
      let out: string
      if (verb === 'f' || verb === 'F') out = number(value).toFixed(precision === undefined ? 6 : Number(precision))
      else if (verb === 'g')
        out =
          precision === undefined
            ? formatGoFloat(number(value))
            : String(Number(number(value).toPrecision(Number(precision) || 1)))
      else if (verb === 'e')
        out = number(value)
          .toExponential(precision === undefined ? 6 : Number(precision))
          .replace(/e([+-])(\d)$/, 'e$10$2')
      else if (verb === 'd')
        out =
          typeof value === 'number' && Number.isInteger(value) ? String(value) : `%!d(${typeof value}=${text(value)})`
      else if (verb === 's' || verb === 'v')
        out = precision === undefined ? text(value) : text(value).slice(0, Number(precision))
      else if (verb === 'q') out = JSON.stringify(text(value))
      else return whole
      if (flag === '+' && !out.startsWith('-') && verb !== 's') out = `+${out}`
      if (width === undefined) return out
      return flag === '-' ? out.padEnd(Number(width)) : out.padStart(Number(width), flag === '0' ? '0' : ' ')
    },
  )
}
