/** Functions of rule templates. Semantics: Prometheus template/template.go (v3.14). */
import { parseDuration } from '../../protocol/durations/mod.ts'
import { labelsToObject } from '../../protocol/labels/mod.ts'
import {
  COMMON_FUNCTIONS,
  type Functions,
  formatFloat64,
  GoList,
  GoMap,
  GoStruct,
  goDuration,
  goTime,
  humanize,
  humanize1024,
  humanizePercentage,
  ofAny,
  ofText,
  queryEscape,
  SafeText,
  short,
  stringMap,
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

const SAMPLE = '*template.sample'
const QUERY_RESULT = 'template.queryResult'
const INT64_MAX = 9223372036854775807
const INT64_MIN = -9223372036854775808

export function templateFunctions({ nowMs, externalUrl, query, run }: FunctionContext): Functions {
  return {
    ...COMMON_FUNCTIONS,
    title: ofText(title),
    query: ofText((expr) => new GoList(query(expr).map(sampleOf), QUERY_RESULT)),
    first: {
      params: [QUERY_RESULT],
      call: ([list]) => {
        const [first] = (list as GoList).items
        if (first === undefined) throw new Error('first() called on vector with no elements')
        return first
      },
    },
    label: {
      params: ['string', SAMPLE],
      call: ([name, sample]) => labelsOf(sample!).entries.get(name as string) ?? '',
    },
    value: { params: [SAMPLE], call: ([sample]) => (sample as GoStruct).fields['Value']! },
    strvalue: { params: [SAMPLE], call: ([sample]) => labelsOf(sample!).entries.get('__value__') ?? '' },
    sortByLabel: {
      params: ['string', QUERY_RESULT],
      call: ([name, list]) => {
        const key = (sample: Value): string => String(labelsOf(sample).entries.get(name as string) ?? '')
        const sorted = (list as GoList).items.toSorted((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
        return new GoList(sorted, QUERY_RESULT)
      },
    },
    args: {
      params: [],
      rest: 'any',
      call: (args) => new GoMap(args.map((arg, i) => [`arg${i}`, arg] as const)),
    },
    tmpl: { params: ['string', 'any'], call: ([name, data]) => new SafeText('html', run(name as string, data!)) },
    humanize: ofAny(([value]) => humanize(toFloat(value!))),
    humanize1024: ofAny(([value]) => humanize1024(toFloat(value!))),
    humanizePercentage: ofAny(([value]) => humanizePercentage(toFloat(value!))),
    humanizeTimestamp: ofAny(([value]) => {
      const seconds = toFloat(value!)
      return Number.isFinite(seconds) ? timeOf(seconds) : short(seconds)
    }),
    toTime: ofAny(([value]) => timeOf(toFloat(value!))),
    toDuration: ofAny(([value]) => {
      const seconds = toFloat(value!)
      return goDuration(nanoseconds(seconds, 'duration'))
    }),
    now: { params: [], call: () => nowMs / 1000 },
    parseDuration: ofText((duration) => parseSigned(duration) / 1000),
    stripPort: ofText((value) => splitHostPort(value)?.host ?? value),
    stripDomain: ofText(stripDomain),
    graphLink: ofText((expr) => `/graph?g0.expr=${queryEscape(expr)}&g0.tab=0`),
    tableLink: ofText((expr) => `/graph?g0.expr=${queryEscape(expr)}&g0.tab=1`),
    urlQueryEscape: ofText(queryEscape),
    externalURL: { params: [], call: () => externalUrl },
    pathPrefix: { params: [], call: () => pathOf(externalUrl) },
  }
}

function sampleOf({ labels, value }: VectorSample): GoStruct {
  return new GoStruct(SAMPLE, { Labels: stringMap(labelsToObject(labels)), Value: value })
}

const labelsOf = (sample: Value): GoMap => (sample as GoStruct).fields['Labels'] as GoMap

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
