/** `npm start` as a newcomer meets it: a hub and an agent on this host, asked with Prometheus's own tools. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import {
  api,
  freePort,
  lacksCommand,
  PROMTOOL,
  type Program,
  query,
  queryValue,
  ROOT,
  type Server,
  sleep,
  until,
  untilHolds,
  type World,
  withWorld,
} from './world.ts'

const STOP_LIMIT_MS = 10_000
const RATE_DATA_S = 75

type Launched = Server & { readonly launcher: Program; readonly dataFolder: string }

const DIRECTLY = { file: process.execPath, args: [path.join(ROOT, 'bench/launcher/start.ts')] }
const BY_NPM = { file: 'npm', args: ['--prefix', ROOT, 'start'] }

async function launch(world: World, name: string, command = DIRECTLY): Promise<Launched> {
  const [hub, agent, bus] = [await freePort(), await freePort(), await freePort()]
  const dataFolder = path.join(world.folder, name)
  const launcher = world.program({
    name,
    ...command,
    env: {
      HELIO_DATA: dataFolder,
      HELIO_HUB_ADDRESS: `127.0.0.1:${hub}`,
      HELIO_AGENT_ADDRESS: `127.0.0.1:${agent}`,
      HELIO_BUS_ADDRESS: `127.0.0.1:${bus}`,
    },
  })
  launcher.spawn()
  return { url: `http://127.0.0.1:${hub}`, launcher, dataFolder }
}

function answersQueries(server: Launched): Promise<true> {
  return until(
    'the hub answers a query with the agent’s data',
    async () => !server.launcher.isRunning || (await queryValue(server, 'sum(up{agent!=""})')) === 3,
    { timeoutMs: 120_000, explain: () => server.launcher.tail() },
  ).then((answer) => {
    assert.ok(server.launcher.isRunning, server.launcher.tail())
    return answer
  })
}

function commandExists(name: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => fs.existsSync(path.join(folder, name)))
}

/** Pids of the hub or the agent of one launcher. */
function childOf({ launcher }: Launched, entry: 'hub' | 'agent'): number {
  const children = fs.readFileSync(`/proc/${launcher.pid}/task/${launcher.pid}/children`, 'utf8').trim().split(' ')
  const found = children.find((pid) =>
    fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path.join(ROOT, entry, 'main.ts')),
  )
  assert.ok(found, `the launcher has no child ${entry}`)
  return Number(found)
}

async function stopsWith(world: World, { launcher }: Launched, signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  const started = performance.now()
  launcher.signal(signal)
  // An orphan would hold the output open for ever.
  const exit = await Promise.race([launcher.exited, sleep(STOP_LIMIT_MS).then(() => null)])
  assert.ok(exit, `stopping took more than ${STOP_LIMIT_MS} ms; left: ${world.survivors()}`)
  const tookMs = performance.now() - started
  assert.ok(tookMs < STOP_LIMIT_MS, `stopping took ${Math.round(tookMs)} ms`)
  assert.deepEqual(exit, { code: 0, signal: null }, launcher.tail())
  assert.equal(launcher.output.match(/msg=Stopped/g)?.length, 2, 'hub and agent say that they stopped')
  assert.deepEqual(world.survivors(), [], 'no orphan')
}

