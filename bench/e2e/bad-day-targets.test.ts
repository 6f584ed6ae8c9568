/**
 * Twenty hostile targets beside a good one, in one agent: they cost bounded memory and only their own `up`, which has a
 * reason; the good one misses no slot. Method: reliability.md R17.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { type TestContext, test } from 'node:test'
import { LAUNCH } from '../launcher/launch-settings.ts'
import { buildSingleFile, bunPath } from '../package/main.ts'
import { hostileTargets } from './bad-day/hostile.ts'
import { approveAgent, type Gap, gapsOf, isLong, percentile, residentBytes, watchShare } from './bad-day/kit.ts'
import { judgeSlots } from './bad-day/verdicts.ts'
import { judge, OracleTarget } from './oracle.ts'
import { type Agent, api, type Hub, query, queryValue, samples, sleep, until, type World, withWorld } from './world.ts'

const SIEGE_MS = isLong ? 600_000 : 20_000
/**
 * What is claimed is what hostile targets cost, not what a host without CPU leaves for a moment: a siege in which memory,
 * times or answers are out of bounds goes on, but for so many times, and the last one is what is judged. A leak only grows
 * by that, and who suffers from its neighbours suffers in each.
 */
const SIEGES_MAX = 4
/** All readings of a siege are below it. */
const GROWTH_MAX_BYTES = 32 << 20
/** Of one scrape, which is given up after a second. */
const SCRAPE_MAX_S = 1.5
/** Distance of the good target's scrapes from their slots, for nine in ten; a busy host may delay the others. */
const JITTER_MAX_MS = 100
const INTERVAL_MS = 1000
const TIMEOUT = /deadline exceeded/
/** Slots that a host with other things to do may cost the good target, whoever its neighbours are. */
const STARVED_SLOTS_MAX = 2
/** Of a CPU: below it a host is so starved that its scrapes end by their time, whatever they ask. */
const STARVED_SHARE = 0.5

type ApiTarget = {
  readonly labels: Readonly<Record<string, string>>
  readonly health: string
  readonly lastError: string
  readonly lastScrapeDuration: number
}

const runtimes = [
  ['Node', false],
  ['the single file', true],
] as const

for (const [runtime, isSingleFile] of runtimes) {
  const skip = isSingleFile && bunPath() === null ? 'npm ci brought no Bun for this machine' : false
  const title = `hostile targets cost bounded memory and only their own up: the agent on ${runtime}`
  test(title, { skip }, (t) => withWorld((world) => besiege(t, world, isSingleFile)))
}

async function besiege(t: TestContext, world: World, isSingleFile: boolean): Promise<void> {
  const oracle = await OracleTarget.start()
  const { targets, close } = await hostileTargets()
  world.onClose(async () => {
    await close()
    await oracle.close()
  })
  const hub = await world.prepareHub({ config: 'scrape_configs: []' })
  const good = `scrape_configs:\n- job_name: oracle\n  static_configs: [{ targets: ['${oracle.address}'] }]\n`
  const executable = isSingleFile ? world.file('heliograph-agent') : ''
  if (isSingleFile) buildSingleFile(executable)
  const how = isSingleFile ? { executable } : { env: LAUNCH.agent.env }
  const agent = await world.prepareAgent({ hub, name: 'besieged', exporters: '{}', config: good, ...how })
  approveAgent(hub, agent)
  await hub.restart()
  await agent.restart()
  await until('the good target is stored', () => queryValue(hub, 'oracle_scrape > 5'))
  const calmBytes = residentBytes(agent)

  const static_ = targets.map(
    ({ kind, scheme, address }) => `  - { targets: ['${address}'], labels: { kind: ${kind}, __scheme__: ${scheme} } }`,
  )
  const hostile = `- job_name: hostile\n  basic_auth: { username: u, password: secret }\n  static_configs:\n${static_.join('\n')}\n`
  fs.writeFileSync(agent.configFile, fs.readFileSync(agent.configFile, 'utf8').replace(good, good + hostile))
  const reload = await fetch(`${agent.url}/-/reload`, { method: 'POST' })
  assert.equal(reload.status, 200, await reload.text())

  const isFair = ({ peak, jitterMs, lost, listed, ups }: Siege): boolean =>
    peak <= GROWTH_MAX_BYTES &&
    jitterMs < JITTER_MAX_MS &&
    lost <= STARVED_SLOTS_MAX &&
    targets.every(({ kind, error }) => error !== null || ups.get(kind) === '1') &&
    listed.every(({ lastScrapeDuration }) => lastScrapeDuration < SCRAPE_MAX_S)
  let siege = await goThrough(t, hub, agent, calmBytes)
  for (let count = 1; count < SIEGES_MAX && !isFair(siege); count++) siege = await goThrough(t, hub, agent, calmBytes)

  const { peak, listed, ups } = siege
  for (const { kind, error, visits } of targets) {
    const status = listed.find(({ labels }) => labels['kind'] === kind)!
    // On a starved host anything may end by its time.
    const isLate = TIMEOUT.test(status.lastError) && (error !== null || siege.share < STARVED_SHARE)
    await t.test(`${kind}: ${status.lastError.slice(0, 120)}`, () => {
      assert.ok(visits() >= 3, `it was asked ${visits()} times`)
      if (error !== null || !isLate) {
        assert.equal(ups.get(kind), error === null ? '1' : '0')
        assert.equal(status.health, error === null ? 'up' : 'down')
      }
      if (error !== null && !isLate) assert.match(status.lastError, error)
      assert.ok(status.lastError.length < 1000, 'a reason, not a page')
      assert.ok(status.lastScrapeDuration < SCRAPE_MAX_S, `it took ${status.lastScrapeDuration} s`)
    })
  }
  assert.ok(peak <= GROWTH_MAX_BYTES, `memory grew by ${mib(peak)} MiB`)
  assert.equal(
    await queryValue(hub, 'count({job="hostile", kind!="flapping-labels", __name__!~"up|scrape_.*"}) or vector(0)'),
    0,
  )

  const stop = Date.now()
  const scrapes = await until(
    'the good target is stored up to now',
    async () => {
      const rows = await samples(hub, 'oracle_scrape[1h]')
      return rows[0]!.values.at(-1)![0] * 1000 > stop && rows
    },
    { timeoutMs: 300_000 },
  )
  const counts = { sentCount: oracle.scrapes.length, seriesCount: oracle.seriesCount }
  const { problems } = judge(scrapes, await valuesUpTo(scrapes.at(-1)!.values.at(-1)![0]), counts)
  assert.deepEqual(problems, [])
  const [up] = await samples(hub, 'up{job="oracle"}[1h]')
  const gaps = (await gapsOf(hub, 'besieged')).filter(({ target }: Gap) => target.startsWith('oracle/'))
  const slots = judgeSlots(
    up!.values.map(([seconds]) => Math.round(seconds * 1000)),
    gaps,
    INTERVAL_MS,
  )
  t.diagnostic(`the good target: ${slots.slots} slots, ${slots.missing} missing`)
  assert.deepEqual(slots.problems, [])
  const { suspended: _, overrun: __, ...others } = slots.reasons
  assert.deepEqual(others, {}, 'the good target has gaps')
  assert.ok(siege.jitterMs < JITTER_MAX_MS, `the good target is asked late: by ${siege.jitterMs} ms`)
  assert.ok(siege.lost <= STARVED_SLOTS_MAX, `the good target suffers with the others: ${siege.lost} slots`)

  /** The same moment as the other export. */
  function valuesUpTo(seconds: number) {
    return samples(hub, 'oracle_value[1h]', seconds)
  }
}

