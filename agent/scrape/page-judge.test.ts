import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { PageJudge } from './page-judge.ts'
import { sampleLineCount } from './sample-limit.ts'
import { httpSource, type ScrapeTargetInput, withTargetDefaults } from './target.ts'

const TEXT = 'text/plain; version=0.0.4'
const configOf = (more: Partial<ScrapeTargetInput> = {}) =>
  withTargetDefaults({
    job: 'j',
    source: httpSource({ address: '127.0.0.1:1', scheme: 'http', path: '/metrics' }),
    labels: labelsFrom({ job: 'j' }),
    discoveredLabels: labelsFrom({}),
    intervalMs: 1000,
    timeoutMs: 1000,
    limits: { samples: 100 },
    ...more,
  })

/** What it says of the page in pieces of so many bytes, and at which byte it had enough. */
function judged(page: string, pieceBytes: number, config = configOf(), contentType = TEXT) {
  const bytes = new TextEncoder().encode(page)
  const judge = new PageJudge(config, contentType)
  let refusedAt = -1
  for (let at = 0; at < bytes.length; at += pieceBytes)
    if (!judge.take(bytes.subarray(at, at + pieceBytes)) && refusedAt < 0) refusedAt = at
  return { verdict: judge.verdict(), refusedAt, lines: sampleLineCount(bytes), bytes: bytes.length }
}

const lines = (count: number): string => '# HELP x y\n\n  x{a="b"} 1\r\n'.repeat(count)

for (const pieceBytes of [1, 7, 1000, 100_000]) {
  test(`a page over its sample limit is refused before its end, and counted to its end (by ${pieceBytes})`, () => {
    const { verdict, refusedAt, bytes } = judged(lines(1000), pieceBytes)
    assert.ok(refusedAt >= 0 && refusedAt <= bytes / 9, `refused at ${refusedAt}`)
    assert.deepEqual(verdict, { error: 'sample limit exceeded', isOverSampleLimit: true, lines: 1000, bytes })
  })

  test(`a page within its limits is not refused (by ${pieceBytes})`, () => {
    const { verdict, refusedAt, lines: counted } = judged(`${lines(99)}x 1`, pieceBytes)
    assert.equal(counted, 100)
    assert.equal(refusedAt, -1)
    assert.equal(verdict, null)
  })

  test(`a line that is too long is told with its length, wherever it ends (by ${pieceBytes})`, () => {
    const long = `x{a="${'y'.repeat(299_993)}"} 1`
    for (const rest of ['', '\nx 1\n', `\n${lines(10)}`]) {
      const { verdict, refusedAt } = judged(`${lines(2)}${long}${rest}`, pieceBytes)
      assert.ok(refusedAt >= 0)
      assert.equal(verdict!.error, 'a line of 300002 bytes is longer than 262144 bytes')
      assert.equal(verdict!.lines, 2)
      assert.equal(verdict!.isOverSampleLimit, false)
    }
    assert.equal(judged(`# ${'y'.repeat(300_000)}\nx 1\n`, pieceBytes).verdict, null)
  })
}

test('the count refuses no page where rules or a soft limit decide, nor one that is no text', () => {
  const soft = configOf({ limits: { samples: 100, isSoft: true } })
  const relabelled = configOf({ metricRelabel: (labels) => labels })
  for (const config of [soft, relabelled, configOf({ startTimestamps: true })])
    assert.equal(judged(lines(1000), 1000, config).refusedAt, -1)
  const protobuf = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited'
  assert.equal(judged(lines(1000), 1000, configOf(), protobuf).refusedAt, -1)
  assert.equal(judged(lines(1000), 1000, configOf(), '').refusedAt, -1)
})
