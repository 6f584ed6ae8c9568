/** Command lines and configuration files, good and bad, of both programs: exit codes, messages, reloads. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { test } from 'node:test'
import { type Agent, api, freePort, type Hub, queryValue, ROOT, samples, sleep, until, withWorld } from './world.ts'

const PROGRAMS = ['hub', 'agent'] as const
const entry = (program: string): string => path.join(ROOT, program, 'main.ts')

for (const program of PROGRAMS) {
  test(`${program}: the command line`, async (t) => {
    await withWorld(async (world) => {
      const run = (...args: string[]) => world.run(process.execPath, [entry(program), ...args])
      await t.test('--help', async () => {
        const { code, stdout, stderr } = await run('--help')
        assert.deepEqual([code, stderr], [0, ''])
        assert.match(stdout, new RegExp(`heliograph-${program}`))
        for (const flag of ['--config.file', '--web.listen-address', '--[no-]web.enable-lifecycle', '--log.level'])
          assert.ok(stdout.includes(flag), `${flag} in ${stdout}`)
      })
      await t.test('--version', async () => {
        const { code, stdout, stderr } = await run('--version')
        assert.deepEqual([code, stderr], [0, ''])
        assert.match(stdout, new RegExp(`^heliograph-${program}, version \\d+\\.\\d+\\.\\d+`))
      })
      for (const [name, args, message] of [
        ['an unknown flag', ['--no.such.flag=1'], /no\.such\.flag.*try --help/],
        ['a flag without its value', ['--config.file'], /config\.file.*try --help/],
        ['a word that it does not know', ['surplus'], /(unexpected surplus|unknown command "surplus").*, try --help/],
        ['a bad value', ['--web.listen-address=nowhere'], /web\.listen-address.*HOST:PORT.*"nowhere"/],
        ['a level that is none', ['--log.level=loud'], /log\.level.*debug, info, warn, error.*"loud"/],
      ] as const) {
        await t.test(`${name} exits 2`, async () => {
          const { code, stdout, stderr } = await run(...args)
          assert.deepEqual([code, stdout], [2, ''], stderr)
          assert.match(stderr, new RegExp(`^heliograph-${program}: error: `))
          assert.match(stderr, message)
        })
      }
    })
  })
}

type BadConfig = readonly [name: string, program: (typeof PROGRAMS)[number], text: string, message: RegExp]

const BAD: readonly BadConfig[] = [
  ['an unknown key', 'hub', 'global:\n  scrape_intervall: 1s\n', /:2:3\b.*scrape_intervall/],
  [
    'a bad duration',
    'hub',
    'global:\n  scrape_interval: 1 parsec\n',
    /:2:20\b.*global\.scrape_interval|global\.scrape_interval.*:2:20\b/,
  ],
  ['broken YAML', 'hub', 'global: [\n', /:\d+:\d+/],
  [
    'a bad regular expression',
    'hub',
    'scrape_configs:\n  - job_name: x\n    relabel_configs:\n      - regex: "("\n',
    /:4:16\b.*regex|regex.*:4:16\b/,
  ],
  ['a bad bus address', 'hub', 'heliograph:\n  bus: { listen: nowhere }\n', /:2:\d+\b.*HOST:PORT|HOST:PORT.*:2:\d+\b/],
  ['a rule that is no PromQL', 'hub', 'rule_files: [rules.yml]\n', /rules\.yml.*:3:\d+\b|:3:\d+\b.*rules\.yml/],
  ['an unknown exporter', 'agent', 'exporters:\n  toaster: {}\n', /toaster.*known are.*:2:|:2:.*toaster/],
  ['an id with spaces', 'agent', 'agent:\n  id: "my host"\n', /agent id must be.*:2:|:2:.*agent id must be/],
  ['a bad hub URL', 'agent', 'hub: { url: nowhere }\n', /hub url must be http.*:1:|:1:.*hub url must be http/],
  ['a ring without room', 'agent', 'storage:\n  max_bytes: 1KB\n', /at least 8MB/],
]

test('a bad configuration exits 2 with its place, its key and what was expected', async (t) => {
  await withWorld(async (world) => {
    world.file('rules.yml', 'groups:\n  - name: g\n    rules: [{ record: a, expr: "sum(" }]\n')
    for (const [name, program, text, message] of BAD) {
      await t.test(`${program}: ${name}`, async () => {
        const file = world.file(`bad.yml`, text)
        const { code, stderr } = await world.run(process.execPath, [
          entry(program),
          `--config.file=${file}`,
          `--${program === 'hub' ? 'storage.tsdb.path' : 'storage.path'}=${world.file('data')}`,
          `--web.listen-address=127.0.0.1:${await freePort()}`,
        ])
        assert.equal(code, 2, stderr)
        assert.match(stderr, /level=error msg="Error loading config"/)
        assert.match(stderr, message)
      })
    }
    await t.test('a file that is not there', async () => {
      for (const program of PROGRAMS) {
        const { code, stderr } = await world.run(process.execPath, [entry(program), '--config.file=/no/such/file.yml'])
        assert.equal(code, 2, stderr)
        assert.match(stderr, /\/no\/such\/file\.yml/)
      }
    })
    await t.test('nothing was left behind', () => assert.equal(fs.existsSync(world.file('data')), false))
  })
})

/** Long enough that what a busy host is late by is no other rhythm. */
const INTERVAL_MS = 4000

