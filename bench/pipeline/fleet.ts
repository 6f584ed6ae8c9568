/**
 * The simulated fleet, a process of its own so that its CPU is nobody else's: one HTTP server per host, each GET is
 * answered with the host's next page, which was made after the one before was gone.
 *
 *     parent -> fleet   { id, command: 'start' | 'freeze' | 'totals' }
 *     fleet -> parent   { id, answer }
 *
 * `start` makes all hosts anew from the seed, so that every system meets the same history. After `freeze` no page is
 * given out any more (503), so that what was given out can be compared with what was stored.
 */
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { FleetCommand, FleetOptions, FleetTotals } from './fleet-client.ts'
import { type Page, SimulatedHost } from './host-model.ts'

type Ready = Page & { readonly gzipped: Buffer | null }
type Total = { samples: number; sum: number }

const options = JSON.parse(process.argv[2]!) as FleetOptions
const hosts: Host[] = []
const families = new Map<string, Total>()
let answered = 0
let refused = 0
let samples = 0
let bodyBytes = 0
let frozen = true

class Host {
  readonly #seed: number
  #model: SimulatedHost | null = null
  #page: Ready | null = null

  constructor(seed: number) {
    this.#seed = seed
  }

  reset(): void {
    this.#model = new SimulatedHost({ seed: this.#seed, series: options.series })
    this.#prepare()
  }

  serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const page = this.#page
    if (frozen || page === null) {
      response.writeHead(503).end()
      return
    }
    this.#page = null
    response.once('close', () => {
      if (response.writableFinished) count(page)
      setImmediate(() => this.#prepare())
    })
    if (page.body === null) {
      response.writeHead(503).end()
      return
    }
    const compressed = page.gzipped !== null && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))
    const body = compressed ? page.gzipped! : page.body
    bodyBytes += body.length
    response.writeHead(200, {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
      'content-length': body.length,
      ...(compressed && { 'content-encoding': 'gzip' }),
    })
    response.end(body)
  }

  #prepare(): void {
    const page = this.#model!.next()
    this.#page = { ...page, gzipped: options.compress && page.body ? gzipSync(page.body) : null }
  }
}

function count(page: Page): void {
  if (page.body === null) {
    refused++
    return
  }
  answered++
  for (const family of page.families) {
    samples += family.samples
    let total = families.get(family.name)
    if (!total) families.set(family.name, (total = { samples: 0, sum: 0 }))
    total.samples += family.samples
    total.sum += family.sum
  }
}

function start(): null {
  families.clear()
  answered = refused = samples = bodyBytes = 0
  for (const host of hosts) host.reset()
  frozen = false
  return null
}

function totals(): FleetTotals {
  return {
    answered,
    refused,
    samples,
    bodyBytes,
    families: [...families].map(([name, total]) => ({ name, ...total })),
  }
}

function obey(command: FleetCommand): unknown {
  if (command === 'start') return start()
  if (command === 'totals') return totals()
  frozen = true
  return null
}

process.on('message', (message: { id: number; command: FleetCommand }) => {
  process.send!({ id: message.id, answer: obey(message.command) })
})
process.on('disconnect', () => process.exit(0))
// The bench says when to stop: Ctrl-C in a terminal reaches the whole group.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})

const ports: number[] = []
for (let i = 0; i < options.targets; i++) {
  const host = new Host(options.seed * 1000 + i)
  hosts.push(host)
  const server = http.createServer((request, response) => host.serve(request, response))
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ports.push((server.address() as AddressInfo).port)
}
process.send!({ id: 0, answer: ports })
