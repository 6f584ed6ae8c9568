/**
 * Points of a range result, `[time,"value"]`, written by WebAssembly: a dashboard's answer is tens of thousands of doubles
 * with 16 or 17 digits, and to make a string of each took half of the whole query. JavaScript has no 64-bit integers that
 * are quick; this kernel finds the shortest digits with three multiplications of 64 by 128 bits, and is assembled from the
 * text below when the first result is written. Hot: bench/query, the error ratio.
 *
 * Values from 2^-19 up to 2^50, and 0, are written here; the caller writes the others (exponents, NaN, infinities, -0), and
 * all of them where there is no WebAssembly. The text is that of String(value): the fewest digits that read back as the
 * value, of such the nearest to it. Method: R. Giulietti, "The Schubfach way to render doubles"; below, `c * 2^q` is the
 * value, `k` the decimal exponent, and `g` is 10^-k in 126 bits, rounded up.
 *
 *     memory: powers g, two words a k | digits "00".."99" | where the text ends | times' starts | times' bytes |
 *             present | values | text
 */
import { assemble } from './assemble.ts'
import type { StepTimes } from './step-times.ts'

/** Steps that are written at once. */
const STEPS = 1024
const TIME_BYTES_MAX = 32
const POINT_BYTES_MAX = 48 + TIME_BYTES_MAX
const K_MIN = -24
const K_MAX = 0

const POWERS_AT = 0
const PAIRS_AT = 512
const END_AT = 720
const STARTS_AT = 1024
const TIMES_AT = STARTS_AT + 4 * (STEPS + 1) + 4
const PRESENT_AT = TIMES_AT + TIME_BYTES_MAX * STEPS
const VALUES_AT = PRESENT_AT + STEPS
const TEXT_AT = VALUES_AT + 8 * STEPS
const PAGES = Math.ceil((TEXT_AT + POINT_BYTES_MAX * STEPS) / 65536)

