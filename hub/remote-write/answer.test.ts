import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judge, retryAfterMs } from './answer.ts'

const SENT = { samples: 10, histograms: 2, exemplars: 1 }
const NOW = Date.parse('2026-12-01T00:00:00Z')
const written = (samples: number, histograms = 2, exemplars = 1) => ({
  'x-prometheus-remote-write-samples-written': String(samples),
  'x-prometheus-remote-write-histograms-written': String(histograms),
  'x-prometheus-remote-write-exemplars-written': String(exemplars),
})
type Row = readonly [
  name: string,
  status: number,
  headers: Readonly<Record<string, string>>,
  isVersion2: boolean,
  kind: string,
  refused?: number | null,
]

const rows: readonly Row[] = [
  ['204 of 1.0 is taken', 204, {}, false, 'taken', null],
  ['200 of 2.0 that says all is written', 200, written(10), true, 'taken', null],
  ['200 of 2.0 that says less', 200, written(7), true, 'taken', 3],
  ['200 of 2.0 that says nothing: the receiver knows 1.0 alone', 200, {}, true, 'failed', 10],
  ['400 is not sent again', 400, {}, false, 'failed', 10],
  ['400 of 2.0 with a part written', 400, written(9), true, 'failed', 1],
  ['415 is not sent again', 415, {}, true, 'failed', 10],
  ['500 is sent again', 500, {}, false, 'retry'],
  ['503 is sent again', 503, {}, true, 'retry'],
  ['429 is sent again', 429, {}, false, 'retry'],
  ['a redirect that is not followed is not sent again', 302, {}, false, 'failed', 10],
]
for (const [name, status, headers, isVersion2, kind, refused] of rows)
  test(`judge(): ${name}`, () => {
    const verdict = judge({ status, headers, body: new TextEncoder().encode('why\nnot') }, SENT, {
      isVersion2,
      retryOn429: true,
      nowMs: NOW,
    })
    assert.equal(verdict.kind, kind)
    if (verdict.kind !== 'retry') assert.equal(verdict.refused?.samples ?? null, refused ?? null)
    if (status >= 300) assert.equal(verdict.why, `server returned HTTP status ${status}: why`)
  })

test('judge(): 429 is not sent again where the configuration says so', () => {
  const options = { isVersion2: false, retryOn429: false, nowMs: NOW }
  assert.equal(judge({ status: 429, headers: {}, body: new Uint8Array(0) }, SENT, options).kind, 'failed')
})

test('retryAfterMs() reads seconds and times, and no more than an hour', () => {
  assert.equal(retryAfterMs('7', NOW), 7000)
  assert.equal(retryAfterMs('Tue, 01 Dec 2026 00:00:30 GMT', NOW), 30_000)
  assert.equal(retryAfterMs('Tue, 01 Dec 2025 00:00:30 GMT', NOW), 0)
  assert.equal(retryAfterMs('soon', NOW), 0)
  assert.equal(retryAfterMs(undefined, NOW), 0)
  assert.equal(retryAfterMs('999999', NOW), 3_600_000)
})