const reload = async ({ url }: Hub | Agent): Promise<{ status: number; text: string }> => {
  const response = await fetch(`${url}/-/reload`, { method: 'POST' })
  return { status: response.status, text: await response.text() }
}

test('a bad reload keeps the running configuration, and a good one leaves unchanged targets alone', async (t) => {
  await withWorld(async (world) => {
    const scrapes = new Map<string, number[]>()
    const target = http.createServer((request, response) => {
      scrapes.set(request.url!, [...(scrapes.get(request.url!) ?? []), performance.now()])
      response
        .setHeader('content-type', 'text/plain; version=0.0.4')
        .end(`up_since ${scrapes.get(request.url!)!.length}\n`)
    })
    const port = await freePort()
    await new Promise<void>((resolve) => target.listen(port, '127.0.0.1', resolve))
    world.onClose(() => void target.close().closeAllConnections())
    const job = (name: string, extra = ''): string =>
      `  - { job_name: ${name}, metrics_path: /${name}, static_configs: [{ targets: ['127.0.0.1:${port}'] }]${extra} }\n`
    const config = `global: { scrape_interval: ${INTERVAL_MS}ms }\nscrape_configs:\n${job('kept')}`
    const hub = await world.startHub({ config })
    const original = fs.readFileSync(hub.configFile, 'utf8')
    const running = async (): Promise<unknown> => (await api(hub, '/api/v1/status/config')).data
    const before = await running()
    await until('the target is scraped', async () => (await queryValue(hub, 'up_since{job="kept"}')) !== null)

    await t.test('POST /-/reload of a bad file answers 500 with the message', async () => {
      fs.writeFileSync(hub.configFile, original.replace(`scrape_interval: ${INTERVAL_MS}ms`, 'scrape_interval: soon'))
      const { status, text } = await reload(hub)
      assert.equal(status, 500)
      assert.match(text, /^failed to reload config: .*soon.*prometheus\.yml:1:/s)
      assert.deepEqual(await running(), before)
      assert.equal(await metric(hub, 'prometheus_config_last_reload_successful'), 0)
    })
    await t.test('SIGHUP of a bad file is logged', async () => {
      hub.signal('SIGHUP')
      await until('the log line', () =>
        /level=error msg="Error reloading config; the running one is kept" .*soon/.test(hub.output),
      )
      assert.deepEqual(await running(), before)
      assert.ok(hub.isRunning)
    })
    await t.test('a good reload adds a target and leaves the other one its rhythm', async () => {
      fs.writeFileSync(hub.configFile, original.replace(job('kept'), job('kept') + job('added')))
      assert.deepEqual(await reload(hub), { status: 200, text: '' })
      assert.equal(await metric(hub, 'prometheus_config_last_reload_successful'), 1)
      await until('the new target is scraped', async () => (await queryValue(hub, 'up_since{job="added"}')) !== null)
      const before = scrapes.get('/kept')!.length
      await until('the other goes on', () => scrapes.get('/kept')!.length >= before + 2)
      const times = scrapes.get('/kept')!
      for (let i = 1; i < times.length; i++) {
        const slots = (times[i]! - times[i - 1]!) / INTERVAL_MS
        assert.ok(slots > 0.5 && slots < 1.5, `scrape ${i} came ${slots} intervals after its predecessor`)
      }
      const [row] = await samples(hub, 'up_since{job="kept"}[5m]')
      assert.deepEqual(
        row!.values.map(([, value]) => Number(value)),
        row!.values.map((_, i) => i + 1),
        'no sample is missing, none is there twice',
      )
    })
    await t.test('SIGHUP of a good file takes a target away', async () => {
      fs.writeFileSync(hub.configFile, original.replace(job('kept'), job('added')))
      hub.signal('SIGHUP')
      await until('its series have ended', async () => (await queryValue(hub, 'up_since{job="kept"}')) === null)
      const { data } = await api(hub, '/api/v1/targets')
      const jobs = (data as { activeTargets: { scrapePool: string }[] }).activeTargets.map((each) => each.scrapePool)
      assert.deepEqual(jobs, ['added'])
    })
    await t.test('the agent', async () => {
      const agent = await world.startAgent({ hub })
      const text = fs.readFileSync(agent.configFile, 'utf8')
      fs.writeFileSync(agent.configFile, `${text}\nexporterz: {}\n`)
      const bad = await reload(agent)
      assert.equal(bad.status, 500)
      assert.match(bad.text, /failed to reload config: .*exporterz.*agent\.yml:\d+:1/s)
      agent.signal('SIGHUP')
      await until('the log line', () =>
        /level=error msg="Error reloading config; the running one is kept"/.test(agent.output),
      )
      fs.writeFileSync(agent.configFile, `${text}\nscrape_configs:\n${job('agents')}`)
      assert.deepEqual(await reload(agent), { status: 200, text: '' })
      await until('the new target’s samples', async () => (await queryValue(hub, 'up_since{job="agents"}')) !== null, {
        explain: () => world.tails(),
      })
    })
  })
})

