/** What the bad-day tests share beyond the world: approved keys, seeded chance, gaps, counters, resources of a process. */
import fs from 'node:fs'
import { runtimeVerifier } from '../../../agent/env/ed25519.ts'
import { createLogger, nodeDisk, systemClock, systemRandom } from '../../../agent/env/mod.ts'
import { runtimeSha256 } from '../../../agent/env/sha256.ts'
import { type AgentRegistry, createRegistry } from '../../../hub/agents/mod.ts'
import { generateSeed, publicKeyOfSeed } from '../../../protocol/identity/mod.ts'
import type { Agent, Hub, Program, Server } from '../world.ts'

/** HELIO_LONG=1: the recorded runs with the counts of reliability.md; else what every change can afford. */
export const isLong = process.env['HELIO_LONG'] === '1'

/** The registry of a hub that does not run. */
export function registryOf(hub: Hub): AgentRegistry {
  fs.mkdirSync(hub.dataFolder, { recursive: true })
  return createRegistry({
    disk: nodeDisk,
    clock: systemClock,
    random: systemRandom,
    log: createLogger({ level: 'error', format: 'logfmt', now: systemClock.now }),
    verifier: runtimeVerifier(),
    sha256: runtimeSha256.sha256,
    path: `${hub.dataFolder}/agents.json`,
  })
}

/** A new key for an agent id, approved at a hub that does not run; returns the seed. */
export function approvedSeed(hub: Hub, agent: string): string {
  const seed = generateSeed(systemRandom)
  registryOf(hub).approve({ agent, publicKey: publicKeyOfSeed(seed) })
  return seed
}

/** Gives a prepared agent a key that the (not yet running) hub has approved: one-time tokens are for one agent. */
export function approveAgent(hub: Hub, agent: Agent): void {
  fs.mkdirSync(agent.dataFolder, { recursive: true })
  fs.writeFileSync(`${agent.dataFolder}/agent.nk`, `${approvedSeed(hub, agent.id)}\n`, { mode: 0o600 })
}

export type Gap = {
  readonly target: string
  readonly fromMs: number
  readonly toMs: number
  readonly intervalMs: number
  readonly reason: string
}

export async function gapsOf(hub: Server, agent: string): Promise<readonly Gap[]> {
  const response = await fetch(`${hub.url}/api/v1/agents/${agent}/gaps`)
  const { data } = (await response.json()) as { data: { gaps: Gap[] } }
  return data.gaps
}

/** A program's `/metrics`: values by name and labels as printed. */
export async function metricsOf(program: Server): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${program.url}/metrics`)
  const out = new Map<string, number>()
  for (const line of (await response.text()).split('\n')) {
    if (line === '' || line.startsWith('#')) continue
    const at = line.lastIndexOf(' ')
    out.set(line.slice(0, at), Number(line.slice(at + 1)))
  }
  return out
}

/** Resident memory now. */
export function residentBytes({ pid }: Pick<Program, 'pid'>): number {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024
}

/** CPU time since the process began, of all its threads. */
export function cpuSeconds({ pid }: Pick<Program, 'pid'>): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  // utime and stime in clock ticks, of which Linux shows 100 a second on every architecture.
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/**
 * From now on: the share of the time in which a program's main thread wanted a CPU that it also had one. Below 1 on a host
 * that is busy otherwise; 1 where the kernel does not tell.
 */
export function watchShare({ pid }: Pick<Program, 'pid'>): () => number {
  const times = (): readonly [ranNs: number, waitedNs: number] => {
    try {
      const [ran, waited] = fs.readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ').map(Number)
      return [ran!, waited!]
    } catch {
      return [0, 0]
    }
  }
  const [ranBefore, waitedBefore] = times()
  return () => {
    const [ran, waited] = times()
    return ran > ranBefore ? (ran - ranBefore) / (ran - ranBefore + waited - waitedBefore) : 1
  }
}

/** A small generator with a seed (mulberry32): a failing run can be repeated with HELIO_SEED. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export const pickSeed = (): number => Number(process.env['HELIO_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

/** The value below which the share `p` of the numbers lies. */
export function percentile(numbers: readonly number[], p: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN
}
