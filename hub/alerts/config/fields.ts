/** Decoders that receivers share. Semantics: Alertmanager config/common/url.go, hostport.go (v0.34). */
import { isMap, isScalar } from 'yaml'
import {
  type Cursor,
  type Decoder,
  finishHttp,
  HTTP_FIELDS,
  object,
  parsed,
  parseGoUrl,
  Secret,
  secret,
  string,
} from '../../../protocol/config/mod.ts'
import { parseGoDuration } from '../../../protocol/durations/mod.ts'
import { TemplateError, TemplateSet } from '../../template/mod.ts'

export const httpConfig = object('config.plain', HTTP_FIELDS, finishHttp)

const REDACTED = '<secret>'
/** Longer ones are rounded by `Number`. */
const NS_PER_MS = 1e6

/** What is wrong with an address that must be HTTP; '' is good. */
function urlProblem(text: string): string {
  try {
    const { scheme, host } = parseGoUrl(text)
    if (scheme !== 'http' && scheme !== 'https') return `unsupported scheme ${JSON.stringify(scheme)} for URL`
    return host === '' ? 'missing host for URL' : ''
  } catch (error) {
    return (error as Error).message
  }
}

function checkUrl(text: string, at: Cursor): void {
  const problem = urlProblem(text)
  if (problem !== '') at.fail(problem)
}

/** Differs: upstream tells the address, secret or not, when it cannot be parsed. */
function checkSecretUrl(text: string, at: Cursor, prefix = ''): void {
  const problem = urlProblem(text).replace(/^parse "(?:[^"\\]|\\.)*"/, `parse "${REDACTED}"`)
  if (problem !== '') at.fail(`${prefix}${problem}`)
}

/** Null is none: ''. */
export const url: Decoder<string> = (at) => {
  const text = string(at)
  if (!at.isNull) checkUrl(text, at)
  return text
}

/** A URL that may hold a token: shown as `<secret>`, which also stands for one that was redacted. */
export const secretUrl: Decoder<Secret> = (at) => {
  const value = secret(at)
  const text = value.reveal()
  if (!at.isNull && text !== REDACTED) checkSecretUrl(text, at)
  return value
}

/** A URL that may be a template, which is looked at only once it is expanded. */
export const secretTemplateUrl: Decoder<Secret> = (at) => {
  const value = secret(at)
  const text = value.reveal()
  if (text === '' || text === REDACTED) return value
  const problem = templateProblem(text)
  if (problem !== '') at.fail(`invalid template syntax: ${problem}`)
  if (!text.includes('{{')) checkSecretUrl(text, at, 'invalid URL: ')
  return value
}

/** '' where the text is a template that parses, or none. */
export function templateProblem(text: string): string {
  if (!text.includes('{{')) return ''
  try {
    new TemplateSet({}).add('', text)
    return ''
  } catch (error) {
    if (error instanceof TemplateError) return error.message
    throw error
  }
}

export const hostPort: Decoder<string> = parsed((text) => {
  if (text === '') return ''
  const match = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(text)
  if (!match) throw new Error(`address ${text}: ${text.includes(':') ? 'too many colons' : 'missing port'} in address`)
  if (match[2] === '') throw new Error(`address ${JSON.stringify(text)}: port cannot be empty`)
  return text
})

/** Go's own durations, which know no days; bare numbers are nanoseconds. In ms. */
export const goDuration: Decoder<number> = (at) => {
  if (at.isNull) return 0
  if (isScalar(at.node) && typeof at.node.value === 'number') return Math.trunc(at.node.value) / NS_PER_MS
  try {
    return parseGoDuration(string(at))
  } catch {
    return at.mismatch('time.Duration')
  }
}

/** As `goDuration`, from text alone. */
export const goDurationText: Decoder<number> = parsed(parseGoDuration)

/** Any YAML, as plain data. */
export const anything: Decoder<unknown> = (at) => at.node?.toJS(at.source.document) ?? null

/** A mapping to any YAML. */
export const anyMap: Decoder<unknown> = (at) =>
  at.isNull || isMap(at.node) ? anything(at) : at.mismatch('map[string]interface {}')

export const has = (value: unknown): boolean =>
  value instanceof Secret ? value.reveal() !== '' : value !== undefined && value !== '' && value !== null
