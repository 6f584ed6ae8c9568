/** Bodies of every way in, inflated by the runtime within bounds and decoded. */
import { gunzipSync } from 'node:zlib'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { decodeOtlp, OTLP_DEFAULTS } from '../../protocol/otlp/mod.ts'
import {
  DEFAULT_MAX_INFLATED_BYTES,
  snappyDecompress,
  type WriteEncoding,
  WriteRequest2Decoder,
  WriteRequestDecoder,
} from '../../protocol/remote-write/mod.ts'
import type { WriteDecoder } from '../ingest/mod.ts'

/** Keep one per thread: it remembers label strings. */
export function createWriteDecoder(): WriteDecoder {
  const first = new WriteRequestDecoder()
  const second = new WriteRequest2Decoder()
  return (body, { format, encoding, settings }) => {
    const bytes = inflate(body, encoding)
    if (format === 'rw1') return first.decode(bytes)
    if (format === 'rw2') return second.decode(bytes)
    return decodeOtlp(bytes, format === 'otlp-json', { ...OTLP_DEFAULTS, ...settings })
  }
}

function inflate(body: Uint8Array, encoding: WriteEncoding): Uint8Array {
  switch (encoding) {
    case 'snappy':
      return snappyDecompress(body)
    case 'zstd':
      return runtimeZstd.decompress(body, DEFAULT_MAX_INFLATED_BYTES)
    case 'gzip':
      return gunzipSync(body, { maxOutputLength: DEFAULT_MAX_INFLATED_BYTES })
    case 'identity':
      return body
  }
}
