import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadAlertmanagerConfig } from './config/mod.ts'
import { World } from './scenarios.ts'

const CONFIG = `
route: {receiver: both, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 1h}
receivers: [{name: both, webhook_configs: [{url: 'http://{{slow}}', timeout: 20s}, {url: 'http://{{fast}}'}]}]
`

test('a slow receiver delays no other, and is not asked again while it is at it', async () => {
  const world = new World(CONFIG, { webhookBehaviour: { slow: { stallRequestsBefore: 4, stallSeconds: 15 } } })
  const push = (n: string) => world.api('POST', '/alerts', [{ labels: { n } }])
  const told = (webhook: string) =>
    world.received
      .filter((each) => each.webhook === webhook)
      .map(({ at, alerts }) => `${Math.round(at)}s ${alerts.map(({ labels }) => labels['n']).sort()}`)
  await push('1')
  await world.until(1.5)
  await push('2')
  await world.until(3.5)
  await push('3')
  await world.until(30)
  assert.deepEqual(told('fast'), ['1s 1', '3s 1,2', '5s 1,2,3'])
  // The stalled request was answered after 16 s; what it did not say came right after, in one piece.
  assert.deepEqual(told('slow'), ['16s 1,2,3'])
  assert.equal(world.dispatcher.counters.byIntegration.get('webhook')!.attempts, 5)
  world.dispatcher.stop()
})

test('what waits for a slow receiver is not told of groups that a reload has ended', async () => {
  const world = new World(CONFIG, { webhookBehaviour: { slow: { stallRequestsBefore: 4, stallSeconds: 15 } } })
  await world.api('POST', '/alerts', [{ labels: { n: '1' } }])
  await world.until(1.5)
  await world.api('POST', '/alerts', [{ labels: { n: '2' } }])
  await world.until(10)
  const without = CONFIG.replace("{url: 'http://{{slow}}', timeout: 20s}, ", '')
    .replace('{{fast}}', 'fast.test')
    .replaceAll('both', 'other')
  world.dispatcher.reload(loadAlertmanagerConfig(without, 'am.yml'))
  await world.until(30)
  assert.ok(!world.received.some(({ webhook }) => webhook === 'slow'))
  world.dispatcher.stop()
})
