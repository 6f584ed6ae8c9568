/**
 * Numbers straight from the page's bytes. Hot: bench/agent/parse.bench.ts
 *
 * Up to 15 digits and some of 16 fit a double exactly, and so do powers of ten up to 1e22: one multiplication or
 * division of the two is correctly rounded (Clinger's fast path). All else goes through the language's own parser.
 */
import { NORMAL_NAN_HIGH, NORMAL_NAN_LOW } from '../samples/mod.ts'
import { parseGoFloat } from './go-float.ts'

const POWERS = new Float64Array(23)
for (let i = 0; i < POWERS.length; i++) POWERS[i] = Number(`1e${i}`)
/** Below it every integer is a double of its own. */
const EXACT = 9_007_199_254_740_992

/**
 * Reads the number at `page[at]` into `out[index]`.
 * @param page holds a newline at or after `at`; a number ends at a blank or newline
 * @returns one past the number, or -1 if there is none
 */
export function readFloat(page: Uint8Array, at: number, out: Float64Array, index: number): number {
  let i = at
  let c = page[i]!
  const negative = c === 45
  if (negative) c = page[++i]!
  // Nine digits at a time stay in machine integers.
  let high = 0
  let low = 0
  let lowDigits = 0
  let digits = 0
  let seen = 0
  let point = -1
  for (;;) {
    if (c >= 48 && c <= 57) {
      seen++
      if (digits !== 0 || c !== 48) {
        if (lowDigits === 9) {
          high = low
          low = 0
          lowDigits = 0
        }
        low = (low * 10 + (c - 48)) | 0
        lowDigits++
        digits++
      }
    } else if (c === 46 && point < 0) point = seen
    else break
    c = page[++i]!
  }
  let exponent = point < 0 ? 0 : point - seen
  if (c === 101 || c === 69) {
    c = page[++i]!
    const down = c === 45
    if (down || c === 43) c = page[++i]!
    let e = 0
    const first = i
    while (c >= 48 && c <= 57 && e < 1000) {
      e = (e * 10 + (c - 48)) | 0
      c = page[++i]!
    }
    if (i === first) return -1
    exponent += down ? -e : e
  }
  if (seen === 0 || digits > 16 || exponent < -22 || exponent > 22 || (c !== 10 && c !== 32 && c !== 9)) {
    return readSlowly(page, at, out, index)
  }
  const mantissa = digits > 9 ? high * POWERS[lowDigits]! + low : low
  if (mantissa >= EXACT) return readSlowly(page, at, out, index)
  const value = exponent < 0 ? mantissa / POWERS[-exponent]! : mantissa * POWERS[exponent]!
  out[index] = negative ? -value : value
  return i
}

/** Long mantissas, large exponents, NaN, Inf. */
function readSlowly(page: Uint8Array, at: number, out: Float64Array, index: number): number {
  let end = at
  for (let c = page[end]!; c !== 10 && c !== 32 && c !== 9; c = page[end]!) end++
  // Longer ones than any printer writes are left to the parser that can say what is wrong.
  if (end - at > 64) return -1
  const text = String.fromCharCode.apply(null, page.subarray(at, end) as unknown as number[])
  const value = parseGoFloat(text, () => '')
  if (typeof value === 'string') return -1
  if (Number.isNaN(value)) writeNormalNan(out, index)
  else out[index] = value
  return end
}

/** The NaN that Prometheus stores: JavaScript's own has other bits. */
export function writeNormalNan(out: Float64Array, index: number): void {
  const words = new Uint32Array(out.buffer, out.byteOffset + 8 * index, 2)
  words[0] = NORMAL_NAN_LOW
  words[1] = NORMAL_NAN_HIGH
}
