/**
 * A large gzip body, inflated piece by piece as it arrives into one buffer that all such bodies share: a bomb costs
 * neither memory nor time in one piece. No more than a megabyte comes out in one turn of the event loop.
 */
import { createGunzip, type Gunzip } from 'node:zlib'
import { freeBytes } from './net-free-bytes.ts'
import { FINISH, type GunzipContext, NO_FLUSH, openGunzipContext } from './net-zlib.ts'

const OUTPUT_BYTES = 64 * 1024
const TURN_BYTES = 1024 * 1024
/** Input that says nothing costs time too: empty blocks take as long as eight times their bytes of output. */
const INPUT_BYTES = 16 * 1024
const INPUT_WEIGHT = 8
const NOTHING = new Uint8Array(0)

export type GunzipEvents = {
  /** @param bytes borrowed until the call returns */
  readonly data: (bytes: Uint8Array) => void
  readonly end: () => void
  /** @param error in zlib's words */
  readonly fail: (error: Error) => void
  /** More may be written. */
  readonly drain: () => void
}

/** Where the compressed bytes go. */
export interface Gunzipper {
  /** @param piece borrowed until the call returns. False: wait for `drain` */
  write(piece: Uint8Array): boolean
  /** All is written. `end` or `fail` follows, perhaps later. */
  end(): void
  /** Gives the memory back; no event follows. Safe to call again. */
  close(): void
}

export function openGunzip(events: GunzipEvents): Gunzipper {
  const context = openGunzipContext()
  return context === null ? new StreamGunzip(events) : new TurnGunzip(context, events)
}

/** Made with the first large body. */
let sharedOutput: Uint8Array | null = null

/** Of a piece that is used up. */
const USED_UP = -1

export class TurnGunzip implements Gunzipper {
  readonly #context: GunzipContext
  readonly #events: GunzipEvents
  readonly #output: Uint8Array
  /** What may come out before others have their turn. */
  #roomBytes = TURN_BYTES
  /** Copies of what later turns are for, and where in the first of them to go on. */
  readonly #waiting: Uint8Array[] = []
  #at = 0
  #isEnded = false
  /** What follows the last member is not gzip: it is ignored, as by gzip itself. */
  #isBeyond = false
  #isOver = false

  constructor(context: GunzipContext, events: GunzipEvents) {
    this.#context = context
    this.#events = events
    this.#output = sharedOutput ??= new Uint8Array(OUTPUT_BYTES)
  }

  write(piece: Uint8Array): boolean {
    if (this.#waiting.length > 0) {
      this.#waiting.push(piece.slice())
      return false
    }
    const at = this.#inflate(piece, 0)
    if (at === USED_UP) return true
    this.#waiting.push(piece.slice(at))
    setImmediate(() => this.#nextTurn())
    return false
  }

  end(): void {
    this.#isEnded = true
    if (this.#waiting.length === 0) this.#finish()
  }

  close(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#context.close()
    for (const piece of this.#waiting.splice(0)) freeBytes(piece)
  }

  #nextTurn(): void {
    this.#roomBytes = TURN_BYTES
    while (this.#waiting.length > 0) {
      const at = this.#inflate(this.#waiting[0]!, this.#at)
      if (this.#isOver) return
      if (at !== USED_UP) {
        this.#at = at
        setImmediate(() => this.#nextTurn())
        return
      }
      this.#at = 0
      freeBytes(this.#waiting.shift()!)
    }
    if (this.#isOver) return
    if (this.#isEnded) this.#finish()
    else this.#events.drain()
  }

  /** Goes on with a piece. @returns where to go on with it in the next turn, or `USED_UP` */
  #inflate(piece: Uint8Array, from: number): number {
    const context = this.#context
    for (let at = from; !this.#isOver && !this.#isBeyond; ) {
      if (this.#roomBytes <= 0) return at
      const end = Math.min(piece.length, at + INPUT_BYTES)
      this.#step(NO_FLUSH, end === piece.length ? piece : piece.subarray(0, end), at)
      if (this.#isOver) break
      at = end - context.inputLeft
      if (context.outputLeft === 0) continue
      this.#isBeyond = context.inputLeft > 0
      if (end === piece.length) break
    }
    return USED_UP
  }

  #step(flush: typeof NO_FLUSH | typeof FINISH, input: Uint8Array, at: number): void {
    const [context, output] = [this.#context, this.#output]
    try {
      context.inflate(flush, input, at, output)
    } catch (error) {
      this.close()
      this.#events.fail(error as Error)
      return
    }
    const length = output.length - context.outputLeft
    this.#roomBytes -= Math.max(length, INPUT_WEIGHT * (input.length - at - context.inputLeft))
    if (length > 0) this.#events.data(length === output.length ? output : output.subarray(0, length))
  }

  /** A body that was cut off fails here. */
  #finish(): void {
    if (this.#isOver) return
    if (!this.#isBeyond) this.#step(FINISH, NOTHING, 0)
    if (!this.#isOver) this.#events.end()
  }
}

/** Where there is no handle to drive. */
export class StreamGunzip implements Gunzipper {
  readonly #stream: Gunzip

  constructor({ data, end, fail, drain }: GunzipEvents) {
    const stream = createGunzip({ chunkSize: OUTPUT_BYTES })
    stream.on('data', (chunk: Buffer) => {
      data(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length))
      freeBytes(chunk)
    })
    stream.on('end', end)
    stream.on('error', fail)
    stream.on('drain', drain)
    this.#stream = stream
  }

  /** The stream works in another thread: it gets bytes of its own. */
  write(piece: Uint8Array): boolean {
    return this.#stream.write(Buffer.from(piece))
  }

  end(): void {
    this.#stream.end()
  }

  close(): void {
    this.#stream.destroy()
  }
}
