/** Small gzip bodies inflated in one call into memory that is used again. */
import { gunzipSync } from 'node:zlib'
import { FINISH, type GunzipContext, openGunzipContext } from './net-zlib.ts'

const MIN_GZIP_BYTES = 18

export class Inflater {
  #context: GunzipContext | null | undefined
  #output = new Uint8Array(64 * 1024)

  /**
   * @param compressed a whole body, of one gzip member or several
   * @returns the body, borrowed until the next call; 'large' if it is larger than `maxBytes`
   * @throws Error in zlib's words
   */
  inflate(compressed: Uint8Array, maxBytes: number): Uint8Array | 'large' {
    const declared = declaredSize(compressed)
    if (declared > maxBytes) return 'large'
    if (this.#context === undefined) this.#context = openGunzipContext()
    const context = this.#context
    if (context === null) return inflateOnce(compressed, declared, maxBytes)
    // One byte more than it says it needs: an output that is full may not be all.
    if (this.#output.length <= declared) this.#output = new Uint8Array(Math.max(declared + 1, 2 * this.#output.length))
    context.reset()
    context.inflate(FINISH, compressed, 0, this.#output)
    // The trailer lies, or speaks of the last of several members.
    if (context.outputLeft === 0) return inflateOnce(compressed, declared, maxBytes)
    const length = this.#output.length - context.outputLeft
    return length > maxBytes ? 'large' : this.#output.subarray(0, length)
  }
}

/** What the last four bytes of a gzip member say: its size, modulo 2^32, if it is the only one. */
function declaredSize(compressed: Uint8Array): number {
  const { length } = compressed
  if (length < MIN_GZIP_BYTES) return 0
  return new DataView(compressed.buffer, compressed.byteOffset + length - 4, 4).getUint32(0, true)
}

function inflateOnce(compressed: Uint8Array, declared: number, maxBytes: number): Uint8Array | 'large' {
  try {
    return gunzipSync(compressed, { chunkSize: Math.max(declared + 1, 4096), maxOutputLength: Math.max(1, maxBytes) })
  } catch (error) {
    if ((error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE') return 'large'
    throw error
  }
}
