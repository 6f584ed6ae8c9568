/** A real Prometheus that scrapes itself every second, on a free port. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const START_MS = 30_000

export type RunningPrometheus = { readonly url: string; stop(): Promise<void> }

const RULES = `groups:
  - name: self
    interval: 1s
    rules:
      - {alert: AlwaysFiring, expr: vector(1), labels: {severity: page}, annotations: {summary: "It fires"}}
      - {record: job:up:sum, expr: sum by (job) (up)}
`

/** Resolves once `up` has been scraped a few times. */
export async function startPrometheus(binary: string): Promise<RunningPrometheus> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-ui-'))
  const port = await freePort()
  fs.writeFileSync(path.join(folder, 'rules.yml'), RULES)
  fs.writeFileSync(
    path.join(folder, 'prometheus.yml'),
    `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ["127.0.0.1:${port}"]}]}
  - {job_name: nobody, static_configs: [{targets: ["127.0.0.1:1"]}]}
`,
  )
  const child = spawn(
    binary,
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  )
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await stopped(child)
    fs.rmSync(folder, { recursive: true, force: true })
  }
  try {
    await ready(url, child)
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}

async function ready(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_MS
  while (Date.now() < deadline) {
    if (child.exitCode !== null) throw new Error(`Prometheus exited with ${child.exitCode}`)
    const query = encodeURIComponent('count_over_time(up{job="prometheus"}[1m]) > 3')
    const answer = await fetch(`${url}/api/v1/query?query=${query}`).then(
      (response) => response.json() as Promise<{ data?: { result?: readonly unknown[] } }>,
      () => null,
    )
    if ((answer?.data?.result?.length ?? 0) > 0) return
    await delay(250)
  }
  throw new Error(`Prometheus scraped nothing within ${START_MS} ms`)
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise<void>((done) => child.once('exit', () => done()))
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000)
  await gone
  clearTimeout(timer)
}

async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as net.AddressInfo
  await new Promise((done) => server.close(done))
  return port
}
