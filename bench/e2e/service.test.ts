import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { startServiceManager } from './service-manager.ts'
import { queryValue, ROOT, until, withWorld } from './world.ts'

test('the service manager hears of readiness, reloads, a living loop and the stop', () =>
  withWorld(async (world) => {
    const { environment, notices } = await startServiceManager(world, 1000)
    const agent = await world.startAgent({ env: environment })
    const heard = (pattern: RegExp): number => notices.filter((notice) => pattern.test(notice)).length
    await until('it is ready', async () => heard(/^READY=1\nSTATUS=Collecting; metrics on 127/) === 1)
    await until('the watchdog is fed', async () => heard(/^WATCHDOG=1$/) >= 3)
    agent.signal('SIGHUP')
    await until('it is ready again', async () => heard(/^READY=1/) === 2)
    const reloading = notices.findIndex((notice) => /^RELOADING=1\nMONOTONIC_USEC=\d+\n/.test(notice))
    assert.ok(reloading > 0 && reloading < notices.findLastIndex((notice) => notice.startsWith('READY=1')))
    const { code } = await agent.stop()
    assert.equal(code, 0)
    await until('the stop is told', async () => heard(/^STOPPING=1/) === 1)
  }))

test('the token and the key that the service manager shows to the agent are used', () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    const token = world.file('credentials/heliograph_token', fs.readFileSync(hub.tokenFile, 'utf8'))
    const seed = 'SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY'
    world.file('credentials/heliograph_agent.nk', `${seed}\n`)
    const agent = await world.startAgent({
      id: 'credentials',
      config: `hub: { url: '${hub.url}' }`,
      env: { CREDENTIALS_DIRECTORY: path.dirname(token) },
    })
    await until('it delivers', () => queryValue(hub, 'up{job="nodejs",agent="credentials"}'))
    const { data } = (await (await fetch(`${agent.url}/api/v1/status/agent`)).json()) as { data: { publicKey: string } }
    assert.equal(data.publicKey, 'UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4')
  }))

test('enroll makes the key known by a token on the command line, once; a wrong token is refused with what to do', () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    const agent = await world.prepareAgent({ id: 'by-hand', config: `hub: { url: '${hub.url}' }` })
    const enroll = (token: string) =>
      world.run(process.execPath, [
        path.join(ROOT, 'agent/main.ts'),
        'enroll',
        `--config.file=${agent.configFile}`,
        `--token=${token}`,
      ])
    const refused = await enroll('wrong')
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /^not enrolled at http:.*: the hub answered 40\d: /)
    const accepted = await enroll(fs.readFileSync(hub.tokenFile, 'utf8').trim())
    assert.equal(accepted.code, 0, accepted.stderr)
    assert.match(accepted.stdout, /^enrolled at http:\S+ as by-hand, key U[A-Z2-7]{55}$/m)
    await agent.restart()
    await until('it delivers', () => queryValue(hub, 'up{job="nodejs",agent="by-hand"}'))
  }))
