/**
 * Does a scrape of the agent's node exporter cost more CPU than one of the real node exporter?
 *
 * Run:      HELIO_PEERS=… node_modules/.bin/node bench/agent/node-exporter.bench.ts [scrapes per round] [rounds]
 * Both:     their default collectors, over HTTP, in interleaved rounds; CPU seconds of each process from procfs.
 *
 * 2 shared cores, Node 26.10, node exporter 1.11.1, 4 rounds of 100: 11.2-12.9 ms a scrape against 14.2-17.9, 0.74 ×.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { freePort, ROOT, until } from '../e2e/world.ts'
import { peer } from '../peers/peers.ts'

const TICKS_PER_SECOND = 100
const WARM_UP = 50
const [scrapes = 100, rounds = 4] = process.argv.slice(2).map(Number)

const real = peer('node-exporter')
if (real.path === null) throw new Error(real.reason)
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-bench-node-'))
const config = path.join(folder, 'agent.yml')
const storage = `storage: { path: '${folder}/data', max_bytes: 16MB }`
fs.writeFileSync(config, `global: { scrape_interval: 1h }\nagent: { id: bench }\n${storage}\nexporters: { node: {} }\n`)

/** CPU seconds so far, of all threads. */
function cpuSeconds(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

async function read(url: string): Promise<number> {
  return (await (await fetch(url)).text()).length
}

const [theirPort, ourPort] = [await freePort(), await freePort()]
// Debian's package has other defaults than upstream: a longer list of file systems left out, textfile, systemd.
const defaults = [
  '--no-collector.systemd',
  '--collector.textfile.directory=',
  '--collector.filesystem.mount-points-exclude=^/(dev|proc|run/credentials/.+|sys)($|/)',
]
const theirs = spawn(real.path, [`--web.listen-address=127.0.0.1:${theirPort}`, ...defaults], { stdio: 'ignore' })
const agent = ['agent/main.ts', `--config.file=${config}`, `--web.listen-address=127.0.0.1:${ourPort}`]
const ours = spawn(process.execPath, agent, { cwd: ROOT, stdio: 'ignore' })
try {
  const sides = [
    { name: 'theirs', pid: theirs.pid!, url: `http://127.0.0.1:${theirPort}/metrics`, total: 0 },
    { name: 'ours', pid: ours.pid!, url: `http://127.0.0.1:${ourPort}/metrics/node`, total: 0 },
  ]
  for (const { name, url } of sides) {
    const bytes = await until(`${name} answers`, () => read(url))
    for (let i = 0; i < WARM_UP; i++) await read(url)
    console.log(`${name}: ${bytes} bytes a page`)
  }
  for (let round = 0; round < rounds; round++) {
    const costs: string[] = []
    for (const side of sides) {
      const before = cpuSeconds(side.pid)
      for (let i = 0; i < scrapes; i++) await read(side.url)
      const spent = cpuSeconds(side.pid) - before
      side.total += spent
      costs.push(`${side.name} ${((spent / scrapes) * 1000).toFixed(1)} ms`)
    }
    console.log(`round ${round + 1}: ${costs.join(', ')} of CPU a scrape`)
  }
  console.log(`ratio ${(sides[1]!.total / sides[0]!.total).toFixed(2)}`)
} finally {
  theirs.kill()
  ours.kill()
  fs.rmSync(folder, { recursive: true, force: true })
}
