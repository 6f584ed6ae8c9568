/** A real Prometheus that scrapes itself every second, on a free port. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { answered, freePort, stopped } from './process.ts'

const START_MS = 120_000
const READY = 'count_over_time(up{job="prometheus"}[1m]) > 3'

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
    await answered(url, child, { name: 'Prometheus', query: READY, timeoutMs: START_MS })
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}
