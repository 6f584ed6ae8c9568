/**
 * A real hub with something to see on every page: targets that are up, down and dropped, a firing alert, an
 * Alertmanager, a silence to come. It scrapes itself every second, on a free port, with its own built page.
 */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { answered, freePort, stopped } from './process.ts'

const ROOT = path.join(import.meta.dirname, '../../..')
const START_MS = 120_000
const READY = 'count_over_time(up{job="hub"}[1m]) > 3 and on () ALERTS{alertname="AlwaysFiring"}'

export type RunningHub = { readonly url: string; stop(): Promise<void> }

const RULES = `groups:
  - name: self
    interval: 1s
    rules:
      - {alert: AlwaysFiring, expr: vector(1), labels: {severity: page, team: core}, annotations: {summary: "It fires"}}
      - {alert: Lesser, expr: vector(1), labels: {severity: warning, team: core}}
      - {record: job:up:sum, expr: sum by (job) (up)}
`
const ALERTMANAGER = `route: {receiver: nobody, group_wait: 1s}
receivers: [{name: nobody}]
inhibit_rules:
  - {source_matchers: ['severity="page"'], target_matchers: ['severity="warning"'], equal: [team]}
`

const scrapeConfig = (port: number): string => `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
scrape_configs:
  - {job_name: hub, static_configs: [{targets: ["127.0.0.1:${port}"], labels: {env: test}}]}
  - {job_name: nobody, static_configs: [{targets: ["127.0.0.1:1"]}]}
  - job_name: choosy
    static_configs:
      - {targets: ["127.0.0.1:${port}"], labels: {zone: inner}}
      - {targets: ["127.0.0.1:2", "127.0.0.1:3"], labels: {zone: outer}}
    relabel_configs:
      - {source_labels: [zone], target_label: place}
      - {source_labels: [zone], regex: outer, action: drop}
heliograph:
  bus: {listen: ''}
`

/** Resolves once the hub has scraped itself a few times. */
export async function startHub(): Promise<RunningHub> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-ui-hub-'))
  const port = await freePort()
  fs.writeFileSync(path.join(folder, 'rules.yml'), RULES)
  fs.writeFileSync(path.join(folder, 'alertmanager.yml'), ALERTMANAGER)
  fs.writeFileSync(path.join(folder, 'prometheus.yml'), scrapeConfig(port))
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const flags = [
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]
  const child = spawn(process.execPath, [path.join(ROOT, 'hub/main.ts'), ...flags], { env, stdio: 'pipe' })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output = (output + chunk).slice(-4000)
    })
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await stopped(child)
    fs.rmSync(folder, { recursive: true, force: true })
  }
  try {
    await answered(url, child, { name: 'The hub', query: READY, timeoutMs: START_MS })
  } catch (error) {
    await stop()
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error })
  }
  return { url, stop }
}
