/**
 * Records of Prometheus's write-ahead log.
 * Semantics: Prometheus tsdb/record/record.go, Decoder (v3.5).
 */
import { type Labels, labelsFrom } from '../labels/mod.ts'
import type { CounterResetHint, Histogram, Span } from '../samples/mod.ts'
import { STALE_HIGH, STALE_LOW } from '../samples/mod.ts'
import { ByteCursor } from './byte-cursor.ts'
import { TsdbFormatError } from './errors.ts'

const RecordKind = {
  series: 1,
  samples: 2,
  tombstones: 3,
  histograms: 7,
  floatHistograms: 8,
  customHistograms: 9,
  customFloatHistograms: 10,
} as const
/** More of anything in one histogram is damage that a checksum did not see. */
const MAX_ITEMS = 1 << 20

export interface WalVisitor {
  series(ref: number, labels: Labels): void
  /** The value's words, lower first: stale markers are no numbers. */
  sample(ref: number, timeMs: number, low: number, high: number): void
  histogram(ref: number, timeMs: number, histogram: Histogram): void
  /** Both times are deleted, too. */
  deleted(ref: number, minTime: number, maxTime: number): void
}

/** What is not about samples (exemplars, metadata, markers) is passed over. @throws TsdbFormatError */
export function readWalRecord(record: Uint8Array, file: string, visit: WalVisitor): void {
  if (record.length === 0) return
  const cursor = new ByteCursor(record, { file, at: 1, end: record.length })
  switch (record[0]) {
    case RecordKind.series:
      while (cursor.at < cursor.end) visit.series(cursor.u64(), readLabels(cursor))
      return
    case RecordKind.tombstones:
      while (cursor.at < cursor.end) visit.deleted(cursor.u64(), cursor.varint(), cursor.varint())
      return
    case RecordKind.samples:
      readRun(cursor, (ref, time) => {
        const high = cursor.u32()
        visit.sample(ref, time, cursor.u32(), high)
      })
      return
    case RecordKind.histograms:
    case RecordKind.customHistograms:
      readRun(cursor, (ref, time) => visit.histogram(ref, time, readHistogram(cursor, file, false)))
      return
    case RecordKind.floatHistograms:
    case RecordKind.customFloatHistograms:
      readRun(cursor, (ref, time) => visit.histogram(ref, time, readHistogram(cursor, file, true)))
  }
}

function readLabels(cursor: ByteCursor): Labels {
  const pairs: [string, string][] = []
  for (let n = cursor.uvarint(); n > 0; n--) pairs.push([cursor.text(), cursor.text()])
  return labelsFrom(pairs)
}

/** Reference and time of each sample as differences from those of the record. */
function readRun(cursor: ByteCursor, each: (ref: number, timeMs: number) => void): void {
  if (cursor.at >= cursor.end) return
  const baseRef = cursor.u64()
  const baseTime = cursor.i64()
  while (cursor.at < cursor.end) each(baseRef + cursor.varint(), baseTime + cursor.varint())
}

function readHistogram(cursor: ByteCursor, file: string, isFloat: boolean): Histogram {
  const hint = cursor.byte()
  const schema = cursor.varint()
  const zeroThreshold = cursor.double()
  const zeroCount = isFloat ? cursor.double() : cursor.uvarint()
  const count = isFloat ? cursor.double() : cursor.uvarint()
  const sumAt = cursor.at
  const sum = cursor.double()
  const length = (): number => {
    const n = cursor.uvarint()
    if (n > MAX_ITEMS) throw new TsdbFormatError(file, cursor.at, `a histogram with a list of ${n}`)
    return n
  }
  const spans = (): Span[] =>
    Array.from({ length: length() }, () => ({ offset: cursor.varint(), length: cursor.uvarint() }))
  const positiveSpans = spans()
  const negativeSpans = spans()
  const buckets = (): number[] => {
    let last = 0
    return Array.from({ length: length() }, () => (isFloat ? cursor.double() : (last += cursor.varint())))
  }
  const positiveBuckets = buckets()
  const negativeBuckets = buckets()
  const customValues = schema === -53 ? Array.from({ length: length() }, () => cursor.double()) : []
  return {
    isFloat,
    isStale: cursor.isAt(sumAt, STALE_HIGH, STALE_LOW),
    counterResetHint: (hint <= 3 ? hint : 0) as CounterResetHint,
    schema,
    zeroThreshold,
    zeroCount,
    count,
    sum,
    positiveSpans,
    positiveBuckets,
    negativeSpans,
    negativeBuckets,
    customValues,
  }
}