test('the launcher collects this host, and promtool and /federate show it', {
  skip: lacksCommand(PROMTOOL),
}, async (t) => {
  await withWorld(async (world) => {
    const started = await launch(world, 'started')
    await answersQueries(started)
    const firstData = performance.now()

    await t.test('promtool query instant', async () => {
      await untilHolds('all jobs are up', async () => {
        const { code, stdout, stderr } = await world.run(PROMTOOL, ['query', 'instant', started.url, 'up'])
        assert.equal(code, 0, stderr)
        const jobs = [...stdout.matchAll(/^up\{.*job="([^"]+)".*\} => 1 @\[/gm)].map(([, job]) => job)
        assert.deepEqual(jobs.filter((job) => job !== 'heliograph-hub').sort(), ['heliograph-agent', 'node', 'nodejs'])
      })
    })
    await t.test('promtool query range', async () => {
      const args = ['query', 'range', '--step=1s', started.url, 'node_load1']
      const { code, stdout, stderr } = await world.run(PROMTOOL, args)
      assert.equal(code, 0, stderr)
      assert.match(stdout, /^node_load1\{.*\} =>\n\d+(\.\d+)? @\[\d+/m)
    })
    await t.test('promtool query series', async () => {
      const { code, stdout, stderr } = await world.run(PROMTOOL, ['query', 'series', '--match=node_load1', started.url])
      assert.equal(code, 0, stderr)
      assert.match(stdout, /__name__="node_load1".*job="node"/)
    })
    await t.test('promtool query labels', async () => {
      const { code, stdout, stderr } = await world.run(PROMTOOL, ['query', 'labels', started.url, 'job'])
      assert.equal(code, 0, stderr)
      assert.ok(stdout.split('\n').includes('node'), stdout)
    })
    await t.test('/federate is text that promtool reads, without HELP as upstream’s', async () => {
      const response = await fetch(`${started.url}/federate?${new URLSearchParams({ 'match[]': '{job="node"}' })}`)
      const text = await response.text()
      assert.equal(response.status, 200)
      assert.ok(
        text.split('\n').filter((line) => line.startsWith('node_cpu_seconds_total{')).length >= os.cpus().length,
      )
      const { code, stdout, stderr } = await world.run(PROMTOOL, ['check', 'metrics'], { input: text })
      assert.ok(code === 0 || code === 3, `exit code ${code}: ${stdout}${stderr}`)
      // Opinions, not faults: federation omits HELP, and the node exporter's names and units are the kernel's.
      const opinion = /no help text$|should be written in 'snake_case' not 'camelCase'$|use base unit "\w+" instead of/
      const problems = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !opinion.test(line))
      assert.deepEqual(problems, [])
    })
    await t.test('the hub scrapes itself', async () => {
      await until('the hub’s own scrape', async () => (await queryValue(started, 'up{job="heliograph-hub"}')) === 1)
      await untilHolds('the target is told of', async () => {
        const { data } = await api(started, '/api/v1/targets')
        const [target] = (data as { activeTargets: { health: string; lastError: string }[] }).activeTargets
        assert.deepEqual([target?.health, target?.lastError], ['up', ''])
      })
    })
    await t.test('the processors sum up to their number', async () => {
      await sleep(Math.max(0, RATE_DATA_S * 1000 - (performance.now() - firstData)))
      const rows = await query(started, 'sum(rate(node_cpu_seconds_total[1m]))')
      const cores = Number(rows[0]?.value[1])
      const expected = os.cpus().length
      assert.ok(Math.abs(cores - expected) <= 0.05 * expected, `${cores} of ${expected} cores`)
    })
    await t.test('SIGTERM stops everything in time', () => stopsWith(world, started, 'SIGTERM'))
  })
})

test('Ctrl-C stops everything, and a second start goes on with the same data', async () => {
  await withWorld(async (world) => {
    const first = await launch(world, 'twice')
    await answersQueries(first)
    const before = Date.now() / 1000
    await stopsWith(world, first, 'SIGINT')
    const config = fs.readFileSync(path.join(first.dataFolder, 'hub/prometheus.yml'), 'utf8')
    first.launcher.spawn()
    await until('data of the first life', async () => (await queryValue(first, 'up{job="node"}', before)) === 1, {
      timeoutMs: 60_000,
      explain: () => first.launcher.tail(),
    })
    await until(
      'data of the second life',
      () => queryValue(first, 'up{job="node"} and timestamp(up) > ' + (before + 2)),
      {
        timeoutMs: 60_000,
        explain: () => first.launcher.tail(),
      },
    )
    assert.equal(fs.readFileSync(path.join(first.dataFolder, 'hub/prometheus.yml'), 'utf8'), config)
    first.launcher.signal('SIGINT')
    assert.deepEqual(await first.launcher.exited, { code: 0, signal: null })
  })
})

// npm passes a signal on to the shell it started, and a shell that waits for its command dies alone.
test('SIGTERM to npm alone stops everything', { skip: !commandExists('npm') && 'npm is not installed' }, async () => {
  await withWorld(async (world) => {
    const server = await launch(world, 'by-npm', BY_NPM)
    await answersQueries(server)
    await stopsWith(world, server, 'SIGTERM')
  })
})

test('a killed child is reported and not restarted, and the launcher goes on', async () => {
  await withWorld(async (world) => {
    const server = await launch(world, 'killed')
    await answersQueries(server)
    const agent = childOf(server, 'agent')
    process.kill(agent, 'SIGKILL')
    await until('the report', () => /the agent ended \(SIGKILL\); it is not restarted/.test(server.launcher.output))
    await sleep(1500)
    assert.ok(server.launcher.isRunning)
    assert.throws(() => childOf(server, 'agent'))
    assert.equal((await api(server, '/api/v1/query', { query: '1' })).status, 'success')
    server.launcher.signal('SIGTERM')
    assert.deepEqual(await server.launcher.exited, { code: 0, signal: null }, server.launcher.tail())
    assert.deepEqual(world.survivors(), [])
  })
})
