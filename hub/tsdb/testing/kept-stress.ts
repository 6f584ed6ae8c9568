/** What is stored in kept-stress.test.ts: a value says whose it is and of when. */
import { STALE_HIGH, STALE_LOW } from '../../../protocol/samples/mod.ts'

const bits = new Float64Array(1)
const words = new Uint32Array(bits.buffer)

/** The value of series `id` at a time, as two words: counters, constants, fractions; stale markers and NaN now and then. */
export function bitsAt(id: number, time: number, out: Uint32Array): void {
  const shape = id % 6
  bits[0] =
    id * 1_000_003 + (shape === 0 ? 0 : shape === 1 ? time : shape === 2 ? Math.sin(time) : Math.floor(time / 90_000))
  if (shape === 4 && time % 37 === 5) {
    words[0] = STALE_LOW
    words[1] = STALE_HIGH
  }
  if (shape === 5 && time % 41 === 7) bits[0] = Number.NaN
  out[0] = words[0]!
  out[1] = words[1]!
}
