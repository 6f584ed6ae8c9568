/** The bytes of a push, bounded before and after they are inflated. */
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { crc32c } from '../../protocol/crc/mod.ts'
import { snappyDecompress } from '../../protocol/remote-write/mod.ts'

export class BodyError extends Error {
  readonly status: 400 | 413
  constructor(status: 400 | 413, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'BodyError'
    this.status = status
  }
}

const inflate = promisify(gunzip) as (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Uint8Array>

/** @throws BodyError */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const bytes = await readBounded(request, maxBytes)
  const encoding = (request.headers.get('content-encoding') ?? '').toLowerCase()
  try {
    if (encoding === 'gzip') return await inflate(bytes, { maxOutputLength: maxBytes })
    return encoding === 'snappy' ? unsnappy(bytes, maxBytes) : bytes
  } catch (error) {
    if (error instanceof BodyError) throw error
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes)
    const problem =
      encoding === 'gzip' ? gzipProblem(bytes, error as Error) : `${encoding}: ${(error as Error).message}`
    throw new BodyError(400, problem, { cause: error })
  }
}

const GZIP_HEAD_BYTES = 10

/** In Go's words. */
function gzipProblem(bytes: Uint8Array, { message }: Error): string {
  if (bytes.length === 0) return 'EOF'
  if (bytes.length < GZIP_HEAD_BYTES) return 'unexpected EOF'
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b || bytes[2] !== 8) return 'gzip: invalid header'
  if (message.includes('unexpected end of file')) return 'unexpected EOF'
  return /incorrect (data|length) check/.test(message) ? 'gzip: invalid checksum' : `gzip: ${message}`
}

const tooLarge = (maxBytes: number): BodyError =>
  new BodyError(413, `the body has more than ${maxBytes} bytes (heliograph.max-body-bytes)`)

async function readBounded(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (request.body === null) return new Uint8Array(0)
  const chunks: Uint8Array[] = []
  let total = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    total += value.length
    if (total > maxBytes) {
      await reader.cancel().catch(() => {})
      throw tooLarge(maxBytes)
    }
    chunks.push(value)
  }
  return Buffer.concat(chunks, total)
}

/** The framing format of snappy, which HTTP calls by this name. Semantics: google/snappy framing_format.txt. */
export function unsnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const parts: Uint8Array[] = []
  let total = 0
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) throw new BodyError(400, 'snappy: corrupt input')
    const type = bytes[at]!
    const length = bytes[at + 1]! | (bytes[at + 2]! << 8) | (bytes[at + 3]! << 16)
    const data = bytes.subarray(at + 4, at + 4 + length)
    at += 4 + length
    if (data.length !== length || (type > 1 && type < 0x80)) throw new BodyError(400, 'snappy: corrupt input')
    if (type > 1) continue
    if (length < 4) throw new BodyError(400, 'snappy: corrupt input')
    const part = type === 0 ? snappyDecompress(data.subarray(4), maxBytes - total) : data.subarray(4)
    total += part.length
    if (total > maxBytes) throw tooLarge(maxBytes)
    const crc = crc32c(part)
    const masked = (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
    if (masked !== new DataView(data.buffer, data.byteOffset).getUint32(0, true))
      throw new BodyError(400, 'snappy: checksum mismatch')
    parts.push(part)
  }
  return Buffer.concat(parts, total)
}
