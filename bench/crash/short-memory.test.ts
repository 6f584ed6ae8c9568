/**
 * A hub whose memory runs short in the middle of a block's range: it cuts early, goes on accepting after seconds rather
 * than when the range has ended, and has all that it acknowledged, also when it is killed and started again.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress, type WriteSeries } from '../../protocol/remote-write/mod.ts'
import { metricsOf, seeded } from '../e2e/bad-day/kit.ts'
import { type Hub, queryValue, sleep, until, withWorld } from '../e2e/world.ts'

const HOUR_MS = 3_600_000
/** Of a length of which an early cut leaves the last half hour in the head. */
const BLOCK_MS = 24 * HOUR_MS
const SPAN_MS = 3 * HOUR_MS
const STEP_MS = 5000
const SERIES = 1000
const STEPS_PER_REQUEST = 20
/** A cut of 6 MB, on a machine that others use. */
const STALL_MS_MAX = 60_000

const LABELS = Array.from({ length: SERIES }, (_, i) => labelsFrom({ __name__: 'm', i: String(i) }))

test('a hub that is short of memory in an open window cuts it early, goes on accepting, and loses nothing', (t) =>
  withWorld(async (world) => {
    const hub = await world.startHub({
      config: 'scrape_configs: []',
      flags: [
        '--web.enable-remote-write-receiver',
        '--storage.tsdb.head-max-size=6MB',
        `--storage.tsdb.min-block-duration=${BLOCK_MS}ms`,
      ],
    })
    const random = seeded(7)
    const startMs = Date.now() - SPAN_MS
    const sent = { count: 0, sum: 0, longestStallMs: 0, refused: 0 }
    for (let from = 0; from < SPAN_MS / STEP_MS; from += STEPS_PER_REQUEST) {
      const timestamps = Array.from({ length: STEPS_PER_REQUEST }, (_, i) => startMs + (from + i) * STEP_MS)
      const series = LABELS.map((labels): WriteSeries => {
        // Nothing that a codec could make small.
        const values = Float64Array.from(timestamps, () => random())
        for (const value of values) sent.sum += value
        return { labels, timestamps, values }
      })
      sent.count += SERIES * STEPS_PER_REQUEST
      const { stallMs, refused } = await send(hub, snappyCompress(encodeWriteRequest(series)))
      sent.longestStallMs = Math.max(sent.longestStallMs, stallMs)
      sent.refused += refused
    }
    const metrics = await metricsOf(hub)
    const early = metrics.get('heliograph_head_early_cuts_total')!
    t.diagnostic(
      `${sent.count} samples, ${early} early cuts, longest wait ${Math.round(sent.longestStallMs)} ms, ${sent.refused} refused`,
    )
    if (Math.floor(startMs / BLOCK_MS) === Math.floor(Date.now() / BLOCK_MS)) assert.ok(early > 1)
    assert.equal(metrics.get('heliograph_head_limit_bytes'), 6 * 2 ** 20)
    const checked = async (): Promise<void> => {
      assert.equal(await queryValue(hub, 'sum(count_over_time(m[4h]))'), sent.count)
      const sum = (await queryValue(hub, 'sum(sum_over_time(m[4h]))'))!
      assert.ok(Math.abs(sum - sent.sum) < 1e-9 * sent.sum, `${sum}, not ${sent.sum}`)
    }
    await checked()
    await hub.kill()
    await hub.restart()
    await checked()
  }))

/** Until it is taken. */
async function send(hub: Hub, body: Uint8Array): Promise<{ readonly stallMs: number; readonly refused: number }> {
  const began = performance.now()
  let refused = 0
  await until(
    'the write is taken',
    async () => {
      const response = await fetch(`${hub.url}/api/v1/write`, {
        method: 'POST',
        headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
        body: body as Uint8Array<ArrayBuffer>,
      })
      const text = await response.text()
      if (response.status === 204) return true
      assert.equal(response.status, 503, text)
      refused++
      await sleep(100)
      return false
    },
    { timeoutMs: STALL_MS_MAX },
  )
  return { stallMs: performance.now() - began, refused }
}