const SOURCE = `
(memory (export "memory") ${PAGES})

;; The upper half of a product of 128 bits.
(func $high (param $a i64) (param $b i64) (result i64)
  (local $al i64) (local $ah i64) (local $bl i64) (local $bh i64) (local $lh i64) (local $hl i64) (local $mid i64)
  (local.set $al (i64.and (local.get $a) (i64.const 0xffffffff)))
  (local.set $ah (i64.shr_u (local.get $a) (i64.const 32)))
  (local.set $bl (i64.and (local.get $b) (i64.const 0xffffffff)))
  (local.set $bh (i64.shr_u (local.get $b) (i64.const 32)))
  (local.set $lh (i64.mul (local.get $al) (local.get $bh)))
  (local.set $hl (i64.mul (local.get $ah) (local.get $bl)))
  (local.set $mid (i64.add
    (i64.shr_u (i64.mul (local.get $al) (local.get $bl)) (i64.const 32))
    (i64.add (i64.and (local.get $lh) (i64.const 0xffffffff)) (i64.and (local.get $hl) (i64.const 0xffffffff)))))
  (i64.add
    (i64.add (i64.mul (local.get $ah) (local.get $bh)) (i64.shr_u (local.get $mid) (i64.const 32)))
    (i64.add (i64.shr_u (local.get $lh) (i64.const 32)) (i64.shr_u (local.get $hl) (i64.const 32)))))

;; x * g, of which the last bit says whether anything was cut off: rounded to odd.
(func $scaled (param $g1 i64) (param $g0 i64) (param $x i64) (result i64)
  (local $z i64)
  (local.set $z (i64.add
    (i64.shr_u (i64.mul (local.get $g1) (local.get $x)) (i64.const 1))
    (call $high (local.get $g0) (local.get $x))))
  (i64.or
    (i64.add (call $high (local.get $g1) (local.get $x)) (i64.shr_u (local.get $z) (i64.const 63)))
    (i64.extend_i32_u (i64.ne (i64.and (local.get $z) (i64.const 0x7fffffffffffffff)) (i64.const 0)))))

;; Eight digits or fewer, with zeros in front, the last before $end.
(func $eight (param $n i32) (param $digits i32) (param $end i32)
  (block $done
    (loop $next
      (br_if $done (i32.lt_s (local.get $digits) (i32.const 2)))
      (local.set $end (i32.sub (local.get $end) (i32.const 2)))
      (i32.store16 (local.get $end)
        (i32.load16_u offset=${PAIRS_AT} (i32.mul (i32.rem_u (local.get $n) (i32.const 100)) (i32.const 2))))
      (local.set $n (i32.div_u (local.get $n) (i32.const 100)))
      (local.set $digits (i32.sub (local.get $digits) (i32.const 2)))
      (br $next)))
  (if (i32.eq (local.get $digits) (i32.const 1)) (then
    (i32.store8 (i32.sub (local.get $end) (i32.const 1)) (i32.add (local.get $n) (i32.const 48))))))

;; $digits of $n at $at.
(func $write (param $n i64) (param $digits i32) (param $at i32)
  (local $end i32)
  (local.set $end (i32.add (local.get $at) (local.get $digits)))
  (block $done
    (loop $next
      (br_if $done (i32.le_s (local.get $digits) (i32.const 8)))
      (call $eight (i32.wrap_i64 (i64.rem_u (local.get $n) (i64.const 100000000))) (i32.const 8) (local.get $end))
      (local.set $n (i64.div_u (local.get $n) (i64.const 100000000)))
      (local.set $digits (i32.sub (local.get $digits) (i32.const 8)))
      (local.set $end (i32.sub (local.get $end) (i32.const 8)))
      (br $next)))
  (call $eight (i32.wrap_i64 (local.get $n)) (local.get $digits) (local.get $end)))

(func $digitsOf (param $n i64) (result i32)
  (local $power i64) (local $digits i32)
  (local.set $power (i64.const 10))
  (local.set $digits (i32.const 1))
  (block $done
    (loop $next
      (br_if $done (i64.lt_u (local.get $n) (local.get $power)))
      (local.set $power (i64.mul (local.get $power) (i64.const 10)))
      (local.set $digits (i32.add (local.get $digits) (i32.const 1)))
      (br $next)))
  (local.get $digits))

;; n * 10^k at $at, n > 0, k < 0; returns where the text ends.
(func $decimal (param $n i64) (param $k i32) (param $at i32) (result i32)
  (local $digits i32) (local $whole i32) (local $i i32)
  (if (i64.eqz (i64.rem_u (local.get $n) (i64.const 100000000))) (then
    (local.set $n (i64.div_u (local.get $n) (i64.const 100000000)))
    (local.set $k (i32.add (local.get $k) (i32.const 8)))))
  (block $done
    (loop $next
      (br_if $done (i64.ne (i64.rem_u (local.get $n) (i64.const 10)) (i64.const 0)))
      (local.set $n (i64.div_u (local.get $n) (i64.const 10)))
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br $next)))
  (local.set $digits (call $digitsOf (local.get $n)))
  (local.set $whole (i32.add (local.get $digits) (local.get $k)))
  (if (i32.gt_s (local.get $whole) (i32.const 0)) (then
    (call $write (local.get $n) (local.get $digits) (i32.add (local.get $at) (i32.const 1)))
    (memory.copy (local.get $at) (i32.add (local.get $at) (i32.const 1)) (local.get $whole))
    (i32.store8 (i32.add (local.get $at) (local.get $whole)) (i32.const 46))
    (return (i32.add (i32.add (local.get $at) (local.get $digits)) (i32.const 1)))))
  (i32.store16 (local.get $at) (i32.const 0x2e30))
  (local.set $at (i32.add (local.get $at) (i32.const 2)))
  (block $done
    (loop $next
      (br_if $done (i32.ge_s (local.get $whole) (i32.const 0)))
      (i32.store8 (local.get $at) (i32.const 48))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $whole (i32.add (local.get $whole) (i32.const 1)))
      (br $next)))
  (call $write (local.get $n) (local.get $digits) (local.get $at))
  (i32.add (local.get $at) (local.get $digits)))

;; The shortest digits of c * 2^q at $at.
(func $shortest (param $c i64) (param $q i32) (param $at i32) (result i32)
  (local $k i32) (local $h i64) (local $g1 i64) (local $g0 i64) (local $odd i64)
  (local $vb i64) (local $vbl i64) (local $vbr i64) (local $s i64) (local $t i64) (local $low i32) (local $high i32)
  (local $below i64)
  (local.set $odd (i64.and (local.get $c) (i64.const 1)))
  ;; The next double below a power of two is half as far as the one above.
  (local.set $below (i64.const 2))
  (local.set $k (i32.wrap_i64 (i64.shr_s
    (i64.mul (i64.extend_i32_s (local.get $q)) (i64.const 661971961083)) (i64.const 41))))
  (if (i64.eq (local.get $c) (i64.const 0x10000000000000)) (then
    (local.set $below (i64.const 1))
    (local.set $k (i32.wrap_i64 (i64.shr_s
      (i64.sub (i64.mul (i64.extend_i32_s (local.get $q)) (i64.const 661971961083)) (i64.const 274743187321))
      (i64.const 41))))))
  (local.set $h (i64.extend_i32_s (i32.add (i32.add (local.get $q) (i32.const 2)) (i32.wrap_i64 (i64.shr_s
    (i64.mul (i64.extend_i32_s (i32.sub (i32.const 0) (local.get $k))) (i64.const 913124641741)) (i64.const 38))))))
  (local.set $low (i32.mul (i32.sub (local.get $k) (i32.const ${K_MIN})) (i32.const 16)))
  (local.set $g1 (i64.load offset=${POWERS_AT} (local.get $low)))
  (local.set $g0 (i64.load offset=${POWERS_AT + 8} (local.get $low)))
  (local.set $c (i64.shl (local.get $c) (i64.const 2)))
  (local.set $vb (call $scaled (local.get $g1) (local.get $g0) (i64.shl (local.get $c) (local.get $h))))
  (local.set $vbl (i64.add (local.get $odd) (call $scaled (local.get $g1) (local.get $g0)
    (i64.shl (i64.sub (local.get $c) (local.get $below)) (local.get $h)))))
  (local.set $vbr (i64.sub (call $scaled (local.get $g1) (local.get $g0)
    (i64.shl (i64.add (local.get $c) (i64.const 2)) (local.get $h))) (local.get $odd)))
  (local.set $s (i64.shr_u (local.get $vb) (i64.const 2)))
  ;; One digit less, if that reads back.
  (local.set $t (i64.div_u (local.get $s) (i64.const 10)))
  (local.set $low (i64.le_u (local.get $vbl) (i64.mul (local.get $t) (i64.const 40))))
  (local.set $high (i64.le_u (i64.add (i64.mul (local.get $t) (i64.const 40)) (i64.const 40)) (local.get $vbr)))
  (if (i32.ne (local.get $low) (local.get $high)) (then
    (return (call $decimal
      (i64.add (local.get $t) (i64.extend_i32_u (local.get $high)))
      (i32.add (local.get $k) (i32.const 1)) (local.get $at)))))
  (local.set $t (i64.add (local.get $s) (i64.const 1)))
  (local.set $low (i64.le_u (local.get $vbl) (i64.shl (local.get $s) (i64.const 2))))
  (local.set $high (i64.le_u (i64.shl (local.get $t) (i64.const 2)) (local.get $vbr)))
  (if (i32.eq (local.get $low) (local.get $high)) (then
    ;; Both do, or neither: the nearer, of two that are as near the even one.
    (local.set $vb (i64.sub (local.get $vb) (i64.shl (i64.add (local.get $s) (local.get $t)) (i64.const 1))))
    (local.set $high (i32.or
      (i64.gt_s (local.get $vb) (i64.const 0))
      (i32.and (i64.eqz (local.get $vb)) (i32.wrap_i64 (i64.and (local.get $s) (i64.const 1))))))))
  (call $decimal (i64.add (local.get $s) (i64.extend_i32_u (local.get $high))) (local.get $k) (local.get $at)))

;; The value of these bits at $at; returns where its text ends, 0 when it is none of those that are written here.
(func $value (param $bits i64) (param $at i32) (result i32)
  (local $exponent i32) (local $c i64) (local $rest i64)
  (if (i64.eqz (local.get $bits)) (then
    (i32.store8 (local.get $at) (i32.const 48))
    (return (i32.add (local.get $at) (i32.const 1)))))
  (local.set $exponent (i32.wrap_i64 (i64.and (i64.shr_u (local.get $bits) (i64.const 52)) (i64.const 0x7ff))))
  (if (i32.or
    (i32.lt_u (local.get $exponent) (i32.const ${1023 - 19}))
    (i32.ge_u (local.get $exponent) (i32.const ${1023 + 50}))) (then (return (i32.const 0))))
  (if (i64.lt_s (local.get $bits) (i64.const 0)) (then
    (i32.store8 (local.get $at) (i32.const 45))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))))
  (local.set $c (i64.or (i64.and (local.get $bits) (i64.const 0xfffffffffffff)) (i64.const 0x10000000000000)))
  ;; Bits behind the point: 3 to 71.
  (local.set $rest (i64.extend_i32_u (i32.sub (i32.const 1075) (local.get $exponent))))
  (if (i64.le_u (local.get $rest) (i64.const 52)) (then
    (if (i64.eqz (i64.and (local.get $c) (i64.sub (i64.shl (i64.const 1) (local.get $rest)) (i64.const 1)))) (then
      (local.set $c (i64.shr_u (local.get $c) (local.get $rest)))
      (local.set $exponent (call $digitsOf (local.get $c)))
      (call $write (local.get $c) (local.get $exponent) (local.get $at))
      (return (i32.add (local.get $at) (local.get $exponent)))))))
  (call $shortest (local.get $c) (i32.sub (local.get $exponent) (i32.const 1075)) (local.get $at)))

;; Points of the steps [from, to) that are floats; a comma before each but the first of all. Returns the step that it could
;; not write, or $to.
(func $points (export "points") (param $from i32) (param $to i32) (param $isFirst i32) (result i32)
  (local $at i32) (local $begin i32) (local $size i32) (local $time i32)
  (local.set $at (i32.const ${TEXT_AT}))
  (block $done
    (loop $next
      (br_if $done (i32.ge_u (local.get $from) (local.get $to)))
      (if (i32.eq (i32.load8_u offset=${PRESENT_AT} (local.get $from)) (i32.const 1)) (then
        (local.set $begin (local.get $at))
        (if (i32.eqz (local.get $isFirst)) (then
          (i32.store8 (local.get $at) (i32.const 44))
          (local.set $at (i32.add (local.get $at) (i32.const 1)))))
        (i32.store8 (local.get $at) (i32.const 91))
        (local.set $time (i32.load offset=${STARTS_AT} (i32.mul (local.get $from) (i32.const 4))))
        (local.set $size (i32.sub
          (i32.load offset=${STARTS_AT + 4} (i32.mul (local.get $from) (i32.const 4))) (local.get $time)))
        (memory.copy (i32.add (local.get $at) (i32.const 1))
          (i32.add (local.get $time) (i32.const ${TIMES_AT})) (local.get $size))
        (local.set $at (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 3)))
        (i32.store16 (i32.sub (local.get $at) (i32.const 2)) (i32.const 0x222c))
        (local.set $at (call $value
          (i64.load offset=${VALUES_AT} (i32.mul (local.get $from) (i32.const 8))) (local.get $at)))
        (if (i32.eqz (local.get $at)) (then
          (local.set $at (local.get $begin))
          (br $done)))
        (i32.store16 (local.get $at) (i32.const 0x5d22))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))
        (local.set $isFirst (i32.const 0))))
      (local.set $from (i32.add (local.get $from) (i32.const 1)))
      (br $next)))
  (i32.store (i32.const ${END_AT}) (local.get $at))
  (local.get $from))
`

