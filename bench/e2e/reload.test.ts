/** A reload disturbs nothing that the new configuration leaves as it was. */
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import fs from 'node:fs'
import { test } from 'node:test'
import { gapsOf } from './bad-day/kit.ts'
import { type Agent, freePort, queryValue, samples, sleep, until, withWorld } from './world.ts'

/** The host may be late by some milliseconds, a busy one by hundreds; a slot of another phase would be late by seconds. */
const INTERVAL_S = 4

const reloads: readonly (readonly [how: string, reload: (agent: Agent) => Promise<void>])[] = [
  ['SIGHUP', async (agent) => agent.signal('SIGHUP')],
  [
    '/-/reload',
    async (agent) => {
      const response = await fetch(`${agent.url}/-/reload`, { method: 'POST' })
      assert.equal(response.status, 200, await response.text())
    },
  ],
]

for (const [how, reload] of reloads)
  test(`${how} keeps slots, series and counters of what did not change`, () =>
    withWorld(async (world) => {
      const hub = await world.startHub()
      const port = await freePort()
      const other = await world.startAgent({ id: 'other' })
      const agent = await world.startAgent({
        hub,
        id: 'reloaded',
        scrapeInterval: `${INTERVAL_S}s`,
        exporters: `{ node: { collector.disable-defaults: "true", collector.loadavg: "true" }, statsd: { statsd.listen-udp: "127.0.0.1:${port}", statsd.listen-tcp: "" } }`,
        config: `scrape_configs:\n  - job_name: steady\n    static_configs: [{ targets: ['${other.address}'] }]`,
      })
      await send(port, 'orders:41|c')
      await until('the counter arrives', async () => (await queryValue(hub, 'orders{job="statsd"}')) === 41)
      await until('the target is scraped', () => queryValue(hub, 'up{job="steady"}'))
      const text = fs.readFileSync(agent.configFile, 'utf8')
      fs.writeFileSync(
        agent.configFile,
        text.replace(
          'scrape_configs:',
          `scrape_configs:\n  - job_name: added\n    static_configs: [{ targets: ['${other.address}'] }]`,
        ),
      )
      await reload(agent)
      await until('the added target is scraped', () => queryValue(hub, 'up{job="added"}'))
      await send(port, 'orders:1|c')
      // Made anew, the exporter would say 1.
      await until('the counter went on', async () => (await queryValue(hub, 'orders{job="statsd"}')) === 42)
      for (const selector of ['up{job="steady"}', 'node_load1', 'orders', 'up{job="heliograph-agent"}']) {
        const rows = await samples(hub, `${selector}[10m]`)
        assert.equal(rows.length, 1, selector)
        const times = rows[0]!.values.map(([time]) => Math.round(time * 1000))
        const slots = times.map((time) => (time - times[0]!) / (INTERVAL_S * 1000))
        const strays = slots.filter((slot, i) => Math.abs(slot - i) > 0.3)
        assert.deepEqual(strays, [], `${selector} at ${times.join(' ')}`)
      }
      // A marker between two samples would show as a moment without the series.
      const rows = await samples(hub, 'up{job="steady"}[10m]')
      for (const [time] of rows[0]!.values.slice(0, -1))
        assert.equal(await queryValue(hub, 'up{job="steady"}', time + 0.6 * INTERVAL_S), 1)
    }))

test('a reload of a broken file changes nothing and says where it is wrong', () =>
  withWorld(async (world) => {
    const agent = await world.startAgent({ exporters: '{ nodejs: {} }' })
    fs.writeFileSync(agent.configFile, 'global:\n  scrape_interval: often\n')
    const response = await fetch(`${agent.url}/-/reload`, { method: 'POST' })
    assert.equal(response.status, 500)
    assert.match(await response.text(), /agent\.yml:2:20/)
    assert.equal((await fetch(`${agent.url}/metrics/nodejs`)).status, 200)
    const remembered = async (times: number) => {
      const { data } = (await (await fetch(`${agent.url}/api/v1/errors`)).json()) as {
        data: readonly { message: string; count: number; hint: string }[]
      }
      return data.find(({ message, count }) => message.startsWith('Error reloading config') && count === times)
    }
    const error = await remembered(1)
    assert.match(error?.hint ?? '', /check-config/)
    const own = await (await fetch(`${agent.url}/metrics`)).text()
    assert.match(own, /^heliograph_agent_config_last_reload_successful 0$/m)
    agent.signal('SIGHUP')
    await until('the other is remembered, too', () => remembered(2))
  }))

test('slots of a target that was removed and put back are told as such, by the hub and its agent', () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    const other = await world.startAgent({ id: 'other' })
    const config = `scrape_configs:\n  - job_name: comes\n    static_configs: [{ targets: ['${other.address}'] }]`
    const agent = await world.startAgent({ hub, id: 'reloaded', config })
    await until('the target is scraped', () => queryValue(hub, 'up{job="comes"}'))
    const text = fs.readFileSync(agent.configFile, 'utf8')
    fs.writeFileSync(agent.configFile, text.replace(config, 'scrape_configs: []'))
    agent.signal('SIGHUP')
    await until('the target ends', async () => (await queryValue(hub, 'up{job="comes"}')) === null)
    await sleep(3000)
    fs.writeFileSync(agent.configFile, text)
    agent.signal('SIGHUP')
    const found = await until('the hub tells of the gap', async () => {
      const own = (await gapsOf(hub, 'reloaded')).filter(({ target }) => target.startsWith('comes/'))
      return own.length > 0 && own
    })
    assert.deepEqual(
      found.map(({ reason }) => reason),
      ['removed'],
    )
  }))

async function send(port: number, text: string): Promise<void> {
  const socket = dgram.createSocket('udp4')
  await new Promise<void>((resolve, reject) =>
    socket.send(text, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
  )
  socket.close()
  await sleep(0)
}
