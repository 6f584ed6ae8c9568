/**
 * Small gzip bodies inflated in one call into memory that is used again.
 *
 * `gunzipSync` makes a stream, a context and a buffer for each body: three times the time of the inflation itself, and
 * garbage behind V8's back. So the context is kept and driven through the handle that node's own streams drive. That
 * handle is nobody's promise: it is tried once on a known body, and where it does not do as expected (another runtime, a
 * later node) `gunzipSync` does the work.
 */
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib'

const FINISH = 4
const MIN_GZIP_BYTES = 18

type Handle = {
  reset(): void
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    output: Uint8Array,
    outputAt: number,
    outputBytes: number,
  ): void
  onerror: (message: string, errno: number, code: string) => void
}
/** The handle, and where it leaves how much room for output and how much input were left over. */
type Context = { readonly handle: Handle; readonly state: Uint32Array }

export class Inflater {
  #context: Context | null | undefined
  #output = new Uint8Array(64 * 1024)

  /**
   * @param compressed a whole body, of one gzip member or several
   * @returns the body, borrowed until the next call; 'large' if it is larger than `maxBytes`
   * @throws Error in zlib's words
   */
  inflate(compressed: Uint8Array, maxBytes: number): Uint8Array | 'large' {
    const declared = declaredSize(compressed)
    if (declared > maxBytes) return 'large'
    this.#context ??= this.#context === null ? null : openContext()
    if (this.#context === null) return inflateOnce(compressed, declared, maxBytes)
    // One byte more than it says it needs: an output that is full may not be all.
    if (this.#output.length <= declared) this.#output = new Uint8Array(Math.max(declared + 1, 2 * this.#output.length))
    const length = inflateInto(this.#context, compressed, this.#output)
    // The trailer lies, or speaks of the last of several members.
    if (length === this.#output.length) return inflateOnce(compressed, declared, maxBytes)
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

/** @returns bytes written; all of `output` when there may be more */
function inflateInto({ handle, state }: Context, compressed: Uint8Array, output: Uint8Array): number {
  let fault = ''
  handle.onerror = (message) => {
    fault = message
  }
  handle.reset()
  handle.writeSync(FINISH, compressed, 0, compressed.length, output, 0, output.length)
  const left = state[0]!
  if (fault !== '' && left > 0) throw new Error(fault)
  return output.length - left
}

function openContext(): Context | null {
  try {
    const { _handle: handle, _writeState: state } = createGunzip() as unknown as {
      _handle: Handle
      _writeState: Uint32Array
    }
    const context = { handle, state }
    const body = Buffer.from('metric 1\n'.repeat(50))
    const output = new Uint8Array(1000)
    for (let round = 0; round < 2; round++) {
      const length = inflateInto(context, gzipSync(body), output)
      if (length !== body.length || !body.equals(output.subarray(0, length))) return null
    }
    return isRefused(context, Buffer.from('not gzip')) && isRefused(context, gzipSync(body).subarray(0, 30))
      ? context
      : null
  } catch {
    return null
  }
}

function isRefused(context: Context, bytes: Uint8Array): boolean {
  try {
    inflateInto(context, bytes, new Uint8Array(1000))
    return false
  } catch {
    return true
  }
}
