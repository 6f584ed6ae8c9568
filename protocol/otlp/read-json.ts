/** OTLP in JSON. Semantics: opentelemetry.io/docs/specs/otlp, JSON Protobuf Encoding (ids are hexadecimal). */
import { RemoteWriteError } from '../remote-write/mod.ts'
import {
  type Attributes,
  attributeText,
  blankPoint,
  type OtlpBuckets,
  type OtlpExemplar,
  type OtlpKind,
  type OtlpMetric,
  type OtlpPoint,
  type OtlpResource,
} from './model.ts'

type Json = Readonly<Record<string, unknown>>

const KINDS: readonly (readonly [key: string, kind: OtlpKind])[] = [
  ['gauge', 'gauge'],
  ['sum', 'sum'],
  ['histogram', 'histogram'],
  ['exponentialHistogram', 'exponential'],
  ['summary', 'summary'],
]
const TEMPORALITIES = [
  'AGGREGATION_TEMPORALITY_UNSPECIFIED',
  'AGGREGATION_TEMPORALITY_DELTA',
  'AGGREGATION_TEMPORALITY_CUMULATIVE',
]

/** @throws RemoteWriteError bad-json */
export function readOtlpJson(body: Uint8Array): OtlpResource[] {
  let request: unknown
  try {
    request = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (error) {
    throw new RemoteWriteError('bad-json', `OTLP: invalid JSON: ${(error as Error).message}`)
  }
  return items(object(request, 'the body')['resourceMetrics'], 'resourceMetrics').map((resource) => ({
    attributes: attributes(object(resource['resource'] ?? {}, 'resource')['attributes']),
    scopes: items(resource['scopeMetrics'], 'scopeMetrics').map((own) => {
      const scope = object(own['scope'] ?? {}, 'scope')
      return {
        name: text(scope['name']),
        version: text(scope['version']),
        schemaUrl: text(own['schemaUrl']),
        attributes: attributes(scope['attributes']),
        metrics: items(own['metrics'], 'metrics').map(metric),
      }
    }),
  }))
}

function metric(own: Json): OtlpMetric {
  const [key, kind] = KINDS.find(([name]) => own[name] !== undefined) ?? ['', '' as const]
  const data = key === '' ? {} : object(own[key], key)
  const temporality = data['aggregationTemporality'] ?? 0
  return {
    name: text(own['name']),
    description: text(own['description']),
    unit: text(own['unit']),
    kind,
    temporality: typeof temporality === 'string' ? TEMPORALITIES.indexOf(temporality) : number(temporality),
    isMonotonic: data['isMonotonic'] === true,
    points: items(data['dataPoints'], 'dataPoints').map(point),
  }
}

function point(own: Json): OtlpPoint {
  return {
    ...blankPoint(),
    attributes: attributes(own['attributes']),
    startMs: millis(own['startTimeUnixNano']),
    timeMs: millis(own['timeUnixNano']),
    flags: number(own['flags']),
    value: number(own['asDouble'] ?? own['asInt']),
    count: number(own['count']),
    sum: own['sum'] === undefined || own['sum'] === null ? null : number(own['sum']),
    bucketCounts: numbers(own['bucketCounts']),
    bounds: numbers(own['explicitBounds']),
    scale: int32(own['scale']),
    zeroCount: number(own['zeroCount']),
    zeroThreshold: number(own['zeroThreshold']),
    positive: buckets(own['positive']),
    negative: buckets(own['negative']),
    quantiles: items(own['quantileValues'], 'quantileValues').map((each) => ({
      quantile: number(each['quantile']),
      value: number(each['value']),
    })),
    exemplars: items(own['exemplars'], 'exemplars').map(exemplar),
  }
}

function buckets(own: unknown): OtlpBuckets {
  const { offset, bucketCounts } = object(own ?? {}, 'buckets')
  return { offset: int32(offset), counts: numbers(bucketCounts) }
}

function exemplar(own: Json): OtlpExemplar {
  return {
    timeMs: millis(own['timeUnixNano']),
    value: number(own['asDouble'] ?? own['asInt']),
    traceId: text(own['traceId']).toLowerCase(),
    spanId: text(own['spanId']).toLowerCase(),
    attributes: attributes(own['filteredAttributes']),
  }
}

const attributes = (list: unknown): Attributes =>
  items(list, 'attributes').map((own) => [text(own['key']), attributeText(anyValue(own['value']))])

function anyValue(value: unknown): unknown {
  const own = object(value ?? {}, 'value')
  if (own['stringValue'] !== undefined) return text(own['stringValue'])
  if (own['boolValue'] !== undefined) return own['boolValue'] === true
  if (own['intValue'] !== undefined) return whole(own['intValue'])
  if (own['doubleValue'] !== undefined) return number(own['doubleValue'])
  if (own['bytesValue'] !== undefined) return text(own['bytesValue'])
  if (own['arrayValue'] !== undefined)
    return items(object(own['arrayValue'], 'arrayValue')['values'], 'values').map(anyValue)
  if (own['kvlistValue'] !== undefined)
    return new Map(
      items(object(own['kvlistValue'], 'kvlistValue')['values'], 'values').map((each) => [
        text(each['key']),
        anyValue(each['value']),
      ]),
    )
  return null
}

function fail(what: string): never {
  throw new RemoteWriteError('bad-json', `OTLP: ${what}`)
}

function object(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(`${what} must be an object`)
  return value as Json
}

function items(value: unknown, what: string): readonly Json[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) return fail(`${what} must be a list`)
  return value.map((own) => object(own, `an item of ${what}`))
}

function text(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'string' ? value : fail(`a text was expected, got ${JSON.stringify(value)}`)
}

/** Numbers, and the texts that 64-bit integers and special floats come as. */
function number(value: unknown): number {
  if (value === undefined || value === null) return 0
  if (typeof value === 'number') return value
  if (value === 'NaN') return Number.NaN
  const parsed = typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN
  return Number.isNaN(parsed) ? fail(`a number was expected, got ${JSON.stringify(value)}`) : parsed
}

function int32(value: unknown): number {
  const parsed = number(value)
  return parsed === (parsed | 0) ? parsed : fail(`a number of 32 bits was expected, got ${JSON.stringify(value)}`)
}

const numbers = (value: unknown): number[] => {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value.map(number) : fail('a list of numbers was expected')
}

function whole(value: unknown): bigint {
  try {
    return BigInt(value as string)
  } catch {
    return fail(`an integer was expected, got ${JSON.stringify(value)}`)
  }
}

const millis = (value: unknown): number =>
  value === undefined || value === null ? 0 : Number(whole(value) / 1_000_000n)
