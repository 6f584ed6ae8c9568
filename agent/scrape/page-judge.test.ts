import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { ScrapeCounters } from './counters.ts'
import { PageJudge } from './page-judge.ts'
import { ScrapeRecorder } from './recorder.ts'
import { sampleLineCount } from './sample-limit.ts'
import { httpSource, type ScrapeTargetInput, withTargetDefaults } from './target.ts'
import { MemorySink } from './testing/memory-sink.ts'

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
    // Twice the limit of 100: lines that repeat a series are no samples of it.
    assert.ok(refusedAt >= 0 && refusedAt <= bytes / 4, `refused at ${refusedAt}`)
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

/** What a scrape reports of the page: its error, and samples, those kept, bytes. */
function recorded(body: Uint8Array, contentType: string, config: ReturnType<typeof configOf>, judge?: PageJudge) {
  const sink = new MemorySink()
  const recorder = new ScrapeRecorder('t', { ...config, extraScrapeMetrics: true }, sink, new ScrapeCounters())
  const verdict = judge?.verdict() ?? null
  const page = { body: verdict === null ? body : new Uint8Array(0), contentType, ...(verdict !== null && { verdict }) }
  const { error } = recorder.record({ slotMs: 0, timestampMs: 0, nowMs: 0, durationMs: 0 }, page, null)
  const report = (name: string) => sink.report(sink.scrapes[0], name)
  const counts = ['scrape_samples_scraped', 'scrape_samples_post_metric_relabeling', 'scrape_body_size_bytes']
  return { error, up: report('up'), counts: counts.map(report), rows: sink.rows(sink.scrapes[0]) }
}

test('random pages in random pieces: judged, counted or read line by line, a scrape says the same', () => {
  const OPENMETRICS = 'application/openmetrics-text; version=1.0.0'
  let seed = 1
  // The low bits of such a number hardly vary.
  const below = (bound: number): number => ((seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff) >> 12) % bound
  const oneOf = <T>(items: readonly T[]): T => items[below(items.length)]!
  const refusals = { limit: 0, long: 0, none: 0 }
  for (let round = 0; round < 500; round++) {
    const isText = below(3) > 0
    const contentType = isText ? TEXT : OPENMETRICS
    const values = [
      '',
      'é😀',
      '\\n',
      '\\"',
      '\\\\',
      '#',
      '{}',
      ' ',
      '\r',
      ...(isText ? ['\n', '\n#\n', '\n\n y 1\n'] : []),
    ]
    const sample = (n: number): string => {
      const labels = Array.from({ length: below(3) }, (_, i) => `l${i}="${oneOf(values)}${oneOf(values)}"`)
      const long = below(500) === 0 ? [`z="${'y'.repeat(oneOf([261_000, 263_000]))}"`] : []
      const name = oneOf([
        `m${n}{${[...labels, ...long]}}`,
        `{"m ${n}"${[...labels, ...long].map((l) => `,${l}`).join('')}}`,
      ])
      return isText
        ? `${oneOf(['', ' ', '\t'])}${name} ${oneOf(['1', '2 1000', 'NaN '])}\n`
        : `${name} ${oneOf(['1', '2 1'])}\n`
    }
    const between = isText ? ['', '\n', ' \n', '# x "\n', '#\n', '# HELP x a "b\n'] : ['', '# HELP x a "b\n']
    const count = below(40)
    let text = ''
    const twins = oneOf([1, 1, 2, 5])
    for (let n = 0; n < count; n++) text += oneOf(between) + sample(Math.floor(n / twins))
    text += isText ? oneOf(['', 'last 1', '# no newline']) : '# EOF\n'
    const body = new TextEncoder().encode(text)
    // The lines' number decides nothing where rules may drop any: they are all read.
    const config = configOf({ limits: { samples: 1 + below(40) } })
    const exact = recorded(body, contentType, { ...config, metricRelabel: (labels) => labels })
    const counted = recorded(body, contentType, config)
    const isFull = sampleLineCount(body) > 2 * config.limits.samples
    const judge = new PageJudge(config, contentType)
    for (let at = 0; at < body.length; ) {
      const bytes = 1 + below(oneOf([3, 50, 100_000]))
      judge.take(body.subarray(at, at + bytes))
      at += bytes
    }
    const judgedToo = recorded(body, contentType, config, judge)
    if (isFull && exact.error === '') assert.equal(judgedToo.error, 'sample limit exceeded')
    for (const each of isFull && exact.error === '' ? [counted] : [counted, judgedToo]) {
      // With a line that is too long among too many, either is told.
      if (body.length > 262_144) assert.equal(each.up, exact.up)
      else assert.deepEqual(each, exact, text.slice(0, 2000))
    }
    refusals[exact.error === '' ? 'none' : exact.error.startsWith('a line') ? 'long' : 'limit']++
  }
  for (const [what, pages] of Object.entries(refusals)) assert.ok(pages > 0, `no page was of the kind ${what}`)
})
