import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelChanges } from './relabel.ts'

test('labelChanges() puts what relabelling did before what it left', () => {
  const before = { __address__: 'a:1', env: 'prod', job: 'node', zone: 'x' }
  const after = { env: 'prod', instance: 'a:1', job: 'hosts' }
  assert.deepEqual(
    labelChanges(before, after).map(({ name, before: old, after: now, kind }) => [name, old, now, kind]),
    [
      ['job', 'node', 'hosts', 'changed'],
      ['instance', null, 'a:1', 'added'],
      ['zone', 'x', null, 'removed'],
      ['env', 'prod', 'prod', 'kept'],
      ['__address__', 'a:1', null, 'internal'],
    ],
  )
})
