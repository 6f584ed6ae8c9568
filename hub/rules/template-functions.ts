/** Functions of rule templates. Semantics: Prometheus template/template.go (v3.14). */
import { parseDuration } from '../../protocol/durations/mod.ts'
import { labelsToObject } from '../../protocol/labels/mod.ts'
import {
  type Functions,
  formatFloat64,
  GoList,
  GoMap,
  GoStruct,
  goDuration,
  goTime,
  humanize,
  humanize1024,
  humanizeDuration,
  humanizePercentage,
  matches,
  queryEscape,
  replaceAllRegex,
  SafeText,
  short,
  stringMap,
  type TemplateFunction,
  title,
  toFloat,
  type Value,
} from '../template/mod.ts'
import type { VectorSample } from './alerting.ts'

export type FunctionContext = {
  readonly nowMs: number
  readonly externalUrl: string
  /** The result of an instant query at `nowMs`. */
  readonly query: (expr: string) => readonly VectorSample[]
  /** Runs another template of the same text. */
  readonly run: (name: string, data: Value) => string
}

const INT64_MAX = 9223372036854775807
const INT64_MIN = -9223372036854775808

export function templateFunctions({ nowMs, externalUrl, query, run }: FunctionContext): Functions {
  return {
    query: text((expr) => new GoList(query(expr).map(sampleOf), 'template.queryResult')),
    first: any(([list]) => {
      const [first] = vectorOf(list!)
      if (first === undefined) throw new Error('first() called on vector with no elements')
      return first
    }),
    label: {
      params: ['string', 'any'],
      call: ([name, sample]) => labelsOf(sample!).entries.get(name as string) ?? '',
    },
    value: any(([sample]) => fieldsOf(sample!)['Value']!),
    strvalue: any(([sample]) => labelsOf(sample!).entries.get('__value__') ?? ''),
    sortByLabel: {
      params: ['string', 'any'],
      call: ([name, list]) => {
        const key = (sample: Value): string => String(labelsOf(sample).entries.get(name as string) ?? '')
        const sorted = vectorOf(list!).toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
        return new GoList(sorted, 'template.queryResult')
      },
    },
    args: {
      params: [],
      rest: 'any',
      call: (args) => new GoMap(args.map((arg, i) => [`arg${i}`, arg] as const)),
    },
    tmpl: { params: ['string', 'any'], call: ([name, data]) => new SafeText('html', run(name as string, data!)) },
    humanize: any(([value]) => humanize(toFloat(value!))),
    humanize1024: any(([value]) => humanize1024(toFloat(value!))),
    humanizeDuration: any(([value]) => humanizeDuration(toFloat(value!))),
    humanizePercentage: any(([value]) => humanizePercentage(toFloat(value!))),
    humanizeTimestamp: any(([value]) => {
      const seconds = toFloat(value!)
      return Number.isFinite(seconds) ? timeOf(seconds) : short(seconds)
    }),
    toTime: any(([value]) => timeOf(toFloat(value!))),
    toDuration: any(([value]) => {
      const seconds = toFloat(value!)
      return goDuration(nanoseconds(seconds, 'duration'))
    }),
    now: { params: [], call: () => nowMs / 1000 },
    parseDuration: text((duration) => parseSigned(duration) / 1000),
    toUpper: text((value) => value.toUpperCase()),
    toLower: text((value) => value.toLowerCase()),
    title: text(title),
    safeHtml: text((value) => new SafeText('html', value)),
    reReplaceAll: {
      params: ['string', 'string', 'string'],
      call: ([pattern, replacement, value]) =>
        replaceAllRegex(pattern as string, replacement as string, value as string),
    },
    match: {
      params: ['string', 'string'],
      call: ([pattern, value]) => matches(pattern as string, value as string),
    },
    stripPort: text((value) => splitHostPort(value)?.host ?? value),
    stripDomain: text(stripDomain),
    graphLink: text((expr) => `/graph?g0.expr=${queryEscape(expr)}&g0.tab=0`),
    tableLink: text((expr) => `/graph?g0.expr=${queryEscape(expr)}&g0.tab=1`),
    urlQueryEscape: text(queryEscape),
    externalURL: { params: [], call: () => externalUrl },
    pathPrefix: { params: [], call: () => pathOf(externalUrl) },
  }
}

function any(call: TemplateFunction['call']): TemplateFunction {
  return { params: ['any'], call }
}

function text(call: (value: string) => Value): TemplateFunction {
  return { params: ['string'], call: ([value]) => call(value as string) }
}

function sampleOf({ labels, value }: VectorSample): GoStruct {
  return new GoStruct('*template.sample', { Labels: stringMap(labelsToObject(labels)), Value: value })
}

function fieldsOf(sample: Value): GoStruct['fields'] {
  if (sample instanceof GoStruct && sample.typeName === '*template.sample') return sample.fields
  throw new Error('wrong type for value; expected *template.sample')
}

const labelsOf = (sample: Value): GoMap => fieldsOf(sample)['Labels'] as GoMap

function vectorOf(list: Value): readonly Value[] {
  if (list instanceof GoList && list.typeName === 'template.queryResult') return list.items
  throw new Error('wrong type for value; expected template.queryResult')
}

/** To the millisecond, as upstream. */
function timeOf(seconds: number): GoStruct {
  return goTime((nanoseconds(seconds, 'timestamp') / 1_000_000n) * 1_000_000n)
}

function nanoseconds(seconds: number, what: 'timestamp' | 'duration'): bigint {
  const value = seconds * 1e9
  if (value >= INT64_MAX || value <= INT64_MIN || Number.isNaN(value)) {
    const as = what === 'timestamp' ? 'a nanoseconds timestamp' : 'a duration'
    throw new Error(`${formatFloat64(seconds)} cannot be represented as ${as} since it overflows int64`)
  }
  return BigInt(Math.trunc(value))
}

function parseSigned(duration: string): number {
  return duration.startsWith('-') ? -parseDuration(duration.slice(1)) : parseDuration(duration)
}

/** As net.SplitHostPort; null where it gives an error. */
function splitHostPort(address: string): { readonly host: string; readonly port: string } | null {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(address)
  return match ? { host: match[1] ?? match[2]!, port: match[3]! } : null
}

function stripDomain(address: string): string {
  const split = splitHostPort(address)
  const host = split?.host ?? address
  const isIp = /^(?:\d{1,3}\.){3}\d{1,3}$/.test(host) || (host.includes(':') && /^[0-9a-fA-F:.]+$/.test(host))
  if (isIp) return address
  const [short = ''] = host.split('.')
  if (!split?.port) return short
  return short.includes(':') ? `[${short}]:${split.port}` : `${short}:${split.port}`
}

function pathOf(url: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? ''
}
