import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { crc32c } from '../crc/mod.ts'
import { snappyCompress } from '../remote-write/mod.ts'
import { readWalRecord, TsdbFormatError, WalPageReader } from './mod.ts'

const PAGE = 32 << 10
const none = (): Uint8Array => assert.fail('nothing is zstd here')

/** A segment as Prometheus writes it: fragments that fill pages, the rest of a page that is too short left empty. */
function segmentOf(records: readonly Uint8Array[], compress: boolean): Uint8Array {
  const parts: Uint8Array[] = []
  let at = 0
  const put = (part: Uint8Array): void => {
    parts.push(part)
    at += part.length
  }
  for (const record of records) {
    const data = compress ? snappyCompress(record) : record
    let done = 0
    do {
      if (PAGE - (at % PAGE) < 8) put(new Uint8Array(PAGE - (at % PAGE)))
      const piece = data.subarray(done, done + PAGE - (at % PAGE) - 7)
      const isFirst = done === 0
      done += piece.length
      const kind = isFirst ? (done === data.length ? 1 : 2) : done === data.length ? 4 : 3
      const head = new Uint8Array(7)
      const view = new DataView(head.buffer)
      head[0] = kind | (compress ? 8 : 0)
      view.setUint16(1, piece.length)
      view.setUint32(3, crc32c(piece))
      put(head)
      put(piece)
    } while (done < data.length)
  }
  return new Uint8Array(Buffer.concat(parts))
}

const records = fc.array(
  fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 40 }),
    fc.uint8Array({ minLength: 30_000, maxLength: 80_000, size: 'max' }),
  ),
  {
    maxLength: 6,
  },
)

test('records come back from their pages, whatever their length', () => {
  fc.assert(
    fc.property(records, fc.boolean(), (list, compress) => {
      const read = [...new WalPageReader(none).records(segmentOf(list, compress), 's', false)].map((record) =>
        record.slice(),
      )
      assert.deepEqual(read, list)
    }),
    { numRuns: 60 },
  )
})

test('the torn end of a log gives what is whole; the same inside of a log is damage', () => {
  const list = [Uint8Array.of(1, 2), new Uint8Array(50_000).fill(7), Uint8Array.of(9)]
  const segment = segmentOf(list, false)
  for (const end of [3, 9, 12, 30_000, 40_000, segment.length - 1]) {
    const cut = segment.subarray(0, end)
    const read = [...new WalPageReader(none).records(cut, 's', true)]
    assert.ok(read.length < 3)
    assert.deepEqual(
      read.map((record) => record.slice()),
      list.slice(0, read.length),
    )
    // The ninth byte is the last of the first record.
    if (end !== 9) assert.throws(() => [...new WalPageReader(none).records(cut, 's', false)], TsdbFormatError)
  }
  const flipped = segment.slice()
  flipped[8] = 0xff
  assert.throws(() => [...new WalPageReader(none).records(flipped, 's', false)], /s:0: wrong checksum of a record/)
})

test('records of series, samples and deletions', () => {
  const seen: unknown[] = []
  const visit = {
    series: (...all: unknown[]) => void seen.push(['series', ...all]),
    sample: (...all: unknown[]) => void seen.push(['sample', ...all]),
    histogram: (...all: unknown[]) => void seen.push(['histogram', ...all]),
    deleted: (...all: unknown[]) => void seen.push(['deleted', ...all]),
  }
  const text = (value: string): number[] => [value.length, ...new TextEncoder().encode(value)]
  const be64 = (value: number): number[] => [0, 0, 0, 0, 0, 0, value >> 8, value & 255]
  readWalRecord(
    Uint8Array.from([1, ...be64(5), 2, ...text('__name__'), ...text('up'), ...text('a'), ...text('b')]),
    'w',
    visit,
  )
  readWalRecord(
    Uint8Array.from([
      2,
      ...be64(5),
      ...be64(1000),
      0,
      0,
      0x3f,
      0xf8,
      0,
      0,
      0,
      0,
      0,
      0,
      2,
      1,
      0x7f,
      0xf0,
      0,
      0,
      0,
      0,
      0,
      2,
    ]),
    'w',
    visit,
  )
  readWalRecord(Uint8Array.from([3, ...be64(5), 20, 40]), 'w', visit)
  readWalRecord(Uint8Array.from([6, 1, 2, 3]), 'w', visit)
  assert.deepEqual(seen, [
    ['series', 5, ['__name__', 'up', 'a', 'b']],
    ['sample', 5, 1000, 0, 0x3ff80000],
    ['sample', 6, 999, 2, 0x7ff00000],
    ['deleted', 5, 10, 20],
  ])
  assert.throws(() => readWalRecord(Uint8Array.from([2, ...be64(5), 1]), 'w', visit), TsdbFormatError)
})
