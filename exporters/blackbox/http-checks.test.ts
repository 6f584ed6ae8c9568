import assert from 'node:assert/strict'
import { test } from 'node:test'
import { brotliCompressSync, deflateRawSync, gzipSync } from 'node:zlib'
import { decompressed, inflatedBytes } from './http-checks.ts'

const TEXT = 'hello world '.repeat(2000)

for (const [compression, bytes] of [
  ['deflate', deflateRawSync(TEXT)],
  ['gzip', gzipSync(TEXT)],
  ['br', brotliCompressSync(TEXT)],
] as const) {
  test(`a ${compression} body is inflated, one that breaks off is counted as far as it goes`, async () => {
    assert.equal(new TextDecoder().decode(await decompressed(compression, bytes, 1e6)), TEXT)
    const cut = bytes.subarray(0, bytes.length - 5)
    await assert.rejects(decompressed(compression, cut, 1e6))
    const counted = await inflatedBytes(compression, cut, 1e6)
    // Brotli shows nothing of so short a text before its end.
    assert.ok(counted >= (compression === 'br' ? 0 : 1) && counted <= TEXT.length, String(counted))
  })
}

test('of a body that is none of that nothing was inflated', async () => {
  await assert.rejects(decompressed('deflate', new TextEncoder().encode('hello world'), 1e6))
  assert.equal(await inflatedBytes('deflate', new TextEncoder().encode('hello world'), 1e6), 0)
})

test('what stood before a fault of gzip is counted', async () => {
  const whole = gzipSync('hello')
  const badSum = Uint8Array.from(whole, (byte, i) => (i === whole.length - 5 ? byte ^ 1 : byte))
  for (const [bytes, length] of [
    [badSum, 5],
    [Buffer.concat([whole, Buffer.from('trailing')]), 5],
    [Buffer.concat([whole, gzipSync(' world'), Buffer.from([0])]), 11],
  ] as const) {
    assert.equal(await inflatedBytes('gzip', bytes, 1e6), length)
    assert.equal(await inflatedBytes('gzip', bytes, 3), 3)
  }
})

test('what is counted of gzip bombs one after another does not hold up the process, and ends at the limit', async () => {
  const bomb = gzipSync(new Uint8Array(4_000_000))
  const bytes = Buffer.concat(Array(300).fill(bomb))
  let turns = 0
  const turn = setInterval(() => turns++, 0)
  const before = process.cpuUsage()
  assert.equal(await inflatedBytes('gzip', bytes, 5_000_000), 5_000_000)
  const { user } = process.cpuUsage(before)
  clearInterval(turn)
  assert.ok(turns > 0)
  // Two of them are inflated, not 300: some milliseconds.
  assert.ok(user < 1_000_000, `${user} µs`)
})
