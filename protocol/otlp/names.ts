/** Names of metrics and labels. Semantics: prometheus/otlptranslator metric_namer.go, label_namer.go, unit_namer.go. */
export type NameStrategy =
  | 'UnderscoreEscapingWithSuffixes'
  | 'UnderscoreEscapingWithoutSuffixes'
  | 'NoUTF8EscapingWithSuffixes'
  | 'NoTranslation'

export type NamedKind = 'gauge' | 'counter' | 'other'

const UNITS: Readonly<Record<string, string>> = {
  __proto__: null as never,
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
  __proto__: null as never,
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

export type LabelRules = {
  /** A name that begins with one underscore gets `key` before it (`label_name_underscore_sanitization`). Default true. */
  readonly sanitizeUnderscore?: boolean
  /** Runs of underscores stay (`label_name_preserve_multiple_underscores`). Default true. */
  readonly keepUnderscores?: boolean
}

/** @throws Error when nothing but underscores is left of the name */
export function labelName(
  name: string,
  strategy: NameStrategy,
  { sanitizeUnderscore = true, keepUnderscores = true }: LabelRules = {},
): string {
  if (name === '') throw new Error('label name is empty')
  if (strategy === 'NoTranslation' || strategy === 'NoUTF8EscapingWithSuffixes') {
    if (/^_+$/.test(name)) throw new Error(`label name ${JSON.stringify(name)} contains only underscores`)
    return name
  }
  const clean = name.replace(keepUnderscores ? /[^a-zA-Z0-9_]/gu : /[^a-zA-Z0-9]+/gu, '_')
  const isPrefixed = sanitizeUnderscore && /^_(?!_)/.test(clean)
  const built = /^[0-9]/.test(clean) ? `key_${clean}` : isPrefixed ? `key${clean}` : clean
  if (/^_+$/.test(built))
    throw new Error(`normalization for label name ${JSON.stringify(name)} resulted in invalid name "${built}"`)
  return built
}

/** The unit as Prometheus spells it, for metadata: `By/s` is `bytes_per_second`. */
export function unitName(unit: string): string {
  const { main, per } = unitSuffixes(unit)
  const whole = [clean(main), clean(per)].filter((part) => part !== '').join('_')
  return whole.replace(/^_|_$/g, '')
}

function escapedWithSuffixes(name: string, unit: string, kind: NamedKind): string {
  let tokens = tokensOf(name, /[^a-zA-Z0-9:]+/)
  const suffixes = unitSuffixes(unit)
  const perUnit = clean(suffixes.per)
  let per = perUnit === 'per_' ? '' : trimUnderscore(perUnit)
  let main = clean(suffixes.main)
  if (tokens.includes(main)) main = ''
  if (tokens.includes(per)) per = ''
  // At the end of the name alone the unit keeps an underscore of its own.
  if (per !== '') main = trimUnderscore(main)
  tokens.push(...[main, per].filter((suffix) => suffix !== ''))
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

const clean = (unit: string): string => unit.replace(/[^a-zA-Z0-9:]+/gu, '_').replace(/^_/, '')

const trimUnderscore = (suffix: string): string => suffix.replace(/_$/, '')

const tokensOf = (name: string, separators: RegExp): string[] => name.split(separators).filter((token) => token !== '')

const beforeDigit = (name: string): string => (/^[0-9]/.test(name) ? `_${name}` : name)
