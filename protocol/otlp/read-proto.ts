/** OTLP in protobuf. Semantics: opentelemetry-proto collector/metrics/v1, metrics/v1, common/v1. */
import { ProtoReader, WireType } from '../remote-write/mod.ts'
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
  type OtlpScope,
} from './model.ts'

const varint = (field: number): number => (field << 3) | WireType.varint
const fixed64 = (field: number): number => (field << 3) | WireType.fixed64
const bytes = (field: number): number => (field << 3) | WireType.bytes

/** Arrays and lists in attributes; deeper ones are a mistake or an attack. */
const MAX_DEPTH = 16

/** @throws RemoteWriteError bad-protobuf */
export function readOtlpProto(body: Uint8Array): OtlpResource[] {
  return new OtlpReader(body).request()
}

class OtlpReader {
  readonly #reader: ProtoReader
  readonly #view: DataView
  readonly #decoder = new TextDecoder()

  constructor(body: Uint8Array) {
    this.#reader = new ProtoReader(body)
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength)
  }

  request(): OtlpResource[] {
    const out: OtlpResource[] = []
    this.#fields((tag) => {
      if (tag !== bytes(1)) return false
      out.push(this.#nested(() => this.#resourceMetrics()))
      return true
    })
    return out
  }

  #resourceMetrics(): OtlpResource {
    let attributes: Attributes = []
    const scopes: OtlpScope[] = []
    this.#fields((tag) => {
      if (tag === bytes(1)) attributes = this.#nested(() => this.#attributesOf(1))
      else if (tag === bytes(2)) scopes.push(this.#nested(() => this.#scopeMetrics()))
      else return false
      return true
    })
    return { attributes, scopes }
  }

  #scopeMetrics(): OtlpScope {
    let [name, version, schemaUrl] = ['', '', '']
    const attributes: [string, string][] = []
    const metrics: OtlpMetric[] = []
    this.#fields((tag) => {
      if (tag === bytes(1))
        this.#nested(() =>
          this.#fields((inner) => {
            if (inner === bytes(1)) name = this.#text()
            else if (inner === bytes(2)) version = this.#text()
            else if (inner === bytes(3)) attributes.push(this.#nested(() => this.#keyValue()))
            else return false
            return true
          }),
        )
      else if (tag === bytes(2)) metrics.push(this.#nested(() => this.#metric()))
      else if (tag === bytes(3)) schemaUrl = this.#text()
      else return false
      return true
    })
    return { name, version, schemaUrl, attributes, metrics }
  }

  #metric(): OtlpMetric {
    let [name, description, unit] = ['', '', '']
    let kind: OtlpKind | '' = ''
    let temporality = 0
    let isMonotonic = false
    const points: OtlpPoint[] = []
    this.#fields((tag) => {
      const found = KINDS[tag]
      if (tag === bytes(1)) name = this.#text()
      else if (tag === bytes(2)) description = this.#text()
      else if (tag === bytes(3)) unit = this.#text()
      else if (found !== undefined) {
        kind = found
        this.#nested(() =>
          this.#fields((inner) => {
            if (inner === bytes(1)) points.push(this.#nested(() => this.#point(found)))
            else if (inner === varint(2)) temporality = this.#reader.uint64()
            else if (inner === varint(3)) isMonotonic = this.#reader.uint64() !== 0
            else return false
            return true
          }),
        )
      } else return false
      return true
    })
    return { name, description, unit, kind, temporality, isMonotonic, points }
  }

  #point(kind: OtlpKind): OtlpPoint {
    const point = blankPoint()
    const attributes: [string, string][] = []
    const exemplars: OtlpExemplar[] = []
    const quantiles: { quantile: number; value: number }[] = []
    const { attribute, flags, exemplar } = POINT_FIELDS[kind]
    const isNumber = kind === 'gauge' || kind === 'sum'
    this.#fields((tag) => {
      if (tag === bytes(attribute)) attributes.push(this.#nested(() => this.#keyValue()))
      else if (tag === fixed64(2)) point.startMs = this.#millis()
      else if (tag === fixed64(3)) point.timeMs = this.#millis()
      else if (tag === varint(flags)) point.flags = this.#reader.uint64()
      else if (tag === bytes(exemplar)) exemplars.push(this.#nested(() => this.#exemplar()))
      else if (isNumber && tag === fixed64(4)) point.value = this.#reader.double()
      else if (isNumber && tag === fixed64(6)) point.value = Number(this.#signed())
      else if (!isNumber && tag === fixed64(4)) point.count = Number(this.#unsigned())
      else if (!isNumber && tag === fixed64(5)) point.sum = this.#reader.double()
      else if (kind === 'histogram' && tag === bytes(6))
        point.bucketCounts = this.#packed(() => Number(this.#unsigned()))
      else if (kind === 'histogram' && tag === bytes(7)) point.bounds = this.#packed(() => this.#reader.double())
      else if (kind === 'exponential' && tag === varint(6)) point.scale = this.#reader.sint64() | 0
      else if (kind === 'exponential' && tag === fixed64(7)) point.zeroCount = Number(this.#unsigned())
      else if (kind === 'exponential' && tag === bytes(8)) point.positive = this.#nested(() => this.#buckets())
      else if (kind === 'exponential' && tag === bytes(9)) point.negative = this.#nested(() => this.#buckets())
      else if (kind === 'exponential' && tag === fixed64(14)) point.zeroThreshold = this.#reader.double()
      else if (kind === 'summary' && tag === bytes(6)) quantiles.push(this.#nested(() => this.#quantile()))
      else return false
      return true
    })
    return { ...point, attributes, exemplars, quantiles }
  }

  #buckets(): OtlpBuckets {
    let offset = 0
    let counts: readonly number[] = []
    this.#fields((tag) => {
      if (tag === varint(1)) offset = this.#reader.sint64() | 0
      else if (tag === bytes(2)) counts = this.#packed(() => this.#reader.uint64())
      else return false
      return true
    })
    return { offset, counts }
  }

  #quantile(): { quantile: number; value: number } {
    const out = { quantile: 0, value: 0 }
    this.#fields((tag) => {
      if (tag === fixed64(1)) out.quantile = this.#reader.double()
      else if (tag === fixed64(2)) out.value = this.#reader.double()
      else return false
      return true
    })
    return out
  }

  #exemplar(): OtlpExemplar {
    const out = { timeMs: 0, value: 0, traceId: '', spanId: '' }
    const attributes: [string, string][] = []
    this.#fields((tag) => {
      if (tag === bytes(7)) attributes.push(this.#nested(() => this.#keyValue()))
      else if (tag === fixed64(2)) out.timeMs = this.#millis()
      else if (tag === fixed64(3)) out.value = this.#reader.double()
      else if (tag === fixed64(6)) out.value = Number(this.#signed())
      else if (tag === bytes(4)) out.spanId = hex(this.#bytes())
      else if (tag === bytes(5)) out.traceId = hex(this.#bytes())
      else return false
      return true
    })
    return { ...out, attributes }
  }

  #attributesOf(field: number): Attributes {
    const out: [string, string][] = []
    this.#fields((tag) => {
      if (tag !== bytes(field)) return false
      out.push(this.#nested(() => this.#keyValue()))
      return true
    })
    return out
  }

  #keyValue(): [string, string] {
    const [key, value] = this.#pair(0)
    return [key, attributeText(value)]
  }

  #pair(depth: number): [string, unknown] {
    let key = ''
    let value: unknown = null
    this.#fields((tag) => {
      if (tag === bytes(1)) key = this.#text()
      else if (tag === bytes(2)) value = this.#nested(() => this.#anyValue(depth + 1))
      else return false
      return true
    })
    return [key, value]
  }

  #anyValue(depth: number): unknown {
    if (depth > MAX_DEPTH) this.#reader.fail(`an attribute is nested deeper than ${MAX_DEPTH}`)
    let value: unknown = null
    this.#fields((tag) => {
      if (tag === bytes(1)) value = this.#text()
      else if (tag === varint(2)) value = this.#reader.uint64() !== 0
      else if (tag === varint(3)) value = this.#varintSigned()
      else if (tag === fixed64(4)) value = this.#reader.double()
      else if (tag === bytes(5)) {
        const items: unknown[] = []
        this.#nested(() =>
          this.#fields((inner) => {
            if (inner !== bytes(1)) return false
            items.push(this.#nested(() => this.#anyValue(depth + 1)))
            return true
          }),
        )
        value = items
      } else if (tag === bytes(6)) {
        const items = new Map<string, unknown>()
        this.#nested(() =>
          this.#fields((inner) => {
            if (inner !== bytes(1)) return false
            items.set(...this.#nested(() => this.#pair(depth + 1)))
            return true
          }),
        )
        value = items
      } else if (tag === bytes(7)) value = base64(this.#bytes())
      else return false
      return true
    })
    return value
  }

  /** Hands each tag to `take`, which reads the field and says so; skips the others. */
  #fields(take: (tag: number) => boolean): void {
    const reader = this.#reader
    while (reader.at < reader.end) {
      const tag = reader.tag()
      if (!take(tag)) reader.skip(tag)
    }
    if (reader.at !== reader.end) reader.fail('a message reaches past its end')
  }

  #nested<T>(read: () => T): T {
    const reader = this.#reader
    const outerEnd = reader.end
    reader.end = reader.lengthEnd()
    const out = read()
    reader.end = outerEnd
    return out
  }

  #packed(read: () => number): number[] {
    const out: number[] = []
    this.#nested(() => {
      while (this.#reader.at < this.#reader.end) out.push(read())
    })
    return out
  }

  #bytes(): Uint8Array {
    const reader = this.#reader
    const end = reader.lengthEnd()
    const out = reader.bytes.subarray(reader.at, end)
    reader.at = end
    return out
  }

  #text(): string {
    return this.#decoder.decode(this.#bytes())
  }

  #unsigned(): bigint {
    return this.#view.getBigUint64(this.#reader.fixed64(), true)
  }

  #signed(): bigint {
    return this.#view.getBigInt64(this.#reader.fixed64(), true)
  }

  #varintSigned(): bigint {
    this.#reader.varint()
    return BigInt.asIntN(64, (BigInt(this.#reader.high) << 32n) | BigInt(this.#reader.low))
  }

  /** Of nanoseconds, which doubles cannot hold exactly. */
  #millis(): number {
    return Number(this.#unsigned() / 1_000_000n)
  }
}

const KINDS: Readonly<Record<number, OtlpKind>> = {
  [bytes(5)]: 'gauge',
  [bytes(7)]: 'sum',
  [bytes(9)]: 'histogram',
  [bytes(10)]: 'exponential',
  [bytes(11)]: 'summary',
}

/** Summaries have no exemplars. */
const NONE = 0x1fff
const POINT_FIELDS: Readonly<Record<OtlpKind, { attribute: number; flags: number; exemplar: number }>> = {
  gauge: { attribute: 7, flags: 8, exemplar: 5 },
  sum: { attribute: 7, flags: 8, exemplar: 5 },
  histogram: { attribute: 9, flags: 10, exemplar: 8 },
  exponential: { attribute: 1, flags: 10, exemplar: 11 },
  summary: { attribute: 7, flags: 8, exemplar: NONE },
}

const hex = (data: Uint8Array): string =>
  data.every((byte) => byte === 0) ? '' : [...data].map((byte) => byte.toString(16).padStart(2, '0')).join('')

const base64 = (data: Uint8Array): string => btoa(String.fromCharCode(...data))
