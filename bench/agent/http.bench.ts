/**
 * What does one exchange with a target cost, without reading the page: our client beside node:http?
 *
 * Run:      node_modules/.bin/node bench/agent/http.bench.ts [exchanges]
 * Target:   a process of its own on loopback, one connection kept, a page of 1,000 samples (82 kB, 11 kB as gzip).
 * Rows:     user + system CPU of this process an exchange, after a warm-up. node:http throws its body away; ours gathers
 *           and inflates it.
 *
 * Intel Xeon (2 shared cores, load 18), Node 26.10, 4,000 exchanges: plain 35 us, gzip 95 us (by gunzipSync it was 330),
 * node:http plain 120-350 us.
 */
import { type ChildProcess, fork } from 'node:child_process'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { createNet } from '../../agent/env/net.ts'
import { SimulatedHost } from '../pipeline/host-model.ts'

function serve(): void {
  const host = new SimulatedHost({ seed: 1, series: 1000 })
  let page = host.next().body
  while (page === null) page = host.next().body
  const [plain, zipped] = [Buffer.from(page), gzipSync(page)]
  const server = http.createServer((request, response) => {
    const isGzip = String(request.headers['accept-encoding']).includes('gzip')
    const body = isGzip ? zipped : plain
    response.writeHead(200, { 'content-length': body.length, ...(isGzip && { 'content-encoding': 'gzip' }) }).end(body)
  })
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
  process.on('disconnect', () => process.exit(0))
}

async function measure(name: string, exchanges: number, ask: () => Promise<unknown>): Promise<void> {
  for (let i = 0; i < exchanges / 2; i++) await ask()
  const before = process.cpuUsage()
  for (let i = 0; i < exchanges; i++) await ask()
  const { user, system } = process.cpuUsage(before)
  console.log(`${name.padEnd(16)} ${((user + system) / exchanges).toFixed(0).padStart(6)} us an exchange`)
}

async function main(exchanges: number): Promise<void> {
  const child: ChildProcess = fork(import.meta.filename, ['serve'])
  const port = await new Promise<number>((resolve) => child.once('message', (answer) => resolve(answer as number)))
  const url = `http://127.0.0.1:${port}/metrics`
  const net = createNet()
  const ours = (encoding: string) => () =>
    net.request({
      method: 'GET',
      url,
      headers: { 'accept-encoding': encoding },
      timeoutMs: 2000,
      maxBodyBytes: 16 << 20,
      borrowBody: true,
    })
  const agent = new http.Agent({ keepAlive: true })
  const theirs = () =>
    new Promise<void>((resolve) => {
      http.get(url, { agent }, (response) => response.on('data', () => {}).on('end', resolve))
    })
  await measure('plain', exchanges, ours('identity'))
  await measure('gzip', exchanges, ours('gzip'))
  await measure('node:http plain', exchanges, theirs)
  net.close()
  agent.destroy()
  child.disconnect()
}

if (process.argv[2] === 'serve') serve()
else await main(Number(process.argv[2] ?? 1000))
