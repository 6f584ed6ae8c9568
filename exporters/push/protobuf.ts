/**
 * Pushed protobuf: messages of io.prometheus.client.MetricFamily, each after its length; of two with one name the last
 * is taken. Semantics: prometheus/client_model metrics.proto; pushgateway handler/push.go.
 */
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import { compareStrings, isLegacyLabelName, isLegacyMetricName, quote } from '../../protocol/labels/mod.ts'
import { ProtoReader, RemoteWriteError } from '../../protocol/remote-write/mod.ts'
import { PushError, type Pushed, type PushedFamily, type PushedMetric } from './families.ts'

type Names = { readonly utf8: boolean }
type Read = { hasTimestamps: boolean; nativeDropped: number }

/** By their numbers; a histogram of gauges is shown as the other one. */
const TYPES = ['counter', 'gauge', 'summary', 'untyped', 'histogram', 'histogram'] as const
/** Field numbers times eight plus wire types. */
const FamilyField = { name: 10, help: 18, type: 24, metric: 34 } as const
const MetricField = { label: 10, timestampMs: 48 } as const
const VALUES: Readonly<Record<number, PushedFamily['type']>> = {
  18: 'gauge',
  26: 'counter',
  34: 'summary',
  42: 'untyped',
  58: 'histogram',
}
const VALUE_OF_SCALAR = 9
const PartsField = { count: 8, sum: 17, point: 26, countFloat: 33, schema: 40 } as const
const PointField = { bound: 9, value: 17, bucketCount: 8, bucketBound: 17, bucketCountFloat: 33 } as const

/** @throws PushError */
export function readProtobuf(bytes: Uint8Array, names: Names): Pushed {
  const reader = new ProtoReader(bytes)
  const families = new Map<string, PushedFamily>()
  const read: Read = { hasTimestamps: false, nativeDropped: 0 }
  while (reader.at < bytes.length) {
    reader.end = bytes.length
    const family = oneFamily(reader, read)
    checkNames(family, names)
    if (family.metrics.length > 0) families.set(family.name, family)
    else families.delete(family.name)
  }
  return { families, ...read }
}

/** In Go's words where it cannot be read. */
function oneFamily(reader: ProtoReader, read: Read): PushedFamily {
  let problem = 'unexpected EOF'
  try {
    return within(reader, () => {
      problem = 'proto: cannot parse invalid wire-format data'
      return readFamily(reader, read)
    })
  } catch (error) {
    if (!(error instanceof RemoteWriteError)) throw error
    throw new PushError(problem, { cause: error })
  }
}

/** A message after its length. */
function within<T>(reader: ProtoReader, run: () => T): T {
  const outer = reader.end
  reader.end = reader.lengthEnd()
  const result = run()
  reader.end = outer
  return result
}

function readFamily(reader: ProtoReader, read: Read): PushedFamily {
  let [name, help, type] = ['', '', 0]
  const places: [from: number, end: number][] = []
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === FamilyField.name) name = readString(reader)
    else if (tag === FamilyField.help) help = readString(reader)
    else if (tag === FamilyField.type) type = reader.uint64()
    else if (tag === FamilyField.metric) {
      const end = reader.lengthEnd()
      places.push([reader.at, end])
      reader.at = end
    } else reader.skip(tag)
  }
  const known = TYPES[type]
  if (known === undefined) throw new PushError(`unknown metric type ${type} of metric name ${quote(name)}`)
  // The type may come behind the metrics.
  const [at, end] = [reader.at, reader.end]
  const metrics = places.flatMap(([from, to]) => {
    reader.at = from
    reader.end = to
    return readMetric(reader, known, read) ?? []
  })
  reader.at = at
  reader.end = end
  return { name, help, type: known, metrics }
}

/** null: a native histogram. */
function readMetric(reader: ProtoReader, type: PushedFamily['type'], read: Read): PushedMetric | null {
  const labels: (readonly [string, string])[] = []
  const metric: PushedMetric = { labels: [], value: 0, points: [], sum: 0, count: 0 }
  let found: PushedFamily['type'] | null = null
  let isNative = false
  while (reader.at < reader.end) {
    const tag = reader.tag()
    const kind = VALUES[tag]
    if (tag === MetricField.label) labels.push(within(reader, () => readLabel(reader)))
    else if (tag === MetricField.timestampMs) {
      reader.varint()
      read.hasTimestamps = true
    } else if (kind === undefined) reader.skip(tag)
    else {
      if (found !== type) found = kind
      const isWhole = kind === 'histogram' || kind === 'summary'
      within(reader, () => {
        if (isWhole) isNative = readParts(reader, kind, metric)
        else readScalar(reader, metric)
      })
    }
  }
  metric.labels = labels.sort(([a], [b]) => compareStrings(a, b)).flat()
  if (found !== type)
    metric.foreign =
      found === null
        ? ''
        : found === 'histogram' || found === 'summary'
          ? `${found}:{}`
          : scalarText(found, metric.value)
  if (!isNative || metric.points.length > 0) return metric
  read.nativeDropped++
  return null
}

const scalarText = (type: string, value: number): string => `${type}:{value:${formatGoFloat(value)}}`

function readScalar(reader: ProtoReader, metric: PushedMetric): void {
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === VALUE_OF_SCALAR) metric.value = reader.double()
    else reader.skip(tag)
  }
}

/** Whether there are buckets of a native histogram. */
function readParts(reader: ProtoReader, kind: 'histogram' | 'summary', metric: PushedMetric): boolean {
  let isNative = false
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === PartsField.count) metric.count = reader.uint64()
    else if (tag === PartsField.sum) metric.sum = reader.double()
    else if (tag === PartsField.point) metric.points.push(within(reader, () => readPoint(reader, kind)))
    else if (kind === 'histogram' && tag === PartsField.countFloat) metric.count = reader.double()
    else {
      if (kind === 'histogram' && tag === PartsField.schema) isNative = true
      reader.skip(tag)
    }
  }
  return isNative
}

function readPoint(reader: ProtoReader, kind: 'histogram' | 'summary'): [number, number] {
  const point: [number, number] = [0, 0]
  const isBucket = kind === 'histogram'
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (isBucket && tag === PointField.bucketCount) point[1] = reader.uint64()
    else if (isBucket && tag === PointField.bucketCountFloat) point[1] = reader.double()
    else if (tag === (isBucket ? PointField.bucketBound : PointField.bound)) point[0] = reader.double()
    else if (!isBucket && tag === PointField.value) point[1] = reader.double()
    else reader.skip(tag)
  }
  return point
}

function readLabel(reader: ProtoReader): readonly [string, string] {
  let [name, value] = ['', '']
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === 10) name = readString(reader)
    else if (tag === 18) value = readString(reader)
    else reader.skip(tag)
  }
  return [name, value]
}

function readString(reader: ProtoReader): string {
  const end = reader.lengthEnd()
  const bytes = reader.bytes.subarray(reader.at, end)
  reader.at = end
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return reader.fail('string field contains invalid UTF-8')
  }
}

/** @throws PushError */
function checkNames({ name, metrics }: PushedFamily, { utf8 }: Names): void {
  if (name === '' || (!utf8 && !isLegacyMetricName(name))) throw new PushError(`invalid metric name ${quote(name)}`)
  for (const { labels } of metrics)
    for (let i = 0; i < labels.length; i += 2) {
      const label = labels[i]!
      if (label === '' || (!utf8 && !isLegacyLabelName(label)))
        throw new PushError(`invalid label name ${quote(label)}`)
      if (label === labels[i - 2]) throw new PushError(`duplicate label names for metric ${quote(name)}`)
    }
}
