import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../agent/env/mod.ts'
import type { LogFields, Logger } from '../../protocol/env/mod.ts'
import { ActiveQueries } from './active-queries.ts'

test('queries that were running at the end are named at the next start, once', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-active-'))
  try {
    const file = path.join(folder, 'queries.active')
    const warned: LogFields[] = []
    const log = { warn: (_: string, fields?: LogFields) => void warned.push(fields ?? {}) } as Logger
    const open = () => new ActiveQueries(file, { disk: nodeDisk, log, slots: 3 })
    const first = open()
    const slots = ['up', `sum(${'é'.repeat(2000)})`, 'count(x)'].map((query) => first.begin(query))
    assert.equal(first.begin('one too many'), -1)
    first.end(slots[0]!)
    first.end(-1)
    first.end(first.begin('another'))
    // No close: the process is gone.
    const second = open()
    assert.equal(warned.length, 1)
    const left = warned[0]!['queries'] as string[]
    assert.deepEqual(
      left.map((query) => query.slice(0, 8)),
      ['sum(éééé', 'count(x)'],
    )
    assert.ok(Buffer.byteLength(left[0]!) <= 1024)
    second.close()
    open().close()
    assert.equal(warned.length, 1)
    first.close()
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})
