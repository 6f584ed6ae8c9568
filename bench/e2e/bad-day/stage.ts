/** Where a bad day happens: a folder, ports, programs; all of it gone when the test ends, however it ends. */
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runtimeVerifier } from '../../../agent/env/ed25519.ts'
import { createLogger, nodeDisk, systemClock, systemRandom } from '../../../agent/env/mod.ts'
import { runtimeSha256 } from '../../../agent/env/sha256.ts'
import { type AgentRegistry, createRegistry } from '../../../hub/agents/mod.ts'
import { generateSeed, publicKeyOfSeed } from '../../../protocol/identity/mod.ts'
import { Program } from './program.ts'

export const isLong = process.env['HELIO_LONG'] === '1'

export class Stage {
  readonly folder: string
  readonly #programs: Program[] = []
  readonly #closers: (() => unknown)[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  /** Torn down after the test `t`; its programs' last words are shown when it fails. */
  static open(t: TestContext): Stage {
    const stage = new Stage(fs.mkdtempSync(path.join(os.tmpdir(), 'helio-bad-day-')))
    t.after(async () => {
      if (!t.passed) for (const program of stage.#programs) t.diagnostic(`${program.name}:\n${program.lastWords(25)}`)
      await stage.#close()
    })
    return stage
  }

  path(name: string): string {
    return path.join(this.folder, name)
  }

  write(name: string, text: string): string {
    const file = this.path(name)
    fs.mkdirSync(path.dirname(file), { recursive: true })
    fs.writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  /** Before the folder goes. */
  onClose(fn: () => unknown): void {
    this.#closers.push(fn)
  }

  program(options: ConstructorParameters<typeof Program>[0]): Program {
    const program = new Program(options)
    this.#programs.push(program)
    return program
  }

  async #close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close()
    await Promise.all(this.#programs.map((program) => program.end()))
    fs.rmSync(this.folder, { recursive: true, force: true })
  }
}

/**
 * A port that is free now and that no outgoing connection will be given: a program that is killed finds it free again.
 * (A client that dials a dead port in the ephemeral range may even connect to itself.)
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000)
    const server = net.createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen({ host: '127.0.0.1', port }, () => resolve(true))
    })
    await new Promise((resolve) => server.close(resolve))
    if (isFree) return port
  }
}

export type HubHandle = {
  readonly program: Program
  readonly url: string
  readonly busUrl: string
  readonly dataPath: string
  /** A new agent's key, approved before the hub starts. */
  readonly enrol: (agent: string) => string
}

export type HubSetup = {
  /** A real NATS; default the embedded bus. */
  readonly natsUrl?: string
  readonly dataPath?: string
  readonly flags?: readonly string[]
  readonly config?: string
}

/** A hub that is configured and not yet started. */
export async function hubOn(stage: Stage, setup: HubSetup = {}): Promise<HubHandle> {
  const [port, busPort] = [await freePort(), await freePort()]
  const dataPath = setup.dataPath ?? stage.path('hub')
  const busUrl = setup.natsUrl ?? `nats://127.0.0.1:${busPort}`
  const bus = setup.natsUrl ? `  nats:\n    url: ${setup.natsUrl}` : `  bus:\n    listen: 127.0.0.1:${busPort}`
  const config = stage.write('hub.yml', `heliograph:\n${bus}\n${setup.config ?? ''}`)
  const url = `http://127.0.0.1:${port}`
  const program = stage.program({
    name: 'hub',
    args: [
      'hub/main.ts',
      `--config.file=${config}`,
      `--storage.tsdb.path=${dataPath}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      ...(setup.flags ?? []),
    ],
    readyUrl: `${url}/-/ready`,
  })
  const registry = registryAt(dataPath)
  const enrol = (agent: string): string => {
    const seed = generateSeed(systemRandom)
    registry.approve({ agent, publicKey: publicKeyOfSeed(seed) })
    return seed
  }
  return { program, url, busUrl, dataPath, enrol }
}

/** The registry of a hub that is not running. */
export function registryAt(dataPath: string): AgentRegistry {
  fs.mkdirSync(dataPath, { recursive: true })
  return createRegistry({
    disk: nodeDisk,
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ level: 'error', format: 'logfmt', now: systemClock.now }),
    verifier: runtimeVerifier(),
    sha256: runtimeSha256.sha256,
    path: `${dataPath}/agents.json`,
  })
}

export type AgentHandle = { readonly program: Program; readonly url: string; readonly name: string }

export type AgentSetup = {
  readonly hub: HubHandle
  readonly name: string
  /** `scrape_configs` and whatever else, as YAML. */
  readonly config: string
  readonly maxBytes?: string
}

/** An agent with an approved key, configured and not yet started; it scrapes every second and seals every second. */
export async function agentOn(stage: Stage, { hub, name, config, maxBytes }: AgentSetup): Promise<AgentHandle> {
  const port = await freePort()
  stage.write(`${name}/agent.nk`, `${hub.enrol(name)}\n`)
  const file = stage.write(
    `${name}.yml`,
    `global:\n  scrape_interval: 1s\n  scrape_timeout: 1s\nagent:\n  id: ${name}\nhub:\n  url: ${hub.url}\nnats:\n  url: ${hub.busUrl}\nstorage:\n  path: ${stage.path(name)}\n  batch_age: 1s\n  max_bytes: ${maxBytes ?? '64MB'}\n${config}`,
  )
  const url = `http://127.0.0.1:${port}`
  const program = stage.program({
    name,
    args: ['agent/main.ts', `--config.file=${file}`, `--web.listen-address=127.0.0.1:${port}`],
    readyUrl: `${url}/-/ready`,
  })
  return { program, url, name }
}

/** Polls until `check` gives something other than null, undefined or false; errors count as "not yet". */
export async function eventually<T>(
  what: string,
  timeoutMs: number,
  check: () => Promise<T | null | undefined | false> | T | null | undefined | false,
): Promise<T> {
  const until = performance.now() + timeoutMs
  let last: unknown = 'it did not come about'
  for (;;) {
    try {
      const found = await check()
      if (found !== null && found !== undefined && found !== false) return found
      last = 'it did not come about'
    } catch (error) {
      last = error
    }
    if (performance.now() > until) throw new Error(`Not within ${timeoutMs} ms: ${what}`, { cause: last })
    await sleep(100)
  }
}

/** A small generator with a seed (mulberry32): a failing run can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** HELIO_SEED, or a new one. */
export const pickSeed = (): number => Number(process.env['HELIO_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
