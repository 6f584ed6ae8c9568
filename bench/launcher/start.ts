/**
 * A hub and an agent on this host, already collecting. Configuration and data live in `.data` (HELIO_DATA), are written
 * once and then left alone, so that a newcomer can edit them. Children that die are reported, never restarted.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { compileCacheFolder } from '../../agent/env/compile-cache.ts'
import { LAUNCH } from './launch-settings.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const DATA = path.resolve(process.env['HELIO_DATA'] ?? path.join(ROOT, '.data'))
const HUB = process.env['HELIO_HUB_ADDRESS'] ?? '127.0.0.1:9090'
const AGENT = process.env['HELIO_AGENT_ADDRESS'] ?? '127.0.0.1:9100'
const BUS = process.env['HELIO_BUS_ADDRESS'] ?? '127.0.0.1:4222'
const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 9000

const files = {
  hubConfig: path.join(DATA, 'hub/prometheus.yml'),
  hubData: path.join(DATA, 'hub/data'),
  agentConfig: path.join(DATA, 'agent/agent.yml'),
  agentData: path.join(DATA, 'agent/data'),
  token: path.join(DATA, 'hub/enroll.token'),
}

const hubConfig = `# Written by npm start; edit it, then: curl -X POST http://${HUB}/-/reload
global:
  scrape_interval: 15s
  evaluation_interval: 15s

scrape_configs:
  - job_name: heliograph-hub
    static_configs:
      - targets: ['${HUB}']

heliograph:
  bus:
    listen: ${BUS}
  # A one-time token for the agent that npm start runs beside this hub, in a file only this user can read.
  enrollment:
    token_file: ${files.token}
`

const agentConfig = `# Written by npm start; edit it, then: curl -X POST http://${AGENT}/-/reload
global:
  scrape_interval: 5s

agent:
  id: ${agentId(os.hostname())}

hub:
  url: http://${HUB}
  token_file: ${files.token}

nats:
  url: nats://${BUS}

storage:
  path: ${files.agentData}
  max_bytes: 256MB

exporters:
  node: {}
  nodejs: {}
`

type Child = { readonly name: string; readonly process: ChildProcess; readonly gone: Promise<number> }
const CACHE = compileCacheFolder(process.env)
const HUB_ENV = {
  ...LAUNCH.hub.env,
  ...(CACHE !== null && { NODE_COMPILE_CACHE: CACHE }),
}
const children: Child[] = []
let stopping = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0))

await checkAddresses()
writeOnce(files.hubConfig, hubConfig)
writeOnce(files.agentConfig, agentConfig)

const hub = start('hub', [...LAUNCH.hub.nodeFlags, path.join(ROOT, 'hub/main.ts')], HUB_ENV, [
  `--config.file=${files.hubConfig}`,
  `--storage.tsdb.path=${files.hubData}`,
  `--web.listen-address=${HUB}`,
  '--web.enable-lifecycle',
  '--web.enable-remote-write-receiver',
])
if (await ready(hub, `http://${HUB}/-/ready`)) {
  const agent = start('agent', [path.join(ROOT, 'agent/main.ts')], LAUNCH.agent.env, [
    `--config.file=${files.agentConfig}`,
    `--web.listen-address=${AGENT}`,
    '--web.enable-lifecycle',
  ])
  if (await ready(agent, `http://${AGENT}/-/ready`)) {
    console.log(
      `\nHeliograph is running: http://${HUB}/\n  agent metrics:  http://${AGENT}/metrics\n  data and configuration: ${DATA}\n  stop with Ctrl-C\n`,
    )
  } else if (!stopping) await stop(1)
} else if (!stopping) await stop(1)

function agentId(hostname: string): string {
  const slug = hostname
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return slug.slice(0, 63) || 'localhost'
}

function writeOnce(file: string, text: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true })
  if (!fs.existsSync(file)) fs.writeFileSync(file, text)
}

/** What answers at a taken port is another program, and would be taken for ours. Kept configuration may name others. */
async function checkAddresses(): Promise<void> {
  const kept = fs.existsSync(files.hubConfig) ? fs.readFileSync(files.hubConfig, 'utf8') : hubConfig
  const addresses = {
    HELIO_HUB_ADDRESS: HUB,
    HELIO_AGENT_ADDRESS: AGENT,
    ...(kept.includes(BUS) && { HELIO_BUS_ADDRESS: BUS }),
  }
  let free = true
  for (const [variable, address] of Object.entries(addresses)) {
    const problem = await listenProblem(address)
    if (problem === null) continue
    free = false
    console.error(
      `heliograph: cannot listen on ${address}: ${problem}; choose another address: ${variable}=127.0.0.1:PORT npm start`,
    )
  }
  if (!free) process.exit(1)
  for (const file of [files.hubConfig, files.agentConfig]) {
    if (!fs.existsSync(file)) continue
    const text = fs.readFileSync(file, 'utf8')
    const missing = [HUB, BUS].filter((address) => !text.includes(address))
    if (missing.length > 0)
      console.error(
        `heliograph: ${file} was kept and does not name ${missing.join(', ')}: edit it, or remove it to have it written anew`,
      )
  }
}

