import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { RemoteWriteError, snappyCompress, snappyDecompress } from './mod.ts'

const ascii = (text: string): number[] => [...new TextEncoder().encode(text)]
// By hand from the format description.
const rows: readonly [name: string, block: readonly number[], text: string][] = [
  ['nothing', [0], ''],
  ['a literal', [3, 2 << 2, ...ascii('abc')], 'abc'],
  ['a literal with its length in one byte', [70, 60 << 2, 69, ...ascii('x'.repeat(70))], 'x'.repeat(70)],
  ['a literal with its length in two bytes', [70, 61 << 2, 69, 0, ...ascii('x'.repeat(70))], 'x'.repeat(70)],
  ['a copy with a one-byte offset', [8, 3 << 2, ...ascii('abcd'), 1, 4], 'abcdabcd'],
  ['a copy with a two-byte offset', [7, 3 << 2, ...ascii('abcd'), (2 << 2) | 2, 4, 0], 'abcdabc'],
  ['a copy with a four-byte offset', [7, 3 << 2, ...ascii('abcd'), (2 << 2) | 3, 4, 0, 0, 0], 'abcdabc'],
  ['a copy that overlaps itself', [9, 1 << 2, ...ascii('ab'), (3 << 2) | 1, 2], 'ababababa'],
]
for (const [name, block, text] of rows)
  test(`snappyDecompress() reads ${name}`, () =>
    assert.equal(new TextDecoder().decode(snappyDecompress(Uint8Array.from(block))), text))

const refused: readonly [name: string, code: RemoteWriteError['code'], block: readonly number[]][] = [
  ['nothing at all', 'bad-snappy', []],
  ['a length without an end', 'bad-snappy', [255, 255, 255, 255, 255, 1]],
  ['a length above the limit', 'too-large', [0x80, 0x80, 0x80, 0x80, 1, 0]],
  ['a length that the block cannot hold', 'bad-snappy', [0x80, 0x80, 0x80, 1, 0, 97]],
  ['a literal that is cut', 'bad-snappy', [3, 2 << 2, 97]],
  ['a literal length that is cut', 'bad-snappy', [3, 61 << 2, 97]],
  ['a copy that is cut', 'bad-snappy', [8, 3 << 2, 97, 97, 97, 97, (2 << 2) | 2, 4]],
  ['a copy from before the start', 'bad-snappy', [8, 3 << 2, 97, 97, 97, 97, 1, 5]],
  ['a copy with offset 0', 'bad-snappy', [8, 3 << 2, 97, 97, 97, 97, 1, 0]],
  ['more than it declares', 'bad-snappy', [2, 2 << 2, 97, 97, 97]],
  ['less than it declares', 'bad-snappy', [4, 2 << 2, 97, 97, 97]],
  ['a copy past the declared length', 'bad-snappy', [5, 3 << 2, 97, 97, 97, 97, 1, 4]],
]
for (const [name, code, block] of refused)
  test(`snappyDecompress() refuses ${name}`, () =>
    assert.throws(
      () => snappyDecompress(Uint8Array.from(block)),
      (error) => error instanceof RemoteWriteError && error.code === code,
    ))

test('decompress(compress(x)) is x', () => {
  const repetitive = fc
    .array(fc.tuple(fc.constantFrom('job', 'instance', 'node_cpu_seconds_total', '\0'), fc.nat(200)), {
      maxLength: 200,
    })
    .map((parts) => Uint8Array.from(parts.flatMap(([text, n]) => ascii(text.repeat(n)))))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 2000 }), repetitive), (bytes) => {
      const block = snappyCompress(bytes)
      assert.ok(block.length <= 32 + bytes.length + Math.ceil(bytes.length / 6))
      assert.ok(Buffer.from(snappyDecompress(block)).equals(Buffer.from(bytes)))
    }),
  )
})

test('compress() makes repetitive data small, across blocks', () => {
  const bytes = Uint8Array.from(ascii('node_cpu_seconds_total{cpu="0"} '.repeat(10_000)))
  const block = snappyCompress(bytes)
  assert.ok(block.length < bytes.length / 15, `${block.length} bytes`)
  assert.deepEqual(Buffer.from(snappyDecompress(block)), Buffer.from(bytes))
})

test('arbitrary and damaged blocks are read or refused with a RemoteWriteError', () => {
  const good = snappyCompress(Uint8Array.from(ascii('abcabcabcabc the same again, the same again')))
  const damaged = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, value]) => {
    const block = good.slice()
    block[at] = value
    return block
  })
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), damaged), (block) => {
      try {
        snappyDecompress(block)
      } catch (error) {
        assert.ok(error instanceof RemoteWriteError, String(error))
      }
    }),
    { numRuns: 500 },
  )
})
