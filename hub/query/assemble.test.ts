import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assemble } from './assemble.ts'

type Wasm = {
  readonly validate: (bytes: Uint8Array) => boolean
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: Record<string, (...args: never[]) => unknown> }
}
const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: Wasm }
const run = (text: string) => new wasm.Instance(new wasm.Module(assemble(text))).exports

test('functions compute, call each other, loop and branch', () => {
  const { factorial, sign, twice } = run(`
    ;; A comment (with brackets.
    (func $twice (export "twice") (param $n i32) (result i32) (i32.add (local.get $n) (local.get $n)))
    (func $factorial (export "factorial") (param $n i64) (result i64)
      (local $out i64)
      (local.set $out (i64.const 1))
      (block $done
        (loop $next
          (br_if $done (i64.le_s (local.get $n) (i64.const 1)))
          (local.set $out (i64.mul (local.get $out) (local.get $n)))
          (local.set $n (i64.sub (local.get $n) (i64.const 1)))
          (br $next)))
      (local.get $out))
    (func $sign (export "sign") (param $n i32) (result i32)
      (local $out i32)
      (if (i32.lt_s (local.get $n) (i32.const 0))
        (then (local.set $out (i32.const -70)))
        (else (local.set $out (call $twice (i32.const 300)))))
      (local.get $out))`)
  assert.equal(twice!(21 as never), 42)
  assert.equal(factorial!(20n as never), 2432902008176640000n)
  assert.deepEqual([sign!(-1 as never), sign!(1 as never)], [-70, 600])
})

test('memory is read and written, also at an offset', () => {
  const exports = run(`
    (memory (export "memory") 1)
    (func $put (export "put") (param $at i32) (param $value f64)
      (f64.store offset=200 (local.get $at) (local.get $value))
      (i32.store8 (local.get $at) (i32.const 255)))
    (func $copy (export "copy") (memory.copy (i32.const 400) (i32.const 200) (i32.const 16)))`)
  const { buffer } = exports['memory'] as unknown as { readonly buffer: ArrayBuffer }
  exports['put']!(8 as never, -1.5 as never)
  exports['copy']!()
  assert.deepEqual([...new Float64Array(buffer, 400, 2)], [0, -1.5])
  assert.equal(new Uint8Array(buffer)[8], 255)
})

for (const [text, why] of [
  ['(func $f (i32.wat))', /instruction "i32.wat"/],
  ['(func $f (local.get $x))', /"\$x" is not known/],
  ['(func $f (br $out))', /branch to "\$out"/],
  ['(func $f (param $x i33))', /type "i33"/],
  ['(func $f', /not closed/],
  ['(func $f))', /closes what was not opened/],
  ['(table 1)', /field of kind "table"/],
] as const)
  test(`an error tells what is not understood: ${text}`, () => assert.throws(() => assemble(text), why))
