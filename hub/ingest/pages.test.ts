/** What the main thread knows of the head's pages: all of them, at any time, or queries could not follow the head. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { createHead, type Head, headRestorer } from '../tsdb/mod.ts'
import type { FromIngest, ToIngest } from './messages.ts'
import { NOW, World } from './testing/world.ts'
import { runIngestWorker } from './worker.ts'
import { REMOTE_WRITE_1 } from './write-answer.ts'

const SERIES = 500
const PAGES = 3

test('a new page is announced with the message that made it, not with the next commit', async () => {
  const world = new World(5)
  let head: Head | null = null
  world.options = { heads: { create: () => (head = createHead()), restore: () => headRestorer({}) } }
  const posted: FromIngest[] = []
  let ask: (message: ToIngest) => void = () => {}
  // Nothing is committed for want of time.
  const options = { ...world.engineOptions(), groupCommitMs: 1e9 }
  const ended = runIngestWorker(
    { post: (message) => void posted.push(message), onMessage: (fn) => (ask = fn) },
    options,
  )
  while (posted.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const pages = (): number => head!.share().pages.length
  let known = 0
  for (let id = 1; pages() < PAGES; id++) {
    const series = Array.from({ length: SERIES }, (_, i) => ({
      labels: labelsFrom({ __name__: 'm', i: `${id}-${i}-${'x'.repeat(200)}` }),
      timestamps: [NOW],
      values: Float64Array.of(i),
    }))
    const body = new Uint8Array(snappyCompress(encodeWriteRequest(series)))
    ask({ kind: 'remote-write', id, write: REMOTE_WRITE_1, body })
    for (const message of posted.splice(0))
      if (message.kind === 'ready' || message.kind === 'share') known = message.share.pages.length
    assert.equal(known, pages(), `after ${id} writes`)
  }
  ask({ kind: 'close', id: 1e6 })
  await ended
})