async function metric({ url }: Hub, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1])
}

test('without --web.enable-lifecycle nobody reloads or quits over HTTP; with it, quit ends with 0', () =>
  withWorld(async (world) => {
    const hub = await world.startHub({ flags: [] })
    for (const action of ['reload', 'quit']) {
      const response = await fetch(`${hub.url}/-/${action}`, { method: 'POST' })
      assert.deepEqual([response.status, await response.text()], [403, 'Lifecycle API is not enabled.\n'])
    }
    const other = await world.startHub()
    assert.equal((await fetch(`${other.url}/-/quit`, { method: 'POST' })).status, 200)
    assert.deepEqual(await other.exited, { code: 0, signal: null })
  }))

test('a data directory has one hub', () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    const { code, stderr } = await world.run(process.execPath, [
      entry('hub'),
      `--config.file=${world.file('second.yml', 'global: {}\n')}`,
      `--storage.tsdb.path=${hub.dataFolder}`,
      `--web.listen-address=127.0.0.1:${await freePort()}`,
    ])
    assert.equal(code, 1, stderr)
    assert.match(stderr, /lock/i)
    assert.ok(hub.isRunning)
  }))

test('a port that is taken is a message, not a stack', () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    for (const program of PROGRAMS) {
      const { code, stderr } = await world.run(process.execPath, [
        entry(program),
        `--config.file=${world.file('empty.yml', 'global: {}\n')}`,
        `--${program === 'hub' ? 'storage.tsdb.path' : 'storage.path'}=${world.file('other')}`,
        `--web.listen-address=${hub.address}`,
      ])
      assert.equal(code, 1, stderr)
      assert.match(stderr, new RegExp(`level=error .*${hub.port}`))
      assert.doesNotMatch(stderr, /^\s+at /m)
    }
  }))

test('a target taken out of the configuration while the agent was away ends, instead of going on for a lookback', () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    const agent = await world.startAgent({
      hub,
      exporters: '{ nodejs: {} }',
      config: `scrape_configs: [{ job_name: leaving, static_configs: [{ targets: ['${hub.url.slice(7)}'] }] }]`,
    })
    const up = (job: string) => queryValue(hub, `up{job="${job}"}`)
    await until('both jobs are up', async () => (await up('leaving')) === 1 && (await up('nodejs')) === 1)
    await agent.stop()
    const text = fs.readFileSync(agent.configFile, 'utf8')
    fs.writeFileSync(agent.configFile, text.replace(/^scrape_configs:.*$/m, ''))
    await agent.restart()
    await until('the job that left has ended', async () => (await up('leaving')) === null)
    const left = async () => queryValue(hub, 'count({job="leaving"})')
    // Far sooner than the lookback of five minutes, which is what ends them otherwise.
    await until('all of its series have', async () => (await left()) === null)
    assert.equal(await up('nodejs'), 1)
  }))
