/** The graphite exporter in a real agent: both transports, mappings, upstream's port and paths, samples in a hub. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import fs from 'node:fs'
import { connect } from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { exporterPage, pageOf } from './exporters-kit.ts'
import { freePort, queryValue, ROOT, until, withWorld } from './world.ts'

const MAPPINGS = `mappings:
- { match: "rspamd.actions.*", name: rspamd_actions, labels: { action: $1 } }
- { match: "rspamd.*", name: "rspamd_\${1}" }
- { match: "secret.*", name: secret, action: drop }
`

test('plaintext over TCP and UDP arrives at a hub, and its page is where upstream has it', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const hub = await world.startHub({})
    const [port, web] = await Promise.all([freePort(), freePort()])
    const mapping = world.file('graphite.yml', MAPPINGS)
    const exporters = JSON.stringify({
      graphite: {
        listen: `127.0.0.1:${web}`,
        'graphite.listen-address': `127.0.0.1:${port}`,
        'graphite.mapping-config': mapping,
        'graphite.sample-expiry': '1h',
      },
    })
    const agent = await world.startAgent({ hub, exporters })
    const seconds = Math.floor(Date.now() / 1000)
    const stream = connect(port, '127.0.0.1')
    stream.end(`rspamd.actions.reject 3 ${seconds}\nrspamd.scanned 27 ${seconds}\nsecret.x 1 ${seconds}\nnonsense\n`)
    const socket = createSocket('udp4')
    socket.send(`disk.used;host=db1;mount=/var 42.5 ${seconds}`, port, '127.0.0.1', () => socket.close())
    await until('they are there', async () => (await queryValue(hub, 'disk_used{job="graphite",host="db1"}')) === 42.5)
    await until('all of them', async () => (await queryValue(hub, 'rspamd_actions{action="reject"}')) === 3)
    const page = await exporterPage(agent, 'graphite')
    assert.equal(page.get('rspamd_scanned'), '27')
    assert.equal(page.get('# HELP rspamd_scanned'), 'Graphite metric rspamd_scanned')
    assert.equal(page.get('heliograph_graphite_refused_lines_total{reason="parts"}'), '1')
    assert.equal(page.has('secret'), false)
    const own = await pageOf(`http://127.0.0.1:${web}/metrics`)
    assert.equal(own.get('rspamd_actions{action="reject"}'), '3')
    assert.equal(own.get('graphite_sample_expiry_seconds'), '3600')
    // A reload of the agent reads the mappings again and keeps samples and sockets.
    fs.writeFileSync(mapping, 'mappings: [{ match: "disk.*", name: "disk_bytes", labels: { kind: $1 } }]')
    assert.equal((await fetch(`${agent.url}/-/reload`, { method: 'POST' })).status, 200)
    const again = createSocket('udp4')
    again.send(`disk.used;host=db1 7 ${seconds}`, port, '127.0.0.1', () => again.close())
    await until('it is mapped anew', async () => {
      const now = await exporterPage(agent, 'graphite')
      return now.get('disk_bytes{host="db1",kind="used"}') === '7' && now.get('rspamd_scanned') === '27'
    })
  }),
)

test('check-config names the flag or the place in the mapping file that is wrong', { timeout: 300_000 }, () =>
  withWorld(async (world) => {
    const check = async (flags: object): Promise<{ readonly code: number | null; readonly stderr: string }> => {
      const file = world.file('agent.yml', JSON.stringify({ exporters: { graphite: flags } }))
      return world.run(process.execPath, [path.join(ROOT, 'agent/main.ts'), 'check-config', file])
    }
    const mapping = world.file('bad.yml', 'mappings:\n- { match: "a.*", name: ok }\n- { match: "b.[", name: bad }\n')
    const bad = await check({ 'graphite.mapping-config': mapping })
    assert.equal(bad.code, 2)
    assert.match(
      bad.stderr,
      /agent\.yml:1:\d+: exporters\.graphite\.graphite\.mapping-config: .*invalid match: "b\.\[".*bad\.yml:3:3/,
    )
    assert.equal((await check({ 'graphite.mapping-config': world.file('ok.yml', MAPPINGS) })).code, 0)
  }),
)
