/** Bodies of every way in, inflated by the runtime within bounds and decoded. */
import { gunzipSync } from 'node:zlib'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { DeltaToCumulative, decodeOtlp, OTLP_DEFAULTS, withoutDeltas } from '../../protocol/otlp/mod.ts'
import {
  DEFAULT_MAX_INFLATED_BYTES,
  RemoteWriteError,
  snappyDecompress,
  type WriteEncoding,
  WriteRequest2Decoder,
  WriteRequestDecoder,
} from '../../protocol/remote-write/mod.ts'
import type { WriteDecoder, WritePreparer } from '../ingest/mod.ts'

/** Kept between bodies; larger ones are reserved and given back. */
const SCRATCH_BYTES = 2 << 20

/** Keep one per thread: it remembers label strings. What it returns is borrowed until the next call. */
export function createWriteDecoder(): WriteDecoder {
  const first = new WriteRequestDecoder()
  const second = new WriteRequest2Decoder()
  let scratch = new Uint8Array(0)
  const reserve = (bytes: number): Uint8Array => {
    if (bytes > SCRATCH_BYTES) return new Uint8Array(bytes)
    if (scratch.length < bytes) scratch = new Uint8Array(Math.min(SCRATCH_BYTES, 2 * bytes))
    return scratch.subarray(0, bytes)
  }
  return (body, { format, encoding, settings }) => {
    const bytes = inflate(body, encoding, reserve)
    if (format === 'rw1') return first.decode(bytes)
    if (format === 'rw2') return second.decode(bytes, settings?.['typeAndUnitLabels'] === true)
    return decodeOtlp(bytes, format === 'otlp-json', { ...OTLP_DEFAULTS, ...settings })
  }
}

/** Makes deltas of OTLP cumulative, where the settings say so. One per process: it knows what each stream has summed up to. */
export function createDeltaConverter(): WritePreparer {
  const converter = new DeltaToCumulative()
  return (body, kind, nowMs) => {
    const { format, encoding, settings } = kind
    if (settings?.['convertDelta'] !== true || (format !== 'otlp' && format !== 'otlp-json')) return { body, kind }
    const bytes = inflate(body, encoding, (size) => new Uint8Array(size))
    const converted = withoutDeltas(bytes, format === 'otlp-json', converter, nowMs)
    return converted === null
      ? { body, kind }
      : { body: converted, kind: { ...kind, format: 'otlp-json', encoding: 'identity' } }
  }
}

function inflate(body: Uint8Array, encoding: WriteEncoding, reserve: (bytes: number) => Uint8Array): Uint8Array {
  switch (encoding) {
    case 'snappy':
      return snappyDecompress(body, DEFAULT_MAX_INFLATED_BYTES, reserve)
    case 'zstd':
      return named('zstd', () => runtimeZstd.decompress(body, DEFAULT_MAX_INFLATED_BYTES))
    case 'gzip':
      return named('gzip', () => gunzipSync(body, { maxOutputLength: DEFAULT_MAX_INFLATED_BYTES }))
    case 'identity':
      return body
  }
}

/** With faults in words that the sender can do something about. @throws RemoteWriteError bad-compression, too-large */
function named(encoding: WriteEncoding, decompress: () => Uint8Array): Uint8Array {
  try {
    return decompress()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE')
      throw new RemoteWriteError(
        'too-large',
        `${encoding}: the body inflates to more than ${DEFAULT_MAX_INFLATED_BYTES} bytes`,
      )
    throw new RemoteWriteError('bad-compression', `${encoding}: the body does not inflate: ${message}`)
  }
}
