/** The thread, the disk and the head as they are in production. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { systemClock, threadPool } from '../../agent/env/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createSampleBuffer, openReader, type ReaderShare } from '../tsdb/mod.ts'
import { memoryLogger } from '../wal/testing/mod.ts'
import { createIngest, type Ingest } from './mod.ts'
import { NOW, World } from './testing/world.ts'

const ALL = { minTime: -8e15, maxTime: 8e15 }

function dump(share: ReaderShare): string[] {
  const reader = openReader(share)
  const buffer = createSampleBuffer()
  try {
    return [...reader.select([], ALL)]
      .map((ref) => {
        reader.read(ref, ALL, buffer)
        const n = buffer.count
        return `${reader.labels(ref)} ${buffer.times.slice(0, n)} ${buffer.values.slice(0, n)} ${buffer.flags.slice(0, n)}`
      })
      .sort()
  } finally {
    reader.release()
  }
}

type Opened = { readonly world: World; readonly open: () => Promise<Ingest> }

/** A directory and threads on it, one after the other; the last one is closed whatever happens. */
async function withDirectory(seed: number, run: (opened: Opened) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'helio-ingest-'))
  const world = new World(seed)
  const env = { clock: systemClock, pool: threadPool, log: memoryLogger() } as unknown as Env
  let running: Ingest | null = null
  const open = async (): Promise<Ingest> => {
    running = await createIngest(env, {
      directory,
      hub: 'hub-1',
      logLevel: 'error',
      logFormat: 'logfmt',
      reserveBytes: 0,
      limits: { maxFutureMs: Number.POSITIVE_INFINITY },
    })
    running.setAgents(world.agents)
    return running
  }
  try {
    await run({ world, open })
  } finally {
    // A thread that is left behind would keep the test run from ending.
    await (running as Ingest | null)?.close()
    rmSync(directory, { recursive: true, force: true })
  }
}

test('what a thread of its own stored is there after its death, from segments and from a checkpoint', () =>
  withDirectory(1, async ({ world, open }) => {
    const agent = world.agent('web-1')
    let ingest = await open()
    let before: string[] = []
    for (let life = 0; life < 3; life++) {
      assert.deepEqual(dump(ingest.share()), before)
      const acks = await Promise.all(
        Array.from({ length: 10 }, () => ingest.submitBatch(agent.subject, agent.batch(4).bytes)),
      )
      assert.ok(acks.every((ack) => ack !== null && ack !== 'silent' && ack.kind === 'stored'))
      const sink = ingest.localSink('embedded')
      sink.append({
        target: 't',
        slotMs: NOW + life,
        intervalMs: 1000,
        timestampMs: NOW + life,
        ids: Uint32Array.of(sink.define(labelsFrom({ __name__: 'up', job: 'hub' }), null)),
        values: Float64Array.of(life),
        timestamps: null,
        startTimestamps: null,
        histograms: null,
        exemplars: null,
      })
      assert.equal((await ingest.status()).counters.localScrapes, 1)
      await ingest.appendRuleResults({
        timestampMs: NOW + life,
        labels: [labelsFrom({ __name__: 'rule' })],
        values: Float64Array.of(life),
        histograms: null,
      })
      if (life === 1) await ingest.checkpoint()
      before = dump(ingest.share())
      assert.ok(before.some((row) => row.startsWith('__name__,up,job,hub')))
      await ingest.close()
      ingest = await open()
    }
    assert.deepEqual(dump(ingest.share()), before)
    assert.deepEqual(await ingest.cursor('web-1'), [{ epoch: NOW, sequences: [[0, 29]] }])
    assert.equal((await ingest.status()).counters.replayLost, 0)
    await ingest.close()
  }))

test('checkpoints that are written while batches come in hold every one of them', () =>
  withDirectory(2, async ({ world, open }) => {
    const agents = Array.from({ length: 8 }, (_, i) => world.agent(`web-${i}`))
    let ingest = await open()
    for (let round = 0; round < 3; round++) {
      let isDone = false
      const checkpoints = Promise.all([ingest.checkpoint(), ingest.checkpoint()]).then(() => {
        isDone = true
      })
      let sent = 0
      while (!isDone || sent < 5) {
        const acks = await Promise.all(agents.map((agent) => ingest.submitBatch(agent.subject, agent.batch(3).bytes)))
        assert.ok(acks.every((ack) => ack !== null && ack !== 'silent' && ack.kind === 'stored'))
        sent++
      }
      await checkpoints
      const before = dump(ingest.share())
      const cursors = await Promise.all(agents.map(({ name }) => ingest.cursor(name)))
      assert.equal((await ingest.status()).counters.checkpoints, 2)
      await ingest.close()
      ingest = await open()
      assert.equal(ingest.replay.damages.length, 0)
      assert.notEqual(ingest.replay.checkpoint, null)
      assert.deepEqual(dump(ingest.share()), before)
      assert.deepEqual(await Promise.all(agents.map(({ name }) => ingest.cursor(name))), cursors)
    }
    await ingest.close()
  }))
