/** Names of metrics and labels. Semantics: prometheus/otlptranslator metric_namer.go, label_namer.go, unit_namer.go. */
export type NameStrategy =
  | 'UnderscoreEscapingWithSuffixes'
  | 'UnderscoreEscapingWithoutSuffixes'
  | 'NoUTF8EscapingWithSuffixes'
  | 'NoTranslation'

export type NamedKind = 'gauge' | 'counter' | 'other'

const UNITS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '1': '',
  '%': 'percent',
}
const PER_UNITS: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
}

/** @throws Error when nothing of the name is left */
export function metricName(name: string, unit: string, kind: NamedKind, strategy: NameStrategy): string {
  const built =
    strategy === 'NoTranslation'
      ? name
      : strategy === 'NoUTF8EscapingWithSuffixes'
        ? withSuffixes(name, unit, kind)
        : strategy === 'UnderscoreEscapingWithSuffixes'
          ? escapedWithSuffixes(name, unit, kind)
          : beforeDigit(tokensOf(name, /[^a-zA-Z0-9:_]+/).join('_'))
  if (built === '') throw new Error(`normalization for metric ${JSON.stringify(name)} resulted in empty name`)
  if (built !== name && /^_+$/.test(built))
    throw new Error(
      `normalization for metric ${JSON.stringify(name)} resulted in invalid name ${JSON.stringify(built)}`,
    )
  return built
}

export function labelName(name: string, strategy: NameStrategy): string {
  if (strategy === 'NoTranslation' || strategy === 'NoUTF8EscapingWithSuffixes') return name
  const clean = name.replace(/[^a-zA-Z0-9_]/gu, '_')
  if (/^[0-9]/.test(clean)) return `key_${clean}`
  return /^_[^_]/.test(clean) ? `key${clean}` : clean
}

/** The unit as Prometheus spells it, for metadata and names: `By/s` is `bytes_per_second`. */
export function unitName(unit: string): string {
  const { main, per } = unitSuffixes(unit)
  return [main, per].filter((part) => part !== '').join('_')
}

function escapedWithSuffixes(name: string, unit: string, kind: NamedKind): string {
  let tokens = tokensOf(name, /[^a-zA-Z0-9:]+/)
  const { main, per } = unitSuffixes(unit)
  for (const suffix of [clean(main), clean(per)]) if (suffix !== '' && !tokens.includes(suffix)) tokens.push(suffix)
  const ending = kind === 'counter' ? 'total' : unit === '1' && kind === 'gauge' ? 'ratio' : ''
  if (ending !== '') tokens = [...tokens.filter((token) => token !== ending), ending]
  return beforeDigit(tokens.join('_'))
}

function withSuffixes(name: string, unit: string, kind: NamedKind): string {
  const ending = kind === 'counter' ? 'total' : unit === '1' && kind === 'gauge' ? 'ratio' : ''
  const { main, per } = unitSuffixes(unit)
  let out = trimSuffix(trimSuffix(name, ending), per)
  if (main !== '' && !out.endsWith(main)) out += `_${main}`
  if (per !== '') out += `_${per}`
  return ending === '' ? out : `${out}_${ending}`
}

/** Takes the character before the suffix along: it is its delimiter. */
function trimSuffix(name: string, suffix: string): string {
  const isLonger = name.length > suffix.length + 1
  return suffix !== '' && name.endsWith(suffix) && isLonger ? name.slice(0, -suffix.length - 1) : name
}

/** Units in braces are annotations, not units. */
function unitSuffixes(unit: string): { main: string; per: string } {
  const [first = '', second = ''] = splitOnce(unit)
  const main = /[{}]/.test(first) ? '' : (UNITS[first.trim()] ?? first.trim())
  const perUnit = /[{}]/.test(second) ? '' : (PER_UNITS[second.trim()] ?? second.trim())
  return { main, per: perUnit === '' ? '' : `per_${perUnit}` }
}

function splitOnce(unit: string): [string, string] {
  const slash = unit.indexOf('/')
  return slash < 0 ? [unit, ''] : [unit.slice(0, slash), unit.slice(slash + 1)]
}

const clean = (unit: string): string =>
  unit
    .replace(/[^a-zA-Z0-9:]+/g, '_')
    .replace(/__+/g, '_')
    .replace(/^_|_$/g, '')

const tokensOf = (name: string, separators: RegExp): string[] => name.split(separators).filter((token) => token !== '')

const beforeDigit = (name: string): string => (/^[0-9]/.test(name) ? `_${name}` : name)
