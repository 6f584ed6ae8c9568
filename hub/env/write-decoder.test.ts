import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { DEFAULT_MAX_INFLATED_BYTES, type WriteEncoding } from '../../protocol/remote-write/mod.ts'
import { createWriteDecoder } from './write-decoder.ts'

const decode = createWriteDecoder()
const large = new Uint8Array(DEFAULT_MAX_INFLATED_BYTES + 1)
const faults: readonly [WriteEncoding, string, Uint8Array, code: string, text: RegExp][] = [
  ['gzip', 'garbage', Uint8Array.of(1, 2, 3), 'bad-compression', /^gzip: the body does not inflate: /],
  ['gzip', 'half', gzipSync(new Uint8Array(5000)).subarray(0, 20), 'bad-compression', /^gzip: the body does not/],
  ['gzip', 'too much', gzipSync(large), 'too-large', /^gzip: the body inflates to more than 33554432 bytes$/],
  ['zstd', 'garbage', Uint8Array.of(1, 2, 3), 'bad-compression', /^zstd: the body does not inflate: /],
  ['zstd', 'too much', zstdCompressSync(large), 'too-large', /^zstd: the body inflates to more than 33554432 bytes$/],
]
for (const [encoding, what, body, code, text] of faults)
  test(`${what} for ${encoding} is told as such`, () => {
    assert.throws(
      () => decode(body, { format: 'otlp', encoding }),
      (error: { code: string; message: string }) => error.code === code && text.test(error.message),
    )
  })
