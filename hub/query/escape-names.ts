/**
 * Names for readers that know no UTF-8 names: which scheme an `Accept` header asks for, and names under it. Names that
 * every reader takes stay as they are. Semantics: prometheus/common expfmt.Negotiate and model.EscapeMetricFamily.
 */
import { isLegacyMetricName } from '../../protocol/labels/mod.ts'

export type NameEscaping = 'allow-utf-8' | 'underscores' | 'dots' | 'values'

const SCHEMES: readonly string[] = ['allow-utf-8', 'underscores', 'dots', 'values']

export type FederationFormat = 'text' | 'protobuf'
const FAMILIES = 'application/vnd.google.protobuf'

/**
 * Plain text, or delimited protobuf families where they are preferred to it; and the scheme that is named by the clause
 * for the format or by one that is preferred to it: underscores without any.
 */
export function negotiateFormat(accept: string): {
  readonly format: FederationFormat
  readonly escaping: NameEscaping
} {
  const clauses = accept.split(',').map((clause) => {
    const [type, ...parameters] = clause.split(';').map((part) => part.trim())
    const get = (name: string) => parameters.find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1)
    const quality = Number(get('q') ?? 1)
    const isFamilies = type === FAMILIES && get('proto') === 'io.prometheus.client.MetricFamily'
    const isProtobuf = isFamilies && get('encoding') === 'delimited'
    return { type, version: get('version'), scheme: get('escaping'), quality, isProtobuf }
  })
  let escaping: NameEscaping = 'underscores'
  for (const clause of clauses.sort((a, b) => b.quality - a.quality)) {
    if (clause.scheme !== undefined && SCHEMES.includes(clause.scheme)) escaping = clause.scheme as NameEscaping
    if (clause.isProtobuf) return { format: 'protobuf', escaping }
    if (clause.type === 'text/plain' && [undefined, '0.0.4', '1.0.0'].includes(clause.version))
      return { format: 'text', escaping }
  }
  return { format: 'text', escaping }
}

/** A name that is still not plain (`allow-utf-8`) has to be quoted by the writer. */
export function escapeName(name: string, scheme: NameEscaping): string {
  if (scheme === 'allow-utf-8' || isLegacyMetricName(name)) return name
  const out = [...name].map((char, i) => {
    const plain = i === 0 ? /[A-Za-z_:]/.test(char) : /[A-Za-z0-9_:]/.test(char)
    if (scheme === 'underscores') return plain ? char : '_'
    if (char === '_') return '__'
    if (scheme === 'dots') return plain ? char : char === '.' ? '_dot_' : '__'
    return plain ? char : `_${char.codePointAt(0)!.toString(16)}_`
  })
  return (scheme === 'values' ? 'U__' : '') + out.join('')
}
