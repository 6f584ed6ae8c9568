/**
 * Queries that should not be, while samples keep coming in: who hangs up stops costing, too many at once are told so, and
 * a query of death is a typed error. Method: reliability.md R15.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Driver } from './bad-day/driver.ts'
import { approvedSeed, cpuSeconds, metricsOf, percentile, residentBytes, seeded, watchShare } from './bad-day/kit.ts'
import { judgeDriver } from './bad-day/verdicts.ts'
import { api, type Hub, queryValue, samples, sleep, until, withWorld } from './world.ts'

const MAX_CONCURRENCY = 2
/** So many may run or wait, as upstream's wait for their timeout; the others are refused. */
const MAX_WAITING = 400
const TOO_MANY = 6
/** Of a malicious question, asked alone. */
const ANSWER_WITHIN_MS = 10_000
/** Of the hub, while it is asked the worst: what a query may load has a limit of its own. */
const GROWTH_MAX_BYTES = 1 << 30

/** Minutes of work on no data at all: the quantile of three hours of a subquery at each of ten thousand steps. */
const HEAVY = { query: 'quantile_over_time(0.9, vector(time() % 7)[3h:20ms])', step: '1' }

test('questions of death cost the asker, not the samples', (t) =>
  withWorld(async (world) => {
    const hub = await world.prepareHub({
      config: 'scrape_configs: []',
      flags: [`--query.max-concurrency=${MAX_CONCURRENCY}`, '--web.enable-remote-write-receiver'],
    })
    const seed = approvedSeed(hub, 'driver')
    await hub.restart()
    const driver = new Driver({
      agent: 'driver',
      seed,
      busUrl: hub.busUrl,
      random: seeded(1),
      seriesCount: 20,
      journalFile: world.file('driver.journal'),
    })
    world.onClose(() => driver.close())
    driver.start()
    await until('there is something to ask for', async () => (await queryValue(hub, 'count(driver_value)')) === 20)
    await sleep(3000)
    const rssBefore = residentBytes(hub)
    const watch = watchAcks(driver)
    const shareOfAll = ofBoth(hub)

    await t.test('a client that hangs up stops costing within a second', () => hangUp(t, hub))
    await t.test('too many at once are refused with 503 and JSON, and the rest goes on', () => crowd(t, hub))
    for (const [what, params, expected] of WORST) {
      await t.test(what, async () => {
        const [startedMs, shareOf] = [performance.now(), ofBoth(hub)]
        const answer = await api(hub, params.path ?? '/api/v1/query', params.form, 'POST')
        const tookMs = (performance.now() - startedMs) * shareOf()
        assert.ok(tookMs < ANSWER_WITHIN_MS, `it took ${tookMs} ms`)
        assert.notEqual(answer.status, 'not json', `${answer.httpStatus}: ${String(answer.data).slice(0, 200)}`)
        const got = answer.status === 'success' ? 'success' : `${answer.httpStatus} ${answer.errorType}`
        assert.ok(expected.includes(got), `got ${got}: ${answer.error?.slice(0, 200)}`)
        if (answer.status !== 'success') assert.ok(answer.error!.length < 2000, 'an error, not the query again')
      })
    }
    assert.equal(hub.isRunning, true)
    watch.stop()
    t.diagnostic(
      `while all that went on: ${watch.acked()} batches acknowledged, the longest silence ${watch.longestMs().toFixed(0)} ms (p99 ${watch.p99Ms().toFixed(0)} ms)`,
    )
    const [silenceMs, share] = [watch.longestMs(), shareOfAll()]
    assert.ok(silenceMs * share < 5000, `no acknowledgement for ${silenceMs} ms, with ${share} of a CPU`)
    const growth = residentBytes(hub) - rssBefore
    t.diagnostic(`the hub's memory: ${(growth / 2 ** 20).toFixed(0)} MiB more than before`)
    assert.ok(growth < GROWTH_MAX_BYTES, `memory grew by ${growth} bytes`)

    driver.drain()
    await until('the driver is rid of all batches', () => driver.openCount === 0)
    driver.stop()
    const verdict = judgeDriver(driver, await samples(hub, 'driver_value[1h]'), driver.acked)
    assert.deepEqual([verdict.problems, verdict.lost], [[], 0])
    assert.equal(verdict.storedSamples, verdict.sentSamples)
  }))

