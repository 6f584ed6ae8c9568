/**
 * zlib without a stream: driven through the handle that node's own streams drive, into memory of the caller.
 *
 * A stream makes a context, buffers and a task in another thread for each body: three times the time of the inflation
 * itself, and garbage behind the collector's back. The handle is nobody's promise: it is tried once on known bodies, and
 * where it does not do as expected (another runtime, a later node) streams do the work.
 */
import { createGunzip, type Gunzip, gzipSync } from 'node:zlib'

export const NO_FLUSH = 0
export const FINISH = 4

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

/** Inflates one gzip body after another, of one member or several. */
export class GunzipContext {
  /** Room of the output, and bytes of the input, that the last call left over. */
  outputLeft = 0
  inputLeft = 0
  readonly #stream: Gunzip
  readonly #handle: Handle
  readonly #state: Uint32Array
  #fault = ''

  constructor() {
    this.#stream = createGunzip({ chunkSize: 64 })
    const { _handle, _writeState } = this.#stream as unknown as { _handle: Handle; _writeState: Uint32Array }
    this.#handle = _handle
    this.#state = _writeState
    _handle.onerror = (message) => {
      this.#fault = message
    }
  }

  /** The next byte is the first of a body. */
  reset(): void {
    this.#handle.reset()
  }

  /**
   * Goes on with `input` from `at`, until it is used up or the output is full.
   * @throws Error in zlib's words
   */
  inflate(flush: typeof NO_FLUSH | typeof FINISH, input: Uint8Array, at: number, output: Uint8Array): void {
    this.#fault = ''
    this.#handle.writeSync(flush, input, at, input.length - at, output, 0, output.length)
    // Then the state is that of the call before.
    if (this.#fault !== '') throw new Error(this.#fault)
    this.outputLeft = this.#state[0]!
    this.inputLeft = this.#state[1]!
  }

  /** Gives its memory back. */
  close(): void {
    this.#stream.destroy()
  }
}

let isHandleSound: boolean | undefined

/** Null where the handle cannot be relied on. */
export function openGunzipContext(): GunzipContext | null {
  isHandleSound ??= passesTrial()
  return isHandleSound ? new GunzipContext() : null
}

function passesTrial(): boolean {
  try {
    const context = new GunzipContext()
    const body = Buffer.from('metric 1\n'.repeat(50))
    const packed = gzipSync(body)
    const output = new Uint8Array(1000)
    const inflate = (bytes: Uint8Array): Uint8Array => {
      context.reset()
      context.inflate(FINISH, bytes, 0, output)
      return output.subarray(0, output.length - context.outputLeft)
    }
    const isRefused = (bytes: Uint8Array): boolean => {
      try {
        inflate(bytes)
        return false
      } catch {
        return true
      }
    }
    const takesPieces = (): boolean => {
      const piece = new Uint8Array(300)
      context.reset()
      context.inflate(NO_FLUSH, packed.subarray(0, 12), 0, piece)
      if (context.outputLeft === 0 || context.inputLeft > 0) return false
      const first = piece.slice(0, piece.length - context.outputLeft)
      context.inflate(NO_FLUSH, packed, 12, piece)
      const got = Buffer.concat([first, piece])
      return context.outputLeft === 0 && body.subarray(0, got.length).equals(got)
    }
    const isSound =
      body.equals(inflate(packed)) &&
      body.equals(inflate(packed)) &&
      isRefused(Buffer.from('not gzip')) &&
      isRefused(packed.subarray(0, 30)) &&
      takesPieces()
    context.close()
    return isSound
  } catch {
    return false
  }
}
