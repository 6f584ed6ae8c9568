/**
 * What the histograms of one chunk share: schema, zero threshold, spans, custom bounds.
 * Semantics: Prometheus tsdb/chunkenc/histogram_meta.go (v3.5).
 */
import { CUSTOM_BUCKETS_SCHEMA, type Histogram, type Span } from '../samples/mod.ts'
import type { BitReader, BitWriter } from './bits.ts'
import { TsdbFormatError } from './errors.ts'

export type Layout = Pick<Histogram, 'schema' | 'zeroThreshold' | 'positiveSpans' | 'negativeSpans' | 'customValues'>

/** More than any histogram has: a number beyond it is damage. */
const SPANS_MAX = 1 << 16
const BUCKETS_MAX = 1 << 20
const words = new Uint32Array(2)
const double = new Float64Array(words.buffer)
/** Exponents (of a fraction from a half to one) that fit the byte of the zero threshold. */
const MIN_EXPONENT = -242
const MAX_EXPONENT = 11
const EXPONENT_OFFSET = 243
/** Bounds that are whole thousandths up to this are numbers, others doubles. */
const MAX_THOUSANDTHS = 33_554_430

/** @throws TsdbFormatError */
export function readLayout(bits: BitReader): Layout {
  const head = bits.short(8)
  const zeroThreshold = head === 0 ? 0 : head === 255 ? readDouble(bits) : 2 ** (head - EXPONENT_OFFSET - 1)
  const schema = bits.varbitInt()
  const positiveSpans = readSpans(bits)
  const negativeSpans = readSpans(bits)
  const customValues: number[] = []
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    const n = bits.varbitUint()
    if (n > BUCKETS_MAX) throw new TsdbFormatError('', bits.bit >>> 3, `${n} custom bounds`)
    for (let i = 0; i < n; i++) {
      const code = bits.varbitUint()
      customValues.push(code === 0 ? readDouble(bits) : (code - 1) / 1000)
    }
  }
  bits.checkEnd()
  return { schema, zeroThreshold, positiveSpans, negativeSpans, customValues }
}

export function writeLayout(out: BitWriter, layout: Layout): void {
  const { zeroThreshold } = layout
  const exponent = zeroThreshold > 0 ? Math.round(Math.log2(zeroThreshold)) + 1 : 0
  if (zeroThreshold === 0) out.bits(0, 8)
  else if (zeroThreshold === 2 ** (exponent - 1) && exponent >= MIN_EXPONENT && exponent <= MAX_EXPONENT)
    out.bits(exponent + EXPONENT_OFFSET, 8)
  else {
    out.bits(255, 8)
    writeDouble(out, zeroThreshold)
  }
  out.varbitInt(layout.schema)
  writeSpans(out, layout.positiveSpans)
  writeSpans(out, layout.negativeSpans)
  if (layout.schema !== CUSTOM_BUCKETS_SCHEMA) return
  out.varbitUint(layout.customValues.length)
  for (const bound of layout.customValues) {
    const thousandths = bound * 1000
    const isShort = thousandths >= 0 && thousandths <= MAX_THOUSANDTHS && Math.round(thousandths) / 1000 === bound
    // As thousandths -0 would come back as 0.
    if (isShort && !Object.is(bound, -0)) out.varbitUint(Math.round(thousandths) + 1)
    else {
      out.bits(0, 1)
      writeDouble(out, bound)
    }
  }
}

export function isSameLayout(a: Layout, b: Layout): boolean {
  return (
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    isSameSpans(a.positiveSpans, b.positiveSpans) &&
    isSameSpans(a.negativeSpans, b.negativeSpans) &&
    isSameNumbers(a.customValues, b.customValues)
  )
}

export const isSameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i])

export const bucketCount = (spans: readonly Span[]): number => spans.reduce((sum, { length }) => sum + length, 0)

export function readDouble(bits: BitReader): number {
  words[0] = bits.wide(64)
  words[1] = bits.high
  return double[0]!
}

export function writeDouble(out: BitWriter, value: number): void {
  double[0] = value
  out.wide(words[0]!, words[1]!, 64)
}

function isSameSpans(a: readonly Span[], b: readonly Span[]): boolean {
  return a.length === b.length && a.every((span, i) => span.offset === b[i]!.offset && span.length === b[i]!.length)
}

function readSpans(bits: BitReader): Span[] {
  const n = bits.varbitUint()
  if (n > SPANS_MAX) throw new TsdbFormatError('', bits.bit >>> 3, `${n} spans of a histogram`)
  const spans: Span[] = []
  let buckets = 0
  for (let i = 0; i < n; i++) {
    const length = bits.varbitUint()
    spans.push({ length, offset: bits.varbitInt() })
    buckets += length
    if (buckets > BUCKETS_MAX) throw new TsdbFormatError('', bits.bit >>> 3, `${buckets} buckets of a histogram`)
  }
  return spans
}

function writeSpans(out: BitWriter, spans: readonly Span[]): void {
  out.varbitUint(spans.length)
  for (const { length, offset } of spans) {
    out.varbitUint(length)
    out.varbitInt(offset)
  }
}
