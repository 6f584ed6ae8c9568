import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../agent/env/mod.ts'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import type { Logger } from '../../protocol/env/mod.ts'
import { AutoReload } from './auto-reload.ts'
import { ConfigSources } from './config-sources.ts'
import { loadAll } from './load.ts'

const INTERVAL_MS = 30_000
const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent }

test('a change of any file that was read, and a new one where patterns look, is loaded once', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'heliograph-auto-reload-'))
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  const clock = new VirtualClock(0)
  let sources = new ConfigSources()
  let loads = 0
  const load = (): void => {
    loads++
    sources = new ConfigSources()
    const paths = { configFile: join(folder, 'prometheus.yml'), alertmanagerFile: '', environment: {} }
    loadAll(sources.recording(nodeDisk), paths)
  }
  const loadsAfterALook = async (): Promise<number> => {
    await clock.advance(INTERVAL_MS)
    const before = loads
    // What was found out by loading is no change.
    await clock.advance(INTERVAL_MS)
    return before
  }
  try {
    mkdirSync(join(folder, 'rules'))
    write('rules/a.yml', 'groups: []\n')
    write('prometheus.yml', "rule_files: ['rules/*.yml']\n")
    load()
    const watch = new AutoReload({
      clock,
      log: silent,
      intervalMs: INTERVAL_MS,
      state: () => sources.state(nodeDisk),
      reload: async () => load(),
    })
    assert.equal(await loadsAfterALook(), 1)
    write('rules/a.yml', 'groups: [{name: a, rules: [{record: x, expr: 1}]}]\n')
    assert.equal(await loadsAfterALook(), 2)
    write('rules/b.yml', 'groups: [{nonsense: 1}]\n')
    assert.equal(await loadsAfterALook(), 3, 'a new file, which cannot be loaded')
    const tried = loads
    write('rules/b.yml', 'groups: []\n')
    assert.equal(await loadsAfterALook(), tried + 1, 'the file that could not be loaded is mended')
    watch.stop()
    write('prometheus.yml', '')
    const before = loads
    await clock.advance(2 * INTERVAL_MS)
    assert.equal(loads, before)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
