/**
 * Which reader a Content-Type asks for.
 * Semantics: Prometheus model/textparse/interface.go, extractMediaType (v3); Go mime.ParseMediaType.
 */
import { quote } from '../labels/mod.ts'

export type ScrapeProtocol =
  | 'PrometheusProto'
  | 'PrometheusText0.0.4'
  | 'PrometheusText1.0.0'
  | 'OpenMetricsText0.0.1'
  | 'OpenMetricsText1.0.0'

export type ExpositionParserName = 'text' | 'openmetrics' | 'protobuf'

const MEDIA_TYPES: Readonly<Record<ScrapeProtocol, string>> = {
  PrometheusProto: 'application/vnd.google.protobuf',
  'PrometheusText0.0.4': 'text/plain',
  'PrometheusText1.0.0': 'text/plain',
  'OpenMetricsText0.0.1': 'application/openmetrics-text',
  'OpenMetricsText1.0.0': 'application/openmetrics-text',
}

/**
 * `parser: null` fails the scrape with `error`; an `error` beside a parser is a warning (the fallback is in use).
 * @param fallback of the scrape config's `fallback_scrape_protocol`
 */
export function contentTypeFor(
  header: string,
  fallback: ScrapeProtocol | null,
): { readonly parser: ExpositionParserName | null; readonly error: string | null } {
  const fallbackType = fallback === null ? '' : MEDIA_TYPES[fallback]
  const parser = fallback === null ? null : parserFor(fallbackType)
  const using = (problem: string): string =>
    fallback === null
      ? `${problem} and no fallback_scrape_protocol specified for target`
      : `${problem}, using fallback_scrape_protocol ${quote(fallbackType)}`
  if (header === '') return { parser, error: using('non-compliant scrape target sending blank Content-Type') }
  const media = parseMediaType(header)
  if ('error' in media) {
    const problem =
      fallback === null
        ? `cannot parse Content-Type ${quote(header)} and no fallback_scrape_protocol for target`
        : `could not parse received Content-Type ${quote(header)}, using fallback_scrape_protocol ${quote(fallbackType)}`
    return { parser, error: `${problem}\nmime: ${media.error}` }
  }
  const known = parserFor(media.type)
  if (known !== null) return { parser: known, error: null }
  return { parser, error: using(`received unsupported Content-Type ${quote(header)}`) }
}

function parserFor(mediaType: string): ExpositionParserName | null {
  if (mediaType === 'text/plain') return 'text'
  if (mediaType === 'application/openmetrics-text') return 'openmetrics'
  if (mediaType === 'application/vnd.google.protobuf') return 'protobuf'
  return null
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+/
/** Blanks around every part; a backslash escapes what is special to MIME, else it stands for itself. */
const PARAMETER =
  /^\s*;\s*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)\s*=\s*("(?:[^"\\\r\n]|\\[()<>@,;:\\"/[\]?=]|\\(?![()<>@,;:\\"/[\]?=]))*"|[!#$%&'*+\-.^_`|~0-9A-Za-z]+)/
const ESCAPED = /\\([()<>@,;:\\"/[\]?=])/g

/** The type in lower case, or Go's complaint. */
function parseMediaType(header: string): { readonly type: string } | { readonly error: string } {
  const semicolon = header.indexOf(';')
  const type = (semicolon < 0 ? header : header.slice(0, semicolon)).trim().toLowerCase()
  const fault = mediaTypeFault(type)
  if (fault !== null) return { error: fault }
  let rest = semicolon < 0 ? '' : header.slice(semicolon)
  const seen = new Map<string, string>()
  while (rest !== '') {
    const match = PARAMETER.exec(rest)
    if (match === null) return /^\s*;?\s*$/.test(rest) ? { type } : { error: 'invalid media parameter' }
    const name = match[1]!.toLowerCase()
    const value = match[2]!.startsWith('"') ? match[2]!.slice(1, -1).replace(ESCAPED, '$1') : match[2]!
    // Twice the same is no fault.
    if ((seen.get(name) ?? value) !== value) return { error: 'duplicate parameter name' }
    seen.set(name, value)
    rest = rest.slice(match[0].length)
  }
  return { type }
}

function mediaTypeFault(type: string): string | null {
  const token = TOKEN.exec(type)?.[0] ?? ''
  if (token === '') return 'no media type'
  let rest = type.slice(token.length)
  if (rest === '') return null
  if (rest[0] !== '/') return 'expected slash after first token'
  rest = rest.slice(1)
  const subtype = TOKEN.exec(rest)?.[0] ?? ''
  if (subtype === '') return 'expected token after slash'
  return rest.length > subtype.length ? 'unexpected content after media subtype' : null
}
