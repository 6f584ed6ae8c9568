import assert from 'node:assert/strict'
import { test } from 'node:test'
import { freeBytes } from './net-free-bytes.ts'

test('bytes with a buffer of their own are freed at once, a part of a larger one is not', () => {
  const own = new Uint8Array(65_536)
  freeBytes(own)
  assert.equal(own.length, 0)
  const whole = new Uint8Array(65_536)
  freeBytes(whole.subarray(0, 60_000))
  freeBytes(whole.subarray(5000))
  assert.equal(whole.length, 65_536)
  const shared = new Uint8Array(new SharedArrayBuffer(65_536))
  freeBytes(shared)
  assert.equal(shared.length, 65_536)
  freeBytes(new Uint8Array(0))
})
