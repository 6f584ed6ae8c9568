import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LatestQueues } from './latest-queues.ts'

test('one task of a key at a time, of those that wait the last, and other keys at once', async () => {
  const queues = new LatestQueues<string>()
  const began: string[] = []
  const ends = new Map<string, PromiseWithResolvers<string>>()
  const run = (key: string, name: string): Promise<string | null> =>
    queues.run(key, (hasWaited) => {
      began.push(hasWaited ? `${name} after another` : name)
      ends.set(name, Promise.withResolvers())
      return ends.get(name)!.promise
    })
  const settle = () => new Promise((resolve) => setImmediate(resolve))
  const [one, two, three, other] = [run('k', 'one'), run('k', 'two'), run('k', 'three'), run('l', 'other')]
  await settle()
  assert.deepEqual(began, ['one', 'other'])
  ends.get('one')!.resolve('done')
  await settle()
  assert.deepEqual(await Promise.all([one, two]), ['done', null])
  assert.deepEqual(began, ['one', 'other', 'three after another'])
  const four = run('k', 'four')
  ends.get('three')!.reject(new Error('broken'))
  await assert.rejects(three, /broken/)
  await settle()
  assert.deepEqual(began.slice(3), ['four after another'])
  for (const name of ['four', 'other']) ends.get(name)!.resolve('done')
  assert.deepEqual(await Promise.all([four, other]), ['done', 'done'])
  const five = run('k', 'five')
  assert.deepEqual(began.slice(4), ['five'])
  ends.get('five')!.resolve('done')
  assert.equal(await five, 'done')
})
