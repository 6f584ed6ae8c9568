import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Logger } from '../../protocol/env/mod.ts'
import { OverwriteNotice, TELL_EVERY_MS } from './overwrite-notice.ts'

test('the first is told at once, the rest in one line a minute, and nothing is told twice', () => {
  const told: unknown[] = []
  const log: Logger = {
    debug() {},
    info() {},
    warn: (_text, fields) => void told.push(fields),
    error() {},
    with: () => log,
  }
  const notice = new OverwriteNotice(log)
  const one = { batches: 1, samples: 10, sizeBytes: 100, minTimeMs: 5, maxTimeMs: 9 }
  notice.add(one, 0)
  notice.add({ ...one, minTimeMs: 7, maxTimeMs: 30 }, 1000)
  notice.add({ batches: 1, samples: 0, sizeBytes: 50, minTimeMs: 0, maxTimeMs: 0 }, 2000)
  assert.deepEqual(told, [one])
  notice.tell(TELL_EVERY_MS)
  notice.tell(3 * TELL_EVERY_MS)
  assert.deepEqual(told.slice(1), [{ batches: 2, samples: 10, sizeBytes: 150, minTimeMs: 7, maxTimeMs: 30 }])
})
