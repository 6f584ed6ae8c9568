/** The contract of `KvBucket`, as cases for any implementation. */
import assert from 'node:assert/strict'
import type { KvBucket, KvEntry, KvListener } from '../kv.ts'

/** What a watcher was told: `key=value`, `key` alone where it was deleted, `synced`, `away`. */
export class Told implements KvListener {
  readonly all: string[] = []
  onEntry({ key, value }: KvEntry): void {
    this.all.push(value === null ? key : `${key}=${value}`)
  }
  onSynced(): void {
    this.all.push('synced')
  }
  onAway(): void {
    this.all.push('away')
  }
}

export type KvCase = {
  readonly name: string
  run(a: KvBucket, b: KvBucket, until: (condition: () => boolean) => Promise<void>): Promise<void>
}

export const KV_CASES: readonly KvCase[] = [
  {
    name: 'an entry is put where there is none, once',
    async run(a, b) {
      const first = await a.put('x.1', 'one', 0)
      assert.ok(first !== null && first > 0)
      assert.equal(await b.put('x.1', 'two', 0), null)
      assert.deepEqual(await b.get('x.1'), { key: 'x.1', value: 'one', revision: first })
      assert.equal(await b.get('x.2'), null)
    },
  },
  {
    name: 'an entry is replaced by whoever knows its revision',
    async run(a, b) {
      const first = (await a.put('x.1', 'one', 0))!
      const second = (await b.put('x.1', 'two', first))!
      assert.ok(second > first)
      assert.equal(await a.put('x.1', 'three', first), null)
      assert.equal((await a.get('x.1'))!.value, 'two')
    },
  },
  {
    name: 'revisions count the changes of the bucket, and those of one key decide about it',
    async run(a, b) {
      const first = (await a.put('x.1', 'one', 0))!
      const other = (await b.put('x.2', 'other', 0))!
      assert.ok(other > first)
      assert.ok((await a.put('x.1', 'two', first))! > other)
    },
  },
  {
    name: 'what was deleted is not there, and can be put anew',
    async run(a, b) {
      const first = (await a.put('x.1', 'one', 0))!
      assert.equal(await b.delete('x.1', first + 1000), false)
      assert.equal(await b.delete('x.1', first), true)
      assert.equal(await a.get('x.1'), null)
      assert.equal(await a.put('x.1', 'stale', first), null)
      const again = (await a.put('x.1', 'again', 0))!
      assert.ok(again > first)
      assert.equal((await b.get('x.1'))!.value, 'again')
    },
  },
  {
    name: 'of many who put at once one succeeds',
    async run(a, b) {
      const puts = Array.from({ length: 20 }, (_, i) => (i % 2 ? a : b).put('x.1', String(i), 0))
      assert.equal((await Promise.all(puts)).filter((revision) => revision !== null).length, 1)
    },
  },
  {
    name: 'a watch tells what is there, then what changes, of its prefix alone',
    async run(a, b, until) {
      const first = (await a.put('x.1', 'one', 0))!
      await a.put('y.1', 'elsewhere', 0)
      const told = new Told()
      const watch = b.watch('x', told)
      await until(() => told.all.includes('synced'))
      assert.deepEqual(told.all, ['x.1=one', 'synced'])
      const second = (await a.put('x.1', 'two', first))!
      await b.put('x.a-b_c=', 'own', 0)
      await a.put('y.2', 'elsewhere', 0)
      await a.delete('x.1', second)
      await until(() => told.all.length >= 5)
      assert.deepEqual(told.all.slice(2), ['x.1=two', 'x.a-b_c==own', 'x.1'])
      watch.stop()
      await a.put('x.3', 'unseen', 0)
      await b.get('x.3')
      assert.equal(told.all.length, 5)
    },
  },
  {
    name: 'a watch of nothing is in step at once',
    async run(a, _b, until) {
      const told = new Told()
      const watch = a.watch('z', told)
      await until(() => told.all.length > 0)
      watch.stop()
      assert.deepEqual(told.all, ['synced'])
    },
  },
  {
    name: 'entries hold any text',
    async run(a, b) {
      const text = `ü\0"${'x'.repeat(100_000)}`
      const revision = (await a.put('x.1', text, 0))!
      assert.deepEqual(await b.get('x.1'), { key: 'x.1', value: text, revision })
    },
  },
]