/** 10^-k in 126 bits, rounded up, as two words of 63. */
function powersOf(): BigUint64Array {
  const out: bigint[] = []
  for (let k = K_MIN; k <= K_MAX; k++) {
    const power = 10n ** BigInt(-k)
    const shift = 126 - power.toString(2).length
    const g = (shift >= 0 ? power << BigInt(shift) : power >> BigInt(-shift)) + 1n
    out.push(g >> 63n, g & ((1n << 63n) - 1n))
  }
  return BigUint64Array.from(out)
}

type Points = (from: number, to: number, isFirst: number) => number
type Exports = { readonly memory: { readonly buffer: ArrayBuffer }; readonly points: Points }

/** The types of the language's own library do not name it. */
function instantiate(bytes: Uint8Array<ArrayBuffer>): Exports {
  const { WebAssembly } = globalThis as unknown as {
    readonly WebAssembly: {
      readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object
      readonly Instance: new (module: object) => { readonly exports: Exports }
    }
  }
  return new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports
}

/** Of a thread. */
export class PointWriter {
  readonly #points: Points
  readonly #bytes: Uint8Array<ArrayBuffer>
  readonly #starts: Uint32Array<ArrayBuffer>
  readonly #present: Uint8Array<ArrayBuffer>
  readonly #values: Float64Array<ArrayBuffer>
  readonly #end: Uint32Array<ArrayBuffer>
  /** Those that are in the memory. */
  #times: StepTimes | null = null
  #timesFrom = 0
  #base = 0
  #until = 0

