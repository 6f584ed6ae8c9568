import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Gate } from './gate.ts'

const stays = (): AbortSignal => new AbortController().signal

test('so many are inside, the next waits for its turn', async () => {
  const gate = new Gate(2)
  const [first, second] = [await gate.enter(stays()), await gate.enter(stays())]
  const order: string[] = []
  const enter = async (name: string): Promise<(() => void) | null> => {
    const leave = await gate.enter(stays())
    order.push(name)
    return leave
  }
  const [third, fourth] = [enter('third'), enter('fourth')]
  await Promise.resolve()
  assert.deepEqual([order, gate.count], [[], 4])
  second!()
  second!()
  ;(await third)!()
  await fourth
  assert.deepEqual([order, gate.count], [['third', 'fourth'], 2])
  first!()
  ;(await fourth)!()
  assert.equal(gate.count, 0)
})

test('who goes away while it waits does not wait any longer', async () => {
  const gate = new Gate(1)
  const leave = await gate.enter(stays())
  const client = new AbortController()
  const waiting = gate.enter(client.signal)
  const behind = gate.enter(stays())
  assert.equal(gate.count, 3)
  client.abort()
  assert.equal(gate.count, 2)
  assert.equal(await waiting, null)
  leave!()
  assert.notEqual(await behind, null)
  assert.equal(gate.count, 1)
})

test('who goes away gives its place to the next, once', async () => {
  const gate = new Gate(1)
  const client = new AbortController()
  const leave = await gate.enter(client.signal)
  const next = gate.enter(stays())
  client.abort()
  assert.notEqual(await next, null)
  assert.equal(gate.count, 1)
  leave!()
  assert.equal(gate.count, 1)
})

test('who goes away in its turn gives it on', async () => {
  const gate = new Gate(1)
  const leave = await gate.enter(stays())
  const client = new AbortController()
  const waiting = gate.enter(client.signal)
  leave!()
  client.abort()
  assert.equal(await waiting, null)
  assert.equal(gate.count, 0)
})

test('those beyond the queue, and those who have gone, are not let in', async () => {
  const gate = new Gate(1)
  await gate.enter(stays())
  const client = new AbortController()
  client.abort()
  assert.equal(await gate.enter(client.signal), null)
  for (let i = 0; i < 10; i++) void gate.enter(stays())
  assert.equal(gate.count, 11)
  assert.equal(await gate.enter(stays()), null)
})

test('without a limit all are let in', async () => {
  const gate = new Gate(0)
  const all = await Promise.all(Array.from({ length: 100 }, () => gate.enter(stays())))
  assert.equal(gate.count, 100)
  for (const leave of all) leave!()
  assert.equal(gate.count, 0)
})
