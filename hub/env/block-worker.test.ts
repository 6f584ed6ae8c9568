/** The block thread as a thread: it cuts from memory of which it has not heard in full. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk, threadPool } from '../../agent/env/mod.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  type Asked,
  decodeShared,
  dueCuts,
  type FromBlocks,
  NO_FLOORS,
  openBlock,
  type ToBlocks,
} from '../block/mod.ts'
import { contents } from '../block/testing/samples.ts'
import { createHead, openReader } from '../tsdb/mod.ts'

const SERIES = 3000
const NOTHING: Asked = { tombstones: [], floors: NO_FLOORS, deletes: 0 }

test('a cut waits for pages that are announced late, and keeps what else is asked meanwhile', async () => {
  const head = createHead()
  const refs = new Uint32Array(SERIES).map((_, i) => head.series(labelsFrom({ __name__: 'm', i: String(i) })))
  const values = new Float64Array(SERIES)
  while (head.share().pages.length < 3) {
    const time = 15_000 * (head.stats().samplesAppended / SERIES)
    for (let i = 0; i < SERIES; i++) values[i] = Math.sin(time * (i + 1))
    head.appendColumn(time, refs, values, SERIES)
  }
  head.publish()
  const reader = openReader(head.share())
  const range = { minTime: 0, maxTime: reader.timeRange()!.maxTime + 1 }
  const expected = contents(reader, { minTime: 0, maxTime: range.maxTime - 1 })
  reader.release()

  const directory = mkdtempSync(join(tmpdir(), 'helio-blocks-'))
  const url = new URL('./block-worker.ts', import.meta.url).href
  const worker = threadPool.spawn({ url, name: 'blocks', data: { directory, logLevel: 'error', logFormat: 'logfmt' } })
  try {
    const answers: FromBlocks[] = []
    let heard = (): void => {}
    worker.onMessage((message) => {
      answers.push(message as FromBlocks)
      heard()
    })
    const answer = async (count: number): Promise<FromBlocks> => {
      while (answers.length < count) await new Promise<void>((resolve) => (heard = resolve))
      return answers[count - 1]!
    }
    const post = (message: ToBlocks): void => worker.post(message)
    assert.equal((await answer(1)).kind, 'ready')
    const { control, pages } = head.share()
    const blockMs = 1e12
    const due = dueCuts({ minTime: 0, maxTime: range.maxTime - 1 }, 3e12, 0, blockMs)
    post({ kind: 'cut', id: 1, share: { control, pages: pages.slice(0, 1) }, due, asked: NOTHING })
    const maintain = { kind: 'maintain', nowMs: 0, limits: { timeMs: 0, sizeBytes: 0 }, blockMs: 7_200_000 } as const
    post({ ...maintain, id: 2, asked: NOTHING })
    post({ kind: 'share', share: { control, pages: pages.slice(0, 2) } })
    post({ kind: 'share', share: head.share() })
    const cut = await answer(2)
    assert.ok(cut.kind === 'done' && cut.id === 1, JSON.stringify(cut))
    const next = await answer(3)
    assert.ok(next.kind === 'done' && next.id === 2, JSON.stringify(next))
    const [block] = decodeShared(cut.digest.list)
    const opened = openBlock({ disk: nodeDisk, compressor: runtimeZstd }, join(directory, block!.id))
    assert.deepEqual(contents(opened), expected)
    opened.close()
  } finally {
    await worker.terminate()
    rmSync(directory, { recursive: true })
  }
})
