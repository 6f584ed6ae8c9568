/** The three systems under one roof: how each is started, written to, asked, brought to compact, and weighed. */
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { compileCacheFolder } from '../../agent/env/compile-cache.ts'
import { LAUNCH } from '../launcher/launch-settings.ts'
import { peer } from '../peers/peers.ts'
import { freePort, Program } from '../pipeline/program.ts'
import { diskUse } from '../pipeline/usage.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const READY_MS = 180_000
const COMPACT_MS = 150_000

export type SystemName = 'Heliograph' | 'Prometheus' | 'VictoriaMetrics'

export type Running = {
  readonly program: Program
  readonly url: string
  readonly writeUrl: string
}

export interface System {
  readonly name: SystemName
  readonly version: string
  /** It acknowledges before the disk has what it acknowledges. */
  readonly mayLose: boolean
  /** Resolves when it is ready. */
  start(folder: string): Promise<Running>
  /** Everything written so far is compacted as far as the system will; returns the bytes that hold it. */
  compactedBytes(running: Running, folder: string): Promise<number>
}

/** Those that can be had; the others with the reason. */
export function systems(profileFolder: string | null): { readonly found: System[]; readonly missing: string[] } {
  const found: System[] = [heliograph(profileFolder)]
  const missing: string[] = []
  for (const [name, make] of [
    ['prometheus', prometheus],
    ['victoria-metrics', victoriaMetrics],
  ] as const) {
    const program = peer(name)
    if (program.path === null) missing.push(program.reason)
    else found.push(make(program.path, program.version))
  }
  return { found, missing }
}

function heliograph(profileFolder: string | null): System {
  const cache = compileCacheFolder(process.env)
  return {
    name: 'Heliograph',
    version: 'this tree',
    mayLose: false,
    async start(folder) {
      const { port, url } = await place(folder, 'heliograph.yml', 'global: {}\n')
      const profiling = profileFolder === null ? [] : ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`]
      const program = new Program({
        name: 'hub',
        file: process.execPath,
        args: [
          ...LAUNCH.hub.nodeFlags,
          ...profiling,
          path.join(ROOT, 'hub/main.ts'),
          `--config.file=${folder}/heliograph.yml`,
          `--storage.tsdb.path=${folder}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--web.enable-remote-write-receiver',
        ],
        logFile: `${folder}/heliograph.log`,
        env: { ...LAUNCH.hub.env, ...(cache !== null && { NODE_COMPILE_CACHE: cache }) },
      })
      await program.ready(`${url}/-/ready`, READY_MS, 10)
      return { program, url, writeUrl: `${url}/api/v1/write` }
    },
    async compactedBytes({ url }, folder) {
      // Blocks of ranges that are over are cut and merged within a minute; then the head holds nothing of them.
      let before = -1
      let still = 0
      for (const until = Date.now() + COMPACT_MS; Date.now() < until && still < 6; await sleep(2000)) {
        const text = await (await fetch(`${url}/metrics`)).text()
        const loaded = Number(/^prometheus_tsdb_blocks_loaded (\S+)/m.exec(text)?.[1] ?? 0)
        const done = Number(/^prometheus_tsdb_compactions_total (\S+)/m.exec(text)?.[1] ?? 0)
        still = loaded > 0 && done === before ? still + 1 : 0
        before = done
      }
      if (still < 6) throw new Error('Heliograph did not finish its blocks in time')
      const uses = diskUse(`${folder}/data`)
      const bytes = Object.entries(uses).filter(([entry]) => entry === 'blocks')
      return bytes.reduce((sum, [, use]) => sum + use.bytes, 0)
    },
  }
}

function prometheus(binary: string, version: string): System {
  return {
    name: 'Prometheus',
    version,
    mayLose: false,
    async start(folder) {
      const { port, url } = await place(folder, 'prometheus.yml', 'global: {}\n')
      const program = new Program({
        name: 'prometheus',
        file: binary,
        args: [
          `--config.file=${folder}/prometheus.yml`,
          `--storage.tsdb.path=${folder}/data`,
          `--web.listen-address=127.0.0.1:${port}`,
          '--web.enable-remote-write-receiver',
          '--web.enable-admin-api',
        ],
        logFile: `${folder}/prometheus.log`,
      })
      await program.ready(`${url}/-/ready`, READY_MS, 10)
      return { program, url, writeUrl: `${url}/api/v1/write` }
    },
    async compactedBytes({ url }, folder) {
      // A snapshot writes the head as a block, and links the blocks that are there.
      const answer = await fetch(`${url}/api/v1/admin/tsdb/snapshot`, { method: 'POST' })
      const { data } = (await answer.json()) as { data: { name: string } }
      return total(`${folder}/data/snapshots/${data.name}`)
    },
  }
}

function victoriaMetrics(binary: string, version: string): System {
  return {
    name: 'VictoriaMetrics',
    version,
    mayLose: true,
    async start(folder) {
      const { port, url } = await place(folder, 'unused.yml', '')
      const program = new Program({
        name: 'victoria-metrics',
        file: binary,
        args: [
          `-storageDataPath=${folder}/data`,
          `-httpListenAddr=127.0.0.1:${port}`,
          '-retentionPeriod=10y',
          '-search.latencyOffset=0s',
          '-search.disableCache',
          '-selfScrapeInterval=0',
        ],
        logFile: `${folder}/victoria-metrics.log`,
      })
      await program.ready(`${url}/health`, READY_MS, 10)
      return { program, url, writeUrl: `${url}/api/v1/write` }
    },
    async compactedBytes({ url }, folder) {
      await fetch(`${url}/internal/force_flush`)
      await fetch(`${url}/internal/force_merge`)
      let before = -1
      for (const until = Date.now() + COMPACT_MS; Date.now() < until; ) {
        await sleep(5000)
        const text = await (await fetch(`${url}/metrics`)).text()
        const active = [...text.matchAll(/^vm_active_merges\{[^}]*\} (\S+)/gm)].reduce(
          (sum, [, n]) => sum + Number(n),
          0,
        )
        const bytes = total(`${folder}/data`)
        if (active === 0 && bytes === before) return bytes
        before = bytes
      }
      throw new Error('VictoriaMetrics did not finish merging in time')
    },
  }
}

async function place(folder: string, configName: string, config: string): Promise<{ port: number; url: string }> {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(`${folder}/${configName}`, config)
  const port = await freePort()
  return { port, url: `http://127.0.0.1:${port}` }
}

function total(directory: string): number {
  return Object.values(diskUse(directory)).reduce((sum, { bytes }) => sum + bytes, 0)
}