  constructor() {
    const { memory, points } = instantiate(assemble(SOURCE))
    const { buffer } = memory
    this.#points = points
    this.#bytes = new Uint8Array(buffer)
    this.#starts = new Uint32Array(buffer, STARTS_AT, STEPS + 1)
    this.#present = new Uint8Array(buffer, PRESENT_AT, STEPS)
    this.#values = new Float64Array(buffer, VALUES_AT, STEPS)
    this.#end = new Uint32Array(buffer, END_AT, 1)
    new BigUint64Array(buffer, POWERS_AT).set(powersOf())
    for (let i = 0; i < 200; i++) this.#bytes[PAIRS_AT + i] = 48 + (i % 2 === 0 ? Math.floor(i / 20) : (i >> 1) % 10)
  }

  /** Steps from `base` on, as many as are written at once. @returns the one behind the last */
  load(times: StepTimes, values: Float64Array, present: Uint8Array, base: number): number {
    this.#base = base
    this.#until = Math.min(base + STEPS, present.length)
    if (this.#times !== times || this.#timesFrom !== base) this.#take(times, base, this.#until)
    this.#values.set(values.subarray(base, this.#until))
    this.#present.set(present.subarray(base, this.#until))
    return this.#until
  }

  /**
   * Points of the floats among the steps that were loaded, from `from` on, as `JsonWriter.stepPoint` writes each.
   * @returns the first step whose value is not for this writer, or the one behind the last; `text` is what was written before it
   */
  write(from: number, isFirst: boolean): number {
    return this.#base + this.#points(from - this.#base, this.#until - this.#base, isFirst ? 1 : 0)
  }

  /** Borrowed until the next call. */
  get text(): Uint8Array {
    return this.#bytes.subarray(TEXT_AT, this.#end[0])
  }

  #take(times: StepTimes, base: number, end: number): void {
    const { bytes, starts } = times
    const first = starts[base]!
    for (let i = base; i <= end; i++) this.#starts[i - base] = starts[i]! - first
    this.#bytes.set(bytes.subarray(first, starts[end]!), TIMES_AT)
    this.#times = times
    this.#timesFrom = base
  }
}