async function hangUp(t: TestContext, hub: Hub): Promise<void> {
  const canceledBefore = await counter(hub, 'heliograph_queries_canceled_total')
  const idle = await coresOver(hub, 3000)
  const client = new AbortController()
  const answer = heavy(hub, client.signal)
  try {
    // On a busy host its turn may come late, and then it gets a part of a core: only what it has used tells that it runs.
    const atWork = beyond(hub, idle)
    await until('the query is at work', () => atWork() > 1, { timeoutMs: 100_000 })
  } finally {
    client.abort()
    await assert.rejects(answer)
  }
  const sinceHangUp = beyond(hub, idle)
  let after = Number.NaN
  await until('it costs nothing any more', async () => (after = await coresOver(hub, 1000)) < idle + 0.3)
  const cost = sinceHangUp()
  t.diagnostic(
    `cores in use: ${idle.toFixed(2)} before, ${after.toFixed(2)} after the hang-up, which cost ${cost.toFixed(2)} CPU s`,
  )
  assert.ok(cost < 1, `the query went on for ${cost} CPU s`)
  await until('it is counted', async () => (await counter(hub, 'heliograph_queries_canceled_total')) > canceledBefore)
}

async function crowd(t: TestContext, hub: Hub): Promise<void> {
  const client = new AbortController()
  const startedMs = performance.now()
  const refusals: { readonly status: number; readonly body: unknown; readonly afterMs: number }[] = []
  const all = Array.from({ length: MAX_WAITING + TOO_MANY }, async () => {
    try {
      const response = await heavy(hub, client.signal)
      refusals.push({ status: response.status, body: await response.json(), afterMs: performance.now() - startedMs })
    } catch (error) {
      if (!client.signal.aborted) throw error
    }
  })
  try {
    // None of the others is: they wait until there is a worker, or their client goes.
    await until('the rest is refused', () => refusals.length >= TOO_MANY)
    for (const { status, body } of refusals) {
      assert.equal(status, 503)
      assert.equal((body as { errorType: string }).errorType, 'unavailable')
      assert.match((body as { error: string }).error, /query\.max-concurrency/)
    }
    assert.equal(refusals.length, TOO_MANY)
    // Other paths have no queue.
    assert.equal((await fetch(`${hub.url}/-/healthy`)).status, 200)
    assert.ok((await counter(hub, 'heliograph_queries_rejected_total')) >= refusals.length)
    assert.equal(refusals.length, TOO_MANY, 'nobody who waited was refused after all')
  } finally {
    client.abort()
  }
  await Promise.all(all)
  t.diagnostic(
    `${refusals.length} of ${all.length} refused within ${Math.max(...refusals.map((r) => r.afterMs)).toFixed(0)} ms`,
  )
  await until('there is room again', async () => (await api(hub, '/api/v1/query', { query: '1' })).status === 'success')
}

type Ask = { readonly path?: string; readonly form: Readonly<Record<string, string>> }
type Expected = readonly string[]
const BAD: Expected = ['400 bad_data']
const now = (): string => String(Date.now() / 1000)
const query = (text: string): Ask => ({ form: { query: text } })

