import assert from 'node:assert/strict'
import { test } from 'node:test'
import { putMail, takeMail } from './mailbox.ts'

test('mail is what was put, bit for bit', () => {
  const mailbox = new SharedArrayBuffer(4096)
  const values = Float64Array.of(-0, Number.NaN, 1.5, Number.NEGATIVE_INFINITY)
  const words = new Uint32Array(values.buffer)
  // A stale marker.
  words[2] = 2
  words[3] = 0x7ff00000
  const message = {
    labels: [['a', '\ud800 ü']],
    state: Uint8Array.of(1, 2, 3),
    values,
    comps: null,
    missing: undefined,
  }
  assert.equal(putMail(mailbox, message), true)
  const taken = takeMail(mailbox) as typeof message
  assert.deepEqual(taken, message)
  assert.deepEqual(new Uint32Array(taken.values.slice().buffer), words)
  assert.equal(putMail(mailbox, 'next'), true)
  assert.equal(takeMail(mailbox), 'next')
})

test('what is larger than the mailbox is not left there', () => {
  assert.equal(putMail(new SharedArrayBuffer(100), new Uint8Array(100)), false)
})
