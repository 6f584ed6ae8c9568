/** The memcached exporter over real sockets, without an agent around it: a real memcached, and what is none. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import path from 'node:path'
import { after, test } from 'node:test'
import { createNet } from '../../../agent/env/mod.ts'
import type { Flags } from '../../../exporters/contract.ts'
import { createMemcachedExporter } from '../../../exporters/memcached/mod.ts'
import { logTo, temporaryFolder, testEnv } from '../../../exporters/testing/env.ts'
import { formatExposition } from '../../../protocol/exposition/mod.ts'
import { until } from '../client.ts'

const BINARY = '/usr/bin/memcached'
const net = createNet()
after(() => net.close())

const exporterWith = (flags: Flags, lines: string[] = []) =>
  createMemcachedExporter({ ...testEnv, net, log: logTo((line) => lines.push(line)), flags })

test('no server, a mute server and one that talks nonsense: memcached_up 0, one log line per kind', async (t) => {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => nonsense && socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  let nonsense = false
  const { port } = server.address() as AddressInfo
  const lines: string[] = []
  const exporter = exporterWith({ 'memcached.address': `127.0.0.1:${port}`, 'memcached.timeout': '2s' }, lines)
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
  const temporary = temporaryFolder()
  const socketFile = path.join(temporary, 'm.sock')
  const portFile = path.join(temporary, 'port')
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const tcp = spawn(BINARY, [...user, '-l', '127.0.0.1', '-p', '-1', '-U', '0'], {
    env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile },
    stdio: 'ignore',
  })
  const unix = spawn(BINARY, [...user, '-s', socketFile], { stdio: 'ignore' })
  try {
    await until('memcached has its port', () => fs.existsSync(portFile))
    await until('memcached has its socket', () => connects(socketFile))
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
  }
})

function connects(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
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