type Siege = {
  /** Bytes more than before. */
  readonly peak: number
  /** Of the time in which the agent, or this process with all targets, wanted a CPU: how much of it they had one. */
  readonly share: number
  /**
   * Of the good target: distance of nine in ten scrapes from their slots, and slots without a good scrape; less what the
   * share explains.
   */
  readonly jitterMs: number
  readonly lost: number
  /** Of the hostile ones, at its end. */
  readonly listed: readonly ApiTarget[]
  readonly ups: ReadonlyMap<string | undefined, string>
}

async function goThrough(t: TestContext, hub: Hub, agent: Agent, calmBytes: number): Promise<Siege> {
  const shares = [watchShare(agent), watchShare(process)]
  const fromMs = Date.now()
  const readings: number[] = []
  for (const end = performance.now() + SIEGE_MS; performance.now() < end; await sleep(100))
    readings.push(residentBytes(agent) - calmBytes)
  const toMs = Date.now()
  const share = Math.min(...shares.map((each) => each()))
  const { data } = await api(agent, '/api/v1/targets')
  const listed = (data as { activeTargets: ApiTarget[] }).activeTargets.filter(({ labels }) => labels['kind'])
  const ups = new Map((await query(hub, 'up{job="hostile"}')).map(({ metric, value }) => [metric['kind'], value[1]]))
  const all = await until('the siege is stored', async () => {
    const [up] = await samples(hub, 'up{job="oracle"}[1h]')
    return up!.values.at(-1)![0] * 1000 > toMs && up!.values
  })
  const during = all
    .map(([seconds, text]) => ({ timeMs: Math.round(seconds * 1000), isUp: text === '1' }))
    .filter(({ timeMs }) => timeMs >= fromMs && timeMs <= toMs)
  const distances = slotDistances(during.map(({ timeMs }) => timeMs))
  const [p90, peak] = [percentile(distances, 0.9), Math.max(...readings)]
  const slots = Math.floor((toMs - fromMs) / INTERVAL_MS)
  const missing = slots - during.filter(({ isUp }) => isUp).length
  t.diagnostic(
    `agent: ${mib(calmBytes)} MiB before; during ${SIEGE_MS / 1000} s of ${listed.length} hostile targets +${mib(percentile(readings, 0.9))} MiB (p90), +${mib(peak)} MiB (peak); jitter of the good one ${percentile(distances, 0.5)} ms (p50), ${p90} ms (p90), ${Math.max(...distances)} ms (most), ${missing} of ${slots} slots without it; a CPU for ${share.toFixed(2)} of the time`,
  )
  return { peak, share, jitterMs: p90 * share, lost: missing - slots * (1 - share), listed, ups }
}

/** How far each time is from the grid that most of them stand on. */
function slotDistances(timesMs: readonly number[]): number[] {
  const phases = timesMs.map((time) => time % INTERVAL_MS).sort((a, b) => a - b)
  const phase = phases[phases.length >> 1]!
  return timesMs.map((time) => {
    const distance = Math.abs((time % INTERVAL_MS) - phase)
    return Math.min(distance, INTERVAL_MS - distance)
  })
}

const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(1)
