import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodePresence, encodePresence, presenceSubject } from './mod.ts'

const presence = {
  agent: 'web-1',
  site: 'lab',
  version: '1.0',
  address: 'web-1:9100',
  exporters: ['node'],
  startedMs: 5,
}
const subject = presenceSubject('web-1')
const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

test('what is announced is read as it was', () => {
  assert.deepEqual(decodePresence(subject, encodePresence(presence)), presence)
})

for (const [name, payload] of [
  ['another agent', bytes({ ...presence, agent: 'web-2' })],
  ['no object', bytes(7)],
  ['null', bytes(null)],
  ['a number for a text', bytes({ ...presence, site: 7 })],
  ['exporters that are none', bytes({ ...presence, exporters: [7] })],
  ['a long text', bytes({ ...presence, version: 'x'.repeat(300) })],
  ['too many bytes', new Uint8Array(10_000)],
] as const)
  test(`refuses ${name}`, () => assert.equal(decodePresence(subject, payload), null))

test('any bytes are read or refused', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (payload) => void decodePresence(subject, payload)))
})
