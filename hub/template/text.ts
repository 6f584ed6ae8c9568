/** Functions on text and numbers that Prometheus's and Alertmanager's templates share. Semantics: their template/template.go. */
import { lowerCase } from '../../protocol/labels/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { expandGroups } from '../../protocol/relabel/mod.ts'
import { general } from './printf.ts'
import { durationOf } from './time.ts'
import { formatFloat64, typeName, type Value } from './values.ts'

/** Seconds of a duration, the number of a string. @throws Error in Go's words */
export function toFloat(value: Value): number {
  if (typeof value === 'number') return value
  if (typeof value === 'bigint') return Number(value)
  if (typeof value === 'string') return parseGoFloat(value)
  const duration = durationOf(value)
  if (duration !== null) return Number(duration) / 1e9
  throw new Error(`can't convert ${typeName(value)} to float`)
}

/** As strconv.ParseFloat. */
export function parseGoFloat(text: string): number {
  const special = /^([+-]?)(?:inf|infinity)$/i.exec(text)
  if (special) return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (/^nan$/i.test(text)) return Number.NaN
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text))
    throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

/** Go's %.4g. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return formatFloat64(value)
  return (value < 0 || Object.is(value, -0) ? '-' : '') + general(Math.abs(value), 4)
}

export function humanize(value: number): string {
  if (value === 0 || !Number.isFinite(value)) return short(value)
  if (Math.abs(value) >= 1) {
    const [v, prefix] = scaleDown(value, 1000, ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'])
    return short(v) + prefix
  }
  const [v, prefix] = scaleUp(value)
  return short(v) + prefix
}

export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return short(value)
  const [v, prefix] = scaleDown(value, 1024, ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'])
  return short(v) + prefix
}

export function humanizePercentage(value: number): string {
  return `${short(value * 100)}%`
}

/** @param value in seconds */
export function humanizeDuration(value: number): string {
  if (!Number.isFinite(value)) return short(value)
  if (value === 0) return '0s'
  if (Math.abs(value) < 1) {
    const [v, prefix] = scaleUp(value)
    return `${short(v)}${prefix}s`
  }
  const sign = value < 0 ? '-' : ''
  const v = Math.abs(value)
  // What does not fit in an int64 becomes the least of them on x86.
  if (v >= 2 ** 63) return `${sign}-106751991167300d -15h -30m -8s`
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

function scaleDown(value: number, by: number, prefixes: readonly string[]): readonly [number, string] {
  let v = value
  let prefix = ''
  for (const next of prefixes) {
    if (Math.abs(v) < by) break
    prefix = next
    v /= by
  }
  return [v, prefix]
}

function scaleUp(value: number): readonly [number, string] {
  let v = value
  let prefix = ''
  for (const next of ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y']) {
    if (Math.abs(v) >= 1) break
    prefix = next
    v *= 1000
  }
  return [v, prefix]
}

/** Two letters in one, of which a title has the first alone in upper case. */
const TITLE_LETTERS: Readonly<Record<string, string>> = { Ǆ: 'ǅ', Ǉ: 'ǈ', Ǌ: 'ǋ', Ǳ: 'ǲ' }

/** `ß` is two letters in upper case, of which the second is small. */
const titleLetter = (letter: string): string => {
  const [first = '', ...rest] = letter.toUpperCase()
  return (TITLE_LETTERS[first] ?? first) + rest.join('').toLowerCase()
}

const WORDS = new Intl.Segmenter('en-US', { granularity: 'word' })
const titled = (text: string, cased: (word: string) => string): string =>
  [...WORDS.segment(text)].map(({ segment }) => cased(segment).replace(/\p{L}/u, titleLetter)).join('')

/** Semantics: golang.org/x/text/cases, Title(AmericanEnglish, NoLower); held against Prometheus 3.5.3. */
export function title(text: string): string {
  return titled(text, (word) => word)
}

/** Semantics: the same without NoLower: the rest of each word becomes lower case. */
export function titleCase(text: string): string {
  return titled(text, lowerCase)
}

/** With the groups of each match in the replacement, as Go's ReplaceAllString. @throws MatcherError */
/** @throws Error in the words of Go's panic */
function mustCompile(pattern: string): ReturnType<typeof compileRegex> {
  try {
    return compileRegex(pattern)
  } catch (error) {
    const quoted = pattern.includes('`') ? JSON.stringify(pattern) : `\`${pattern}\``
    throw new Error(`regexp: Compile(${quoted}): ${(error as Error).message}`, { cause: error })
  }
}

export function replaceAllRegex(pattern: string, replacement: string, text: string): string {
  const regex = mustCompile(pattern)
  const matcher = regex.matcher(text)
  let out = ''
  let at = 0
  while (matcher.find()) {
    out += text.slice(at, matcher.start()) + expandGroups(replacement, matcher, regex)
    at = matcher.end()
  }
  return out + text.slice(at)
}

export function matches(pattern: string, text: string): boolean {
  return compileRegex(pattern).matcher(text).find()
}