/** null = one can listen there. */
function listenProblem(address: string): Promise<string | null> {
  const colon = address.lastIndexOf(':')
  const port = Number(address.slice(colon + 1))
  if (colon < 0 || !Number.isInteger(port) || port < 1 || port > 65_535) return Promise.resolve('it is not HOST:PORT')
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const server = net.createServer()
    server.on('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRINUSE' ? 'another program does' : error.message),
    )
    server.listen({ port, ...(host !== '' && { host }) }, () => server.close(() => resolve(null)))
  })
}

function start(
  name: string,
  program: readonly string[],
  env: Readonly<Record<string, string>>,
  args: readonly string[],
): Child {
  // A group of its own: Ctrl-C reaches the children once, through stop(), and in order.
  const child = spawn(process.execPath, [...program, ...args], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...env, ...process.env },
  })
  const gone = new Promise<number>((resolve) => {
    child.on('exit', (code, signal) => {
      if (!stopping)
        console.error(`heliograph: the ${name} ended (${signal ?? `exit code ${code}`}); it is not restarted`)
      resolve(code ?? 1)
    })
    child.on('error', (error) => {
      console.error(`heliograph: the ${name} could not be started: ${error.message}`)
      resolve(1)
    })
  })
  const entryOf = { name, process: child, gone }
  children.push(entryOf)
  void gone.then(() => endWhenAllAreGone())
  return entryOf
}

async function ready(child: Child, url: string): Promise<boolean> {
  let over = false
  void child.gone.then(() => {
    over = true
  })
  const until = Date.now() + READY_TIMEOUT_MS
  while (!over && !stopping && Date.now() < until) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) })
      if (response.ok) return true
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  if (!over && !stopping)
    console.error(`heliograph: the ${child.name} was not ready within ${READY_TIMEOUT_MS / 1000} s`)
  return false
}

/** The agent first, so that its last batches still find the hub. */
async function stop(exitCode: number): Promise<void> {
  if (stopping) return
  stopping = true
  const killAll = setTimeout(() => {
    for (const child of children) child.process.kill('SIGKILL')
  }, STOP_TIMEOUT_MS)
  let worst = exitCode
  for (const child of [...children].reverse()) {
    const wasRunning = child.process.exitCode === null && child.process.signalCode === null
    child.process.kill('SIGTERM')
    const code = await child.gone
    if (wasRunning && code !== 0) {
      console.error(`heliograph: the ${child.name} exited with ${code}`)
      worst = Math.max(worst, 1)
    }
  }
  clearTimeout(killAll)
  process.exit(worst)
}

async function endWhenAllAreGone(): Promise<void> {
  const codes = await Promise.all(children.map((child) => child.gone))
  if (!stopping) process.exit(codes.every((code) => code === 0) ? 0 : 1)
}
