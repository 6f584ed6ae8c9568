import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { BusServerOptions } from './mod.ts'
import { converse, NATS_SERVER, type RunningBus, startBus } from './testing/kit.ts'
import { GUARDED_TRANSCRIPTS, OPEN_TRANSCRIPTS, STRICTER, type Transcript } from './testing/transcripts.ts'

const RIGHTS = { publish: ['ok.>', 'x.*.y'], subscribe: ['ok.>', 'x.*'] }
const authenticate: BusServerOptions['authenticate'] = ({ user, pass }) =>
  user === 'a' && pass === 'b' ? { identity: 'a', ...RIGHTS } : { error: 'no such user' }

/** Messages for several subscriptions arrive in the server's own order. */
function normalize(output: string): string {
  return output.replaceAll(/(?:MSG \S+ \d+ \d+\r\n[^\r]*\r\n){2,}/g, (run) =>
    (run.match(/MSG [^\r]*\r\n[^\r]*\r\n/g) ?? []).sort().join(''),
  )
}

async function check(port: number, { input, output, closes = false }: Transcript): Promise<void> {
  const answer = await converse(port, input, (text) => !closes && text.length >= output.length)
  assert.deepEqual({ ...answer, output: normalize(answer.output) }, { output: normalize(output), closed: closes })
}

/** Below the range that outgoing connections take theirs from: one of those may have it before the server does. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 30_000 + Math.floor(Math.random() * 2700)
    const probe = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => probe.close(resolve))
    return port
  }
}

function title(input: string): string {
  return JSON.stringify(input.replace(/\{"verbose":false[^}]*?true/, '{…')).slice(0, 90)
}

describe('the embedded bus answers as written down', () => {
  let open: RunningBus
  let guarded: RunningBus
  before(async () => {
    // Local 1 KiB is the smallest limit; the transcripts' 1001 bytes are tested as 1024 + 1 below.
    open = await startBus({ maxPayloadBytes: 1024 })
    guarded = await startBus({ maxPayloadBytes: 1024, authenticate })
  })
  after(async () => {
    await open.stop()
    await guarded.stop()
  })
  for (const row of OPEN_TRANSCRIPTS)
    test(title(row.input), () => check(open.port, { ...row, input: row.input.replace('PUB a 1001', 'PUB a 1025') }))
  for (const row of GUARDED_TRANSCRIPTS) test(`guarded: ${title(row.input)}`, () => check(guarded.port, row))
  for (const row of STRICTER)
    test(`stricter: ${row.why}`, () => check(guarded.port, { input: row.input, output: row.ours }))
})

const skip = existsSync(NATS_SERVER) ? false : `No nats-server at ${NATS_SERVER} (HELIO_NATS_SERVER)`
describe('a real nats-server answers the same', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'helio-bus-'))
  const children: ChildProcess[] = []
  let open = 0
  let guarded = 0
  const start = async (name: string, config: string): Promise<number> => {
    const port = await freePort()
    writeFileSync(join(folder, name), `listen: "127.0.0.1:${port}"\nmax_payload: 1000\n${config}`)
    const child = spawn(NATS_SERVER, ['-c', join(folder, name)], { stdio: ['ignore', 'ignore', 'pipe'] })
    children.push(child)
    await new Promise<void>((resolve, reject) => {
      child.stderr.on('data', (data) => String(data).includes('ready') && resolve())
      child.on('exit', reject)
    })
    return port
  }
  before(async () => {
    open = await start('open.conf', '')
    const rights = `publish: ${JSON.stringify(RIGHTS.publish)}, subscribe: ${JSON.stringify(RIGHTS.subscribe)}`
    guarded = await start(
      'guarded.conf',
      `authorization { users: [ { user: a, password: b, permissions: { ${rights} } } ] }`,
    )
  })
  after(() => {
    for (const child of children) child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  for (const row of OPEN_TRANSCRIPTS) test(title(row.input), () => check(open, row))
  for (const row of GUARDED_TRANSCRIPTS) test(`guarded: ${title(row.input)}`, () => check(guarded, row))
  for (const row of STRICTER) test(`laxer: ${row.why}`, () => check(guarded, { input: row.input, output: row.theirs }))
})
