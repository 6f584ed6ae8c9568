import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Logger } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { createNet, nodeDisk, systemClock } from '../env/mod.ts'
import { ScrapeManager } from './manager.ts'
import { httpSource, type ScrapeTargetInput, withTargetDefaults } from './target.ts'
import { MemorySink } from './testing/memory-sink.ts'

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }
const INTERVAL_MS = 2000
/** Of those that never answer; the good one has all its interval, on a busy machine too. */
const BAD_TIMEOUT_MS = 1500
const BODY_LIMIT = 256 * 1024

type Handler = (request: IncomingMessage, response: ServerResponse) => void

async function listen(handler: Handler): Promise<{ address: string; close: () => void }> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    address: `127.0.0.1:${port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** A few kB that become 32 MB. */
const BOMB = gzipSync(Buffer.alloc(32 * 1024 * 1024, '# zeros\n'))
const TEXT = { 'content-type': 'text/plain; version=0.0.4' }
const good: Handler = (_, response) => response.writeHead(200, TEXT).end('x 1\n')

/** Servers that misbehave, and what their target's last error must be. */
const bad: readonly (readonly [name: string, handler: Handler, error: RegExp])[] = [
  ['slow', () => {}, /context deadline exceeded/],
  [
    'endless',
    (_, response) => {
      response.writeHead(200, TEXT)
      const line = 'endless{a="b"} 1\n'.repeat(100)
      const more = (): void => {
        if (response.destroyed) return
        if (response.write(line)) setImmediate(more)
        else response.once('drain', more)
      }
      more()
    },
    /body size limit exceeded/,
  ],
  [
    'trickling',
    (_, response) => {
      response.writeHead(200, TEXT)
      const timer = setInterval(() => response.write('x 1\n'), 20)
      response.on('close', () => clearInterval(timer))
    },
    /context deadline exceeded/,
  ],
  [
    'huge when inflated',
    (_, response) => {
      response.writeHead(200, { ...TEXT, 'content-encoding': 'gzip' })
      response.end(BOMB)
    },
    /body size limit exceeded/,
  ],
  [
    'lying about its length',
    (_, response) => {
      response.writeHead(200, { ...TEXT, 'content-length': '1000' })
      response.write('x 1\n')
      setTimeout(() => response.destroy(), 10)
    },
    /EOF|reset|aborted/,
  ],
  [
    'lying about its encoding',
    (_, response) => response.writeHead(200, { ...TEXT, 'content-encoding': 'gzip' }).end('x 1\n'),
    /gzip|header/i,
  ],
  ['rude', (request) => request.socket.destroy(), /EOF|reset/],
  [
    'not text',
    (_, response) => response.writeHead(200, TEXT).end(Buffer.from([0xff, 0xfe, 1, 2, 3])),
    /expected a valid start token/,
  ],
]

test('slow, endless, huge and lying targets cost bounded memory and only their own up', async () => {
  const servers = await Promise.all([listen(good), ...bad.map(([, handler]) => listen(handler))])
  const net = createNet()
  const sink = new MemorySink()
  const manager = new ScrapeManager({
    clock: systemClock,
    net,
    disk: nodeDisk,
    log: silent,
    sink,
    offsetSeed: 'loopback',
    userAgent: 'Heliograph/test',
  })
  try {
    const target = (name: string, address: string): ScrapeTargetInput => ({
      job: 'loopback',
      source: httpSource({ address }),
      labels: labelsFrom({ instance: name, job: 'loopback' }),
      intervalMs: INTERVAL_MS,
      timeoutMs: name === 'good' ? INTERVAL_MS : BAD_TIMEOUT_MS,
      limits: { bodyBytes: BODY_LIMIT },
    })
    const names = ['good', ...bad.map(([name]) => name)]
    await manager.apply(names.map((name, i) => withTargetDefaults(target(name, servers[i]!.address))))
    const before = process.memoryUsage().rss
    // On a busy host an answer may come after its time: each is asked again until it has shown what it is.
    const judge = (): void => {
      const status = new Map(manager.targets().map((each) => [each.labels[1]!, each] as const))
      assert.equal(status.get('good')?.health, 'up')
      for (const [name, , error] of bad) {
        assert.equal(status.get(name)?.health, 'down', name)
        assert.match(status.get(name)?.lastError ?? '', error, name)
      }
      const count = sink.scrapes.filter(({ target: key }) => key.startsWith('loopback/good/')).length
      assert.ok(count >= 3, `${count} scrapes of the good target`)
    }
    for (let tries = 0; ; tries++) {
      await systemClock.sleep(INTERVAL_MS)
      try {
        judge()
        break
      } catch (error) {
        if (tries === 60) throw error
      }
    }
    const grown = process.memoryUsage().rss - before
    const goodScrapes = sink.scrapes.filter(({ target: key }) => key.startsWith('loopback/good/'))
    assert.ok(goodScrapes.every((scrape) => sink.report(scrape, 'up') === 1))
    assert.ok(grown < 150 * 1024 * 1024, `${Math.round(grown / 1e6)} MB more`)
  } finally {
    await manager.stop()
    for (const server of servers) server.close()
  }
})
