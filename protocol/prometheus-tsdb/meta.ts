/** `meta.json` and the names of blocks. Semantics: Prometheus tsdb/block.go, BlockMeta (v3.5); the ULID specification. */
import { TsdbFormatError } from './errors.ts'

export type TsdbMeta = {
  readonly ulid: string
  /** Milliseconds; samples with minTime <= t < maxTime. */
  readonly minTime: number
  readonly maxTime: number
  readonly stats: {
    readonly numSamples: number
    readonly numFloatSamples: number
    readonly numHistogramSamples: number
    readonly numSeries: number
    readonly numChunks: number
  }
  readonly level: number
  readonly sources: readonly string[]
}

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/
const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_DIGITS = 10

export const isUlid = (name: string): boolean => ULID.test(name)

/** @param random ten bytes */
export function makeUlid(timeMs: number, random: Uint8Array): string {
  let time = ''
  for (let i = 0, rest = timeMs; i < TIME_DIGITS; i++, rest = Math.floor(rest / 32)) time = DIGITS[rest % 32]! + time
  let number = random.subarray(0, 10).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  let tail = ''
  for (let i = 0; i < 16; i++, number >>= 5n) tail = DIGITS[Number(number & 31n)]! + tail
  return time + tail
}

/** @throws TsdbFormatError */
export function decodeTsdbMeta(text: string, file: string): TsdbMeta {
  const fail = (why: string, cause?: unknown): never => {
    throw new TsdbFormatError(file, 0, why, { cause })
  }
  let given: Record<string, unknown>
  try {
    given = JSON.parse(text)
  } catch (cause) {
    return fail('no JSON', cause)
  }
  if (typeof given !== 'object' || given === null) return fail('no JSON object')
  const { ulid, minTime, maxTime, version } = given
  if (version !== 1) return fail(`version ${String(version)} of a block, known is 1`)
  if (typeof ulid !== 'string' || !isUlid(ulid)) return fail('it names no ULID')
  if (!Number.isFinite(minTime) || !Number.isFinite(maxTime)) return fail('it names no range of time')
  const stats = (given['stats'] ?? {}) as Record<string, unknown>
  const compaction = (given['compaction'] ?? {}) as { readonly level?: number; readonly sources?: readonly string[] }
  const count = (name: string): number => (typeof stats[name] === 'number' ? (stats[name] as number) : 0)
  return {
    ulid,
    minTime: minTime as number,
    maxTime: maxTime as number,
    stats: {
      numSamples: count('numSamples'),
      numFloatSamples: count('numFloatSamples'),
      numHistogramSamples: count('numHistogramSamples'),
      numSeries: count('numSeries'),
      numChunks: count('numChunks'),
    },
    level: compaction.level ?? 1,
    sources: compaction.sources ?? [],
  }
}

export function encodeTsdbMeta({ ulid, minTime, maxTime, stats, level, sources }: TsdbMeta): string {
  return `${JSON.stringify({ ulid, minTime, maxTime, stats, compaction: { level, sources }, version: 1 }, null, '\t')}\n`
}
