import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noSigner, sha256, zstd } from '../../protocol/batch/testing/arbitraries.ts'
import type { Logger } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { setStaleAt } from '../../protocol/samples/mod.ts'
import { MemoryRingFiles, Recorder, RingEngine, RingService, readBatchHead } from '../ring/mod.ts'
import { VirtualClock } from '../scrape/testing/virtual-clock.ts'
import { RingSelector, ringApi } from './mod.ts'

const START_MS = 1_700_000_000_000
const STEP_MS = 15_000
const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }

/** Two lives of an agent: `up` goes on, `old` ends with the first, `late` begins with the second. */
async function filledRing(): Promise<RingService> {
  const clock = new VirtualClock(START_MS)
  const files = new MemoryRingFiles(8_000_000)
  let ring!: RingService
  for (const [life, names] of [
    ['old', 'up'],
    ['up', 'late'],
  ].entries()) {
    ring = new RingService(new RingEngine(files, readBatchHead), clock)
    const recorder = await Recorder.open({
      agent: 'web-1',
      ring,
      clock,
      log,
      signer: noSigner,
      hasher: sha256,
      compressor: zstd,
      onFatal: (error) => assert.fail(error),
    })
    for (let i = 0; i < 8; i++) {
      const at = START_MS + (8 * life + i) * STEP_MS
      const values = Float64Array.from(names, (name) => (name === 'up' ? 8 * life + i : 100 + i))
      if (life === 0 && i === 7) setStaleAt(new Uint32Array(values.buffer), 0)
      recorder.append({
        target: 't',
        slotMs: at,
        intervalMs: STEP_MS,
        timestampMs: at,
        ids: Uint32Array.from(names, (name) => recorder.define(labelsFrom({ __name__: name, job: 'j' }), null)),
        values,
        timestamps: null,
        startTimestamps: null,
        histograms: null,
        exemplars: null,
      })
      const flushed = recorder.flush()
      await clock.advance(STEP_MS)
      await flushed
    }
    if (life === 1) break
    const closed = recorder.close()
    await clock.advance(1000)
    await closed
  }
  return ring
}

const ask = async (ring: RingSelector, text: string) => {
  const { status, body } = await ringApi(ring, new URLSearchParams(text), START_MS + 15 * STEP_MS)
  return { status, ...JSON.parse(body) }
}

test('selectors are answered from batches of all epochs', async () => {
  const ring = new RingSelector(await filledRing(), zstd)
  const seconds = (n: number): number => (START_MS + n * STEP_MS) / 1000

  const now = await ask(ring, 'query={job="j"}')
  assert.deepEqual(
    now.data.result.map(({ metric, value }: never) => [metric['__name__'], value]),
    [
      ['late', [seconds(15), '107']],
      ['up', [seconds(15), '15']],
    ],
  )
  const early = await ask(ring, `query={job="j"}&time=${seconds(6)}`)
  assert.deepEqual(
    early.data.result.map(({ metric }: never) => metric['__name__']),
    ['old', 'up'],
  )
  const ended = await ask(ring, `query=old&time=${seconds(7)}`)
  assert.deepEqual(ended.data.result, [], 'a stale marker ends a series')

  const raw = await ask(ring, 'query=up[1m]')
  assert.equal(raw.data.resultType, 'matrix')
  assert.deepEqual(
    raw.data.result[0].values,
    [12, 13, 14, 15].map((n) => [seconds(n), String(n)]),
  )
  const range = await ask(ring, `query=up&start=${seconds(6)}&end=${seconds(9)}&step=15`)
  assert.deepEqual(
    range.data.result[0].values,
    [6, 7, 8, 9].map((n) => [seconds(n), String(n)]),
  )
})

test('what cannot be answered is an error of the API', async () => {
  const ring = new RingSelector(await filledRing(), zstd)
  for (const [text, status, errorType] of [
    ['query=', 400, 'bad_data'],
    ['query=rate(up[5m])', 400, 'bad_data'],
    ['query=up&time=x', 400, 'bad_data'],
    ['query=up[5m]&start=1&end=2&step=1', 400, 'bad_data'],
    ['query=up&start=1&end=2&step=0', 400, 'bad_data'],
    ['query=up&start=1&end=20000&step=1', 400, 'bad_data'],
  ] as const) {
    const answer = await ask(ring, text)
    assert.deepEqual([answer.status, answer.errorType], ['error', errorType], text)
    assert.equal(typeof answer.error, 'string')
    assert.ok(status === 400)
  }
  const few = new RingSelector(await filledRing(), zstd, 3)
  const answer = await ask(few, 'query=up[1h]')
  assert.equal(answer.errorType, 'execution')
  assert.match(answer.error, /more than 3 samples/)
})
