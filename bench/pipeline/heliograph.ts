/** Phase (a): an agent that scrapes the fleet, a hub that stores, and a counting proxy on the bus between them. */
import fs from 'node:fs'
import path from 'node:path'
import { LAUNCH } from '../launcher/launch-settings.ts'
import { checkAnswers, JOB } from './answers.ts'
import type { Fleet } from './fleet-client.ts'
import { freePort, Program } from './program.ts'
import { CountingProxy, type WireBytes } from './proxy.ts'
import { type DiskUse, diskUse } from './usage.ts'
import { measureWindow, type Schedule, type Window } from './window.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

export type HeliographResult = {
  readonly window: Window
  /** In the window: the agent's connection to the bus, both ways. */
  readonly wire: WireBytes
  /** From the first byte to the last acknowledgement, and the samples stored in that time. */
  readonly wireOfLife: WireBytes
  readonly storedSamples: number
  /** After a graceful stop. */
  readonly hubDisk: Readonly<Record<string, DiskUse>>
  readonly agentDisk: Readonly<Record<string, DiskUse>>
  readonly complaints: readonly string[]
}

/** @param profileFolder where V8's CPU profiles go, `hub/` and `agent/`; null: none are taken */
export async function runHeliograph(
  fleet: Fleet,
  schedule: Schedule,
  folder: string,
  profileFolder: string | null,
): Promise<HeliographResult> {
  const [httpPort, busPort, agentPort] = [await freePort(), await freePort(), await freePort()]
  await using proxy = await CountingProxy.listen(busPort)
  const files = writeConfigs(folder, fleet, schedule, { httpPort, busPort, proxyPort: proxy.port })
  await fleet.start()
  await using hub = start('hub', folder, profileFolder, [
    `--config.file=${files.hubConfig}`,
    `--storage.tsdb.path=${files.hubData}`,
    `--web.listen-address=127.0.0.1:${httpPort}`,
  ])
  await hub.ready(`http://127.0.0.1:${httpPort}/-/ready`)
  await using agent = start('agent', folder, profileFolder, [
    `--config.file=${files.agentConfig}`,
    `--web.listen-address=127.0.0.1:${agentPort}`,
  ])
  await agent.ready(`http://127.0.0.1:${agentPort}/-/ready`)
  const wireAt = { begin: proxy.bytes, end: proxy.bytes }
  const window = await measureWindow(fleet, [agent, hub], schedule, (edge) => {
    wireAt[edge] = proxy.bytes
  })
  await fleet.freeze()
  const storedSamples = await checkAnswers('Heliograph', `http://127.0.0.1:${httpPort}`, await fleet.totals())
  const wireOfLife = proxy.bytes
  await agent.stop()
  await hub.stop()
  return {
    window,
    wire: { up: wireAt.end.up - wireAt.begin.up, down: wireAt.end.down - wireAt.begin.down },
    wireOfLife,
    storedSamples,
    hubDisk: diskUse(files.hubData),
    agentDisk: diskUse(files.agentData),
    complaints: [...agent.complaints(), ...hub.complaints()],
  }
}

function start(name: 'agent' | 'hub', folder: string, profileFolder: string | null, args: readonly string[]): Program {
  const profiling = profileFolder === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${path.join(profileFolder, name)}`]
  return new Program({
    name,
    file: process.execPath,
    args: [...LAUNCH[name].nodeFlags, ...profiling, path.join(ROOT, name, 'main.ts'), ...args],
    logFile: path.join(folder, `${name}.log`),
    env: LAUNCH[name].env,
  })
}

type Ports = { readonly httpPort: number; readonly busPort: number; readonly proxyPort: number }

function writeConfigs(folder: string, fleet: Fleet, { intervalMs }: Schedule, ports: Ports) {
  const files = {
    hubConfig: path.join(folder, 'prometheus.yml'),
    hubData: path.join(folder, 'hub'),
    agentConfig: path.join(folder, 'agent.yml'),
    agentData: path.join(folder, 'agent'),
    token: path.join(folder, 'enroll.token'),
  }
  fs.mkdirSync(files.agentData, { recursive: true })
  fs.writeFileSync(
    files.hubConfig,
    `heliograph:
  bus:
    listen: 127.0.0.1:${ports.busPort}
  enrollment:
    token_file: ${files.token}
`,
  )
  fs.writeFileSync(
    files.agentConfig,
    `global:
  scrape_interval: 15s
agent:
  id: bench-agent
hub:
  url: http://127.0.0.1:${ports.httpPort}
  token_file: ${files.token}
nats:
  url: nats://127.0.0.1:${ports.proxyPort}
storage:
  path: ${files.agentData}
  max_bytes: 256MB
${scrapeConfigs(fleet, intervalMs)}`,
  )
  return files
}

/** The same text for both systems. */
export function scrapeConfigs(fleet: Fleet, intervalMs: number): string {
  return `scrape_configs:
  - job_name: ${JOB}
    scrape_interval: ${intervalMs}ms
    scrape_timeout: ${intervalMs}ms
    static_configs:
      - targets: [${fleet.addresses.map((address) => `'${address}'`).join(', ')}]
`
}
