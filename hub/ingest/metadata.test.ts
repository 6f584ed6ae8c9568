import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import { keepMetadata } from './local.ts'

const rows: readonly [name: string, metadata: Partial<Metadata>, family: string][] = [
  ['rings_total', { type: 'counter' }, 'rings_total'],
  ['rings_total', { type: 'counter', family: 'rings' }, 'rings'],
  ['wait_bucket', { type: 'histogram' }, 'wait'],
  ['wait_bucket', { type: 'gauge' }, 'wait_bucket'],
  ['queue_gcount', { type: 'gaugehistogram' }, 'queue'],
  ['rpc_sum', { type: 'summary' }, 'rpc'],
  ['gates', { type: 'gauge', family: 'doors' }, 'doors'],
]
for (const [name, metadata, family] of rows)
  test(`metadata of ${name}, ${JSON.stringify(metadata)}, are kept as of ${family}`, () => {
    const kept: string[] = []
    const all: Metadata = { type: 'unknown', help: '', unit: '', ...metadata }
    keepMetadata({ setMetadata: (each) => void kept.push(each) }, labelsFrom({ __name__: name }), all)
    assert.deepEqual(kept, [family])
  })
