/** TLS and passwords on the real programs, and a hub that agents reach all the same. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import bcrypt from 'bcryptjs'
import { queryValue, until, withWorld } from './world.ts'

const HASH = bcrypt.hashSync('geheim', 4)
const AUTHORIZATION = { authorization: `Basic ${btoa('alice:geheim')}` }

test('a hub with passwords refuses strangers, and agents enrol and deliver without one', () =>
  withWorld(async (world) => {
    const webFile = world.file('web.yml', '')
    const hub = await world.startHub({ flags: ['--web.enable-lifecycle', `--web.config.file=${webFile}`] })
    const agent = await world.prepareAgent({ hub, id: 'guarded' })
    fs.writeFileSync(webFile, `basic_auth_users: { alice: "${HASH}" }\n`)
    const status = async (headers: Record<string, string>): Promise<number> => {
      const response = await fetch(`${hub.url}/api/v1/query?query=1`, { headers })
      await response.arrayBuffer()
      return response.status
    }
    assert.deepEqual([await status({}), await status(AUTHORIZATION)], [401, 200])
    await agent.restart()
    await until('the agent delivers', async () => {
      const response = await fetch(
        `${hub.url}/api/v1/query?query=${encodeURIComponent('up{job="heliograph-agent"}')}`,
        {
          headers: AUTHORIZATION,
        },
      )
      return ((await response.json()) as { data: { result: unknown[] } }).data.result.length > 0
    })
    fs.writeFileSync(webFile, '')
    assert.equal(await queryValue(hub, 'up{job="heliograph-agent"}'), 1)
  }))

const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed'

test('an agent serves TLS with passwords, and its status command comes in', { skip: noOpenssl }, () =>
  withWorld(async (world) => {
    const [cert, key] = [world.file('agent.crt'), world.file('agent.key')]
    const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    const names = ['-subj', '/CN=agent', '-addext', 'subjectAltName=IP:127.0.0.1']
    execFileSync('openssl', [...make, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const webFile = world.file(
      'web.yml',
      `tls_server_config: { cert_file: agent.crt, key_file: agent.key }\nbasic_auth_users: { alice: "${HASH}" }\n`,
    )
    const agent = await world.prepareAgent({ flags: [`--web.config.file=${webFile}`] })
    agent.spawn()
    const url = `--url=https://${agent.address}`
    const passwordFile = world.file('password', 'geheim\n')
    const status = (...flags: string[]) =>
      world.run(process.execPath, [agentMain(), 'status', url, `--ca-file=${cert}`, ...flags])
    const answer = await until('the agent answers', async () => {
      const ran = await status('--user=alice', `--password-file=${passwordFile}`)
      return ran.code === 0 && ran
    })
    assert.match(answer.stdout, /^agent: running/)
    const refused = await status()
    assert.equal(refused.code, 1)
    assert.match(refused.stderr, /wants a password: give --user and --password-file/)
  }),
)

const agentMain = (): string => new URL('../../agent/main.ts', import.meta.url).pathname
