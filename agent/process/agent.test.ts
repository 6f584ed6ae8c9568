import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { loadAgentConfig } from '../../protocol/config/mod.ts'
import { batchAge } from './agent.ts'
import { VERSION } from './version.ts'

const rows: readonly (readonly [name: string, yaml: string, ms: number])[] = [
  ['a twentieth of the interval', 'global: {scrape_interval: 15s}', 750],
  [
    'the shortest interval of all',
    'global: {scrape_interval: 1m}\nscrape_configs: [{job_name: a, scrape_interval: 10s}]',
    500,
  ],
  ['not below 250 ms', 'global: {scrape_interval: 1s}', 250],
  ['not above 5 s', 'global: {scrape_interval: 10m}', 5000],
  ['as configured', 'global: {scrape_interval: 15s}\nstorage: {batch_age: 5m}', 300_000],
]
for (const [name, yaml, ms] of rows) {
  test(`batches wait ${name}`, () => assert.equal(batchAge(loadAgentConfig(yaml, { file: 'agent.yml' })), ms))
}

test('the version is that of package.json', () => {
  const manifest = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    version: string
  }
  assert.equal(VERSION, manifest.version)
})
