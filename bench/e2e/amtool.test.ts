/** amtool of a real Alertmanager against the hub, and the hub's API beside that Alertmanager's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { peer } from '../peers/peers.ts'
import { lacks, untilHolds, type World, withWorld } from './world.ts'

const CONFIG = `
route:
  receiver: default
  group_by: [alertname]
  routes:
    - matchers: ['severity="page"']
      receiver: pager
receivers:
  - name: default
  - name: pager
    pagerduty_configs: [{routing_key: k}]
inhibit_rules:
  - source_matchers: ['severity="page"']
    target_matchers: ['severity="warning"']
    equal: [alertname]
`

async function amtool(world: World, url: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await world.run((peer('amtool') as { path: string }).path, [
    `--alertmanager.url=${url}`,
    ...args,
  ])
  assert.equal(code, 0, `${args.join(' ')}: ${stderr}${stdout}`)
  return stdout
}

test('amtool adds, shows, silences and expires', { skip: lacks('amtool') }, async () => {
  await withWorld(async (world) => {
    const { url } = await world.startHub({ files: { 'alertmanager.yml': CONFIG } })
    const tool = (...args: string[]): Promise<string> => amtool(world, url, ...args)
    await tool('alert', 'add', 'Down', 'instance=a', 'severity=warning', '--annotation=summary=gone')
    await tool('alert', 'add', 'Slow', 'instance=b')
    assert.match(await tool('alert', 'query'), /Down[\s\S]*Slow/)
    assert.doesNotMatch(await tool('alert', 'query', 'alertname=Down'), /Slow/)
    const id = (await tool('silence', 'add', '-c', 'test', '-a', 'me', 'alertname=Down')).trim()
    assert.match(id, /^[0-9a-f-]{36}$/)
    assert.match(await tool('silence', 'query'), /alertname="Down"/)
    assert.doesNotMatch(await tool('alert', 'query'), /Down/)
    assert.match(await tool('alert', 'query', '--silenced'), /Down/)
    await tool('silence', 'expire', id)
    assert.match(await tool('alert', 'query'), /Down/)
    await tool('alert', 'add', 'Down', 'severity=page')
    assert.match(await tool('alert', 'query', '--inhibited'), /Down/)
    assert.match(await tool('config', 'show'), /routing_key: <secret>/)
    assert.match(await tool('config', 'routes', 'test', 'severity=page'), /pager/)
    assert.match(await tool('cluster', 'show'), /disabled/)
  })
})

type Json = Record<string, unknown>

test('the API answers as the Alertmanager beside it', { skip: lacks('alertmanager') }, async () => {
  await withWorld(async (world) => {
    const hub = await world.startHub({ files: { 'alertmanager.yml': CONFIG } })
    const real = await world.startAlertmanager(CONFIG)
    const urls = [hub.url, real.url]
    const ask = async (method: string, path: string, body?: unknown) =>
      Promise.all(
        urls.map(async (url) => {
          const init =
            body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
          const response = await fetch(`${url}/api/v2${path}`, { method, ...init })
          const text = await response.text()
          return { status: response.status, body: text === '' ? null : (JSON.parse(text) as unknown) }
        }),
      )
    const endsAt = new Date(Date.now() + 3600_000).toISOString()
    const startsAt = new Date(Date.now() - 60_000).toISOString()
    const alerts = [
      { labels: { alertname: 'Down', severity: 'warning', empty: '' }, startsAt, endsAt, annotations: { a: 'b' } },
      { labels: { alertname: 'Down', severity: 'page', 'é ': 'ü' }, startsAt, endsAt, generatorURL: 'http://x/y' },
    ]
    const statuses = async (method: string, path: string, body?: unknown): Promise<void> => {
      const [ours, theirs] = await ask(method, path, body)
      assert.equal(ours!.status, theirs!.status, `${method} ${path}: ${JSON.stringify([ours, theirs])}`)
    }
    await statuses('POST', '/alerts', alerts)
    for (const bad of [[{ labels: {} }], [{ labels: { a: 'b' }, startsAt: endsAt, endsAt: startsAt }], {}, 'x'])
      await statuses('POST', '/alerts', bad)
    for (const path of [
      '/alerts?filter=a=~(',
      '/alerts?receiver=(',
      '/silence/00000000-0000-4000-8000-000000000000',
      '/alerts?active=maybe',
    ])
      await statuses('GET', path)
    const silence = {
      matchers: [{ name: 'x', value: 'y', isRegex: false }],
      startsAt,
      endsAt,
      createdBy: 'me',
      comment: 'c',
    }
    for (const bad of [
      { ...silence, matchers: [] },
      { ...silence, endsAt: startsAt },
      { ...silence, id: '00000000-0000-4000-8000-000000000000' },
      { ...silence, matchers: [{ name: 'x', value: '', isRegex: false }] },
      { ...silence, matchers: [{ name: 'x', value: '(', isRegex: true }] },
      { matchers: silence.matchers },
    ])
      await statuses('POST', '/silences', bad)
    await statuses('POST', '/silences', silence)

    const volatile = ['updatedAt', 'id', 'startsAt', 'uptime', 'versionInfo']
    const stable = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(stable)
      if (typeof value !== 'object' || value === null) return value
      const entries = Object.entries(value as Json).filter(([name]) => !volatile.includes(name))
      return Object.fromEntries(
        entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, stable(item)]),
      )
    }
    for (const path of [
      '/alerts',
      '/alerts?filter=severity=page',
      '/alerts?receiver=pager',
      '/alerts?inhibited=false',
      '/alerts/groups',
      '/alerts/groups?receiver=default',
      '/silences',
      '/silences?filter=x=y',
      '/receivers',
    ]) {
      // What newer versions than this peer add is no difference.
      const known = (value: unknown): string =>
        JSON.stringify(stable(value), (name, item) =>
          ['labels', 'routeLabels'].includes(name) && path.startsWith('/receivers')
            ? undefined
            : name === 'routeLabels' || (name === 'annotations' && path.startsWith('/silences'))
              ? undefined
              : item,
        )
      // Inhibition and groups follow the alerts a moment later, here and there.
      await untilHolds(path, async () => {
        const [ours, theirs] = await ask('GET', path)
        assert.equal(known(ours!.body), known(theirs!.body), path)
      })
    }
  })
})
