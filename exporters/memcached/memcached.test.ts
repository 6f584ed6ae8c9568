import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import { createLogger, createNet, nodeDisk, systemClock } from '../../agent/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { runMemcachedCases } from './conformance.ts'
import { bySlab, createMemcachedExporter, MemcachedAnswerError, memcachedFamilies, parseStats } from './mod.ts'

const kit = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')
const folder = path.join(kit, 'exporters/memcached')
const BINARY = '/usr/bin/memcached'
const net = createNet()
after(() => net.close())

function exporterWith(flags: Flags, lines: string[] = []) {
  const log = createLogger({ level: 'error', format: 'logfmt', now: () => 0, write: (line) => lines.push(line) })
  return createMemcachedExporter({ net, disk: nodeDisk, clock: systemClock, log, flags })
}

test('the kit: expected page, settings, time values', { skip: !fs.existsSync(folder) && 'kit is absent' }, async () => {
  const results = await runMemcachedCases((name) => fs.readFileSync(path.join(folder, name), 'utf8'))
  assert.ok(results.length > 200)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test('what is not STAT or END is refused with the line that says so', () => {
  assert.throws(() => parseStats('stats', 'SERVER_ERROR out of memory\r\n'), {
    name: 'MemcachedAnswerError',
    message: 'Unexpected line in the answer to "stats": "SERVER_ERROR out of memory"; is this a memcached server?',
  })
  assert.throws(() => parseStats('stats', 'STAT pid 1\r\n'), MemcachedAnswerError)
})

test('mem_requested of the slabs stands in where the items do not say it', () => {
  const stats = new Map([['cmd_set', '0'], ...['cas_misses', 'cas_hits', 'cas_badval'].map((k) => [k, '0'] as const)])
  const slabs = bySlab(
    new Map([
      ['3:mem_requested', '7'],
      ['3:cmd_set', '2'],
      ['3:cas_hits', '1'],
      ['3:cas_badval', '0'],
    ]),
  )
  const text = formatExposition(memcachedFamilies(stats, new Map(), new Map(), slabs).families)
  assert.match(
    text,
    /# TYPE memcached_slab_mem_requested_bytes gauge\nmemcached_slab_mem_requested_bytes\{slab="3"\} 7\n/,
  )
  assert.match(text, /memcached_slab_commands_total\{command="set",slab="3",status="hit"\} 1\n/)
  assert.match(text, /memcached_up 1\n/)
  const items = new Map([['3', new Map([['mem_requested', '9']])]])
  const both = formatExposition(memcachedFamilies(stats, new Map(), items, slabs).families)
  assert.match(
    both,
    /# TYPE memcached_slab_mem_requested_bytes counter\nmemcached_slab_mem_requested_bytes\{slab="3"\} 9\n#/,
  )
})

test('an unreadable value is left out and makes memcached_up 0', () => {
  const page = memcachedFamilies(
    new Map([
      ['uptime', 'soon'],
      ['curr_items', '3'],
    ]),
    new Map(),
    new Map(),
    new Map(),
  )
  const text = formatExposition(page.families)
  assert.match(text, /memcached_up 0/)
  assert.match(text, /memcached_current_items 3/)
  assert.doesNotMatch(text, /uptime/)
  assert.equal(page.errors[0], 'uptime: "soon" is not a number')
})

for (const [flags, message] of [
  [{ 'memcached.adress': 'x' }, /^Flag memcached.adress: unknown; known are memcached.address, /],
  [{ 'memcached.address': 'nowhere' }, /must be HOST:PORT or the path of a unix socket, got "nowhere"/],
  [{ 'memcached.timeout': 'long' }, /^Flag memcached.timeout: /],
  [{ 'memcached.tls.enable': 'true', 'memcached.tls.ca-file': '/nope' }, /cannot read "\/nope"/],
] as const)
  test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(
      () => exporterWith(flags),
      (error) => error instanceof FlagError && message.test(error.message),
    )
  })

test('no server, a mute server and one that talks nonsense: memcached_up 0, one log line per kind', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => nonsense && socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  let nonsense = false
  const { port } = server.address() as AddressInfo
  const lines: string[] = []
  const exporter = exporterWith({ 'memcached.address': `127.0.0.1:${port}`, 'memcached.timeout': '60ms' }, lines)
  const page = '# HELP memcached_up Could the memcached server be reached.\n# TYPE memcached_up gauge\nmemcached_up 0\n'
  assert.equal(formatExposition(await exporter.collect()), page)
  assert.equal(formatExposition(await exporter.collect()), page)
  assert.equal(lines.length, 1)
  assert.match(lines[0]!, /i\/o timeout/)
  nonsense = true
  assert.equal(formatExposition(await exporter.collect()), page)
  assert.match(lines[1]!, /EOF/)
  server.close()
  await once(server, 'close')
  assert.equal(formatExposition(await exporter.collect()), page)
  assert.match(lines[2]!, /connection refused/)
  await assert.rejects(exporter.probe!(new URLSearchParams()), /'target' parameter must be specified/)
})

test('a real memcached, over TCP and a unix socket', {
  skip: !fs.existsSync(BINARY) && `${BINARY} is absent`,
}, async () => {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-memcached-'))
  const socketFile = path.join(temporary, 'm.sock')
  const portFile = path.join(temporary, 'port')
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const tcp = spawn(BINARY, [...user, '-l', '127.0.0.1', '-p', '-1', '-U', '0'], {
    env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile },
    stdio: 'ignore',
  })
  const unix = spawn(BINARY, [...user, '-s', socketFile], { stdio: 'ignore' })
  try {
    await until(() => fs.existsSync(portFile) && fs.existsSync(socketFile))
    const port = Number(/TCP INET: (\d+)/.exec(fs.readFileSync(portFile, 'utf8'))![1])
    await command(port, 'set foo 0 0 3\r\nbar\r\nget foo\r\nget qux\r\n', 'END\r\nEND\r\n')
    const pidFile = path.join(temporary, 'pid')
    fs.writeFileSync(pidFile, `${tcp.pid}\n`)
    const exporter = exporterWith({ 'memcached.address': `127.0.0.1:${port}`, 'memcached.pid-file': pidFile })
    const text = formatExposition(await exporter.collect())
    for (const line of [
      'memcached_up 1',
      'memcached_commands_total{command="get",status="hit"} 1',
      'memcached_commands_total{command="get",status="miss"} 1',
      'memcached_commands_total{command="set",status="hit"} 1',
      'memcached_current_items 1',
      'memcached_slab_current_items{slab="1"} 1',
      'memcached_lru_crawler_enabled 1',
    ])
      assert.ok(text.includes(`\n${line}\n`), line)
    assert.match(text, /memcached_process_resident_memory_bytes \d/)
    assert.match(text, /memcached_process_open_fds [1-9]/)
    const overUnix = formatExposition(await exporter.probe!(new URLSearchParams({ target: socketFile })))
    assert.match(overUnix, /\nmemcached_up 1\n/)
    assert.match(overUnix, /\nmemcached_current_items 0\n/)
  } finally {
    for (const child of [tcp, unix]) {
      child.kill()
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
    fs.rmSync(temporary, { recursive: true })
  }
})

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (done()) return
    await systemClock.sleep(25)
  }
  throw new Error('memcached did not start within 5 s')
}

async function command(port: number, text: string, end: string): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.write(text)
  for await (const chunk of socket) {
    answer += chunk
    if (answer.endsWith(end)) break
  }
}
