import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  decodeTombstones,
  decodeTsdbMeta,
  emptyTombstones,
  encodeTsdbMeta,
  isUlid,
  makeUlid,
  TsdbFormatError,
  TsdbIndex,
  TsdbIndexWriter,
} from './mod.ts'

const SYMBOLS = ['__name__', 'a', 'down', 'job', 'up', 'é🎈']
const SERIES = [
  { labels: [0, 2], chunks: [] },
  {
    labels: [0, 4, 3, 1],
    chunks: [
      { minTime: -5, maxTime: 10, ref: 8 },
      { minTime: 11, maxTime: 1_700_000_000_000, ref: 2 ** 32 + 8 },
    ],
  },
  { labels: [0, 4, 3, 5], chunks: [{ minTime: 1_700_000_000_000, maxTime: 1_700_000_000_000, ref: 50 }] },
]

function built(): Uint8Array {
  const parts: Uint8Array[] = []
  const writer = new TsdbIndexWriter((bytes) => parts.push(bytes), SYMBOLS)
  for (const { labels, chunks } of SERIES) writer.series(Uint32Array.from(labels), chunks)
  writer.finish()
  return new Uint8Array(Buffer.concat(parts))
}

test('an index comes back as it was written', () => {
  const index = new TsdbIndex(built(), 'index')
  assert.deepEqual(index.symbols, SYMBOLS)
  assert.deepEqual(
    Array.from(index.allSeries(), (ref) => index.series(ref)),
    SERIES,
  )
})

test('an index with a byte changed is refused, or the byte is in what nobody reads', () => {
  const bytes = built()
  let refused = 0
  for (let i = 0; i < bytes.length; i++) {
    const damaged = bytes.slice()
    damaged[i] = damaged[i]! ^ 0x21
    try {
      const index = new TsdbIndex(damaged, 'index')
      assert.deepEqual(
        Array.from(index.allSeries(), (ref) => index.series(ref)),
        SERIES,
        `byte ${i}`,
      )
    } catch (error) {
      assert.ok(error instanceof TsdbFormatError, `byte ${i}: ${String(error)}`)
      refused++
    }
  }
  // Padding, and the postings of single labels, are not read.
  assert.ok(refused > bytes.length / 2, `${refused} of ${bytes.length}`)
})

test('tombstones are read as Prometheus writes them', () => {
  // Two intervals of series 5 and one of 300, crc32c of what follows the version.
  const entries = [5, 0x14, 0x28, 5, 0x90, 3, 0xa0, 3, 0xac, 2, 1, 0]
  const bytes = Uint8Array.from([0x01, 0x30, 0xba, 0x30, 1, ...entries, ...crcOf(entries)])
  const found = decodeTombstones(bytes, 't')
  assert.deepEqual(
    [...found],
    [
      [
        5,
        [
          { minTime: 10, maxTime: 20 },
          { minTime: 200, maxTime: 208 },
        ],
      ],
      [300, [{ minTime: -1, maxTime: 0 }]],
    ],
  )
  assert.equal(decodeTombstones(emptyTombstones(), 't').size, 0)
})

function crcOf(bytes: readonly number[]): Uint8Array {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  }
  const out = new Uint8Array(4)
  new DataView(out.buffer).setUint32(0, ~crc >>> 0)
  return out
}

test('meta.json and ULIDs', () => {
  const ulid = makeUlid(
    1_700_000_000_000,
    Uint8Array.from({ length: 10 }, (_, i) => i * 17),
  )
  assert.match(ulid, /^01HF7YAT00/)
  assert.ok(isUlid(ulid))
  const meta = {
    ulid,
    minTime: 0,
    maxTime: 7_200_000,
    stats: { numSamples: 3, numFloatSamples: 2, numHistogramSamples: 1, numSeries: 2, numChunks: 2 },
    level: 1,
    sources: [ulid],
  }
  assert.deepEqual(decodeTsdbMeta(encodeTsdbMeta(meta), 'meta.json'), meta)
  for (const text of ['', '[]', '{}', '{"version":2}', '{"version":1,"ulid":"x"}'])
    assert.throws(() => decodeTsdbMeta(text, 'meta.json'), TsdbFormatError)
})