const WORST: readonly (readonly [what: string, ask: Ask, expected: Expected])[] = [
  ['(a+)+$ over every label', query('{__name__=~"(a+)+$"}'), ['success']],
  ['(a+)+$ on a text that makes others backtrack', query(backtracking('((a+)+)$')), ['success']],
  ['(a|a?)+$ on the same', query(backtracking('((a|a?)+)$')), ['success']],
  ['(x+x+)+y over the values of a label', query('driver_value{series!~"([0-9]+[0-9]+)+y"}'), ['success']],
  ['a repetition of repetitions', query('{__name__=~"((a{1,100}){1,100}){1,100}"}'), BAD],
  ['10,000 parentheses', query(`${'('.repeat(10_000)}1${')'.repeat(10_000)}`), BAD],
  ['100,000 open parentheses', query('('.repeat(100_000)), BAD],
  ['10,000 minus signs', query(`${'-'.repeat(10_000)}1`), BAD],
  ['10,000 nested calls', query(`${'abs('.repeat(10_000)}1${')'.repeat(10_000)}`), BAD],
  ['a megabyte of a number', query('1'.repeat(1 << 20)), [...BAD, 'success']],
  ['a megabyte of additions', query(`1${'+1'.repeat(1 << 19)}`), BAD],
  ['more than a megabyte', query(' '.repeat((1 << 20) + 1)), BAD],
  ['nothing', query(''), BAD],
  ['no text at all', query('\u0000\u0001\ufffd'), BAD],
  [
    'ten years by the second',
    { path: '/api/v1/query_range', form: { query: 'driver_value', start: '1', end: now(), step: '1' } },
    BAD,
  ],
  [
    'an end before the start',
    { path: '/api/v1/query_range', form: { query: '1', start: '2', end: '1', step: '1' } },
    BAD,
  ],
  ['a step of nothing', { path: '/api/v1/query_range', form: { query: '1', start: '1', end: '2', step: '0' } }, BAD],
  ['a range of a million years', query('driver_value[1000000y]'), [...BAD, 'success']],
  [
    'subqueries in subqueries',
    query(`${'max_over_time('.repeat(6)}driver_value${'[1h:1s])'.repeat(6)}`),
    ['503 timeout', '422 execution', 'success'],
  ],
  ['every series with every series', query('driver_value * on() group_left() driver_value'), ['422 execution']],
  ['everything there is', query('{__name__=~".+"}[1y]'), ['success', '422 execution']],
  ['all matchers empty', query('{__name__=~".*"}'), BAD],
  ['topk of everything', query('topk(1e300, driver_value)'), ['success', '422 execution']],
  ['a label that grows', query(growing(12)), ['success', '422 execution', ...BAD]],
  ['series without a selector', { path: '/api/v1/series', form: {} }, BAD],
  ['a broken selector', { path: '/api/v1/series', form: { 'match[]': '{' } }, BAD],
  ['ten thousand selectors', { path: '/api/v1/series', form: { 'match[]': `{a=~"${'x|'.repeat(50_000)}"}` } }, BAD],
  // Last: it is answered before it has been sent, and the connection is closed.
  ['five megabytes', query('a'.repeat(5 << 20)), [...BAD, '413 bad_data']],
]

/** A label of 5,000 times `a` and something else, and an expression that is matched against it. */
function backtracking(pattern: string): string {
  const text = `label_replace(vector(1), "y", "${'a'.repeat(5000)}!", "", "")`
  return `label_replace(${text}, "x", "$1", "y", "${pattern}")`
}

/** Each step doubles the label: with 12 of them 4 kB, with more of them memory. */
function growing(times: number): string {
  let text = 'label_replace(vector(1), "x", "0123456789", "", "")'
  for (let i = 0; i < times; i++) text = `label_replace(${text}, "x", "$1$1", "x", "(.*)")`
  return text
}

function heavy(hub: Hub, signal: AbortSignal): Promise<Response> {
  const end = Math.floor(Date.now() / 1000)
  const body = new URLSearchParams({ ...HEAVY, start: String(end - 10_000), end: String(end), timeout: '110s' })
  return fetch(`${hub.url}/api/v1/query_range`, { method: 'POST', body, signal })
}

/** What a time from now on must be multiplied by, where hub or test did not get the CPU that they wanted. */
function ofBoth(hub: Hub): () => number {
  const shares = [watchShare(hub), watchShare(process)]
  return () => Math.min(...shares.map((share) => share()))
}

/** CPU seconds from now on that are more than `idle` cores would have used. */
function beyond(hub: Hub, idle: number): () => number {
  const [before, startedMs] = [cpuSeconds(hub), performance.now()]
  return () => cpuSeconds(hub) - before - (idle * (performance.now() - startedMs)) / 1000
}

/** CPU seconds per second, all threads. */
async function coresOver(hub: Hub, ms: number): Promise<number> {
  const before = cpuSeconds(hub)
  const startedMs = performance.now()
  await sleep(ms)
  return ((cpuSeconds(hub) - before) * 1000) / (performance.now() - startedMs)
}

async function counter(hub: Hub, name: string): Promise<number> {
  return (await metricsOf(hub)).get(name) ?? 0
}

/** Notes the pauses between acknowledgements. */
function watchAcks(driver: Driver) {
  const pauses: number[] = []
  const before = driver.acked.size
  let known = before
  let lastMs = performance.now()
  const timer = setInterval(() => {
    if (driver.acked.size === known) return
    known = driver.acked.size
    pauses.push(performance.now() - lastMs)
    lastMs = performance.now()
  }, 5)
  return {
    stop: () => clearInterval(timer),
    acked: () => known - before,
    longestMs: () => Math.max(...pauses, performance.now() - lastMs),
    p99Ms: () => percentile(pauses, 0.99),
  }
}
