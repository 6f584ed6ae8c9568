/** Latency and CPU of one question to one system, with one client or several at once. */
import fs from 'node:fs'
import http from 'node:http'
import type { BenchQuery } from './queries.ts'

export type System = { readonly name: string; readonly url: string; readonly pid: number }

export type Figures = {
  readonly p50Ms: number
  readonly p95Ms: number
  /** Of the server's process, all threads. */
  readonly cpuMs: number
  readonly count: number
}

export type Effort = { readonly minRuns: number; readonly budgetMs: number }

/** Compilers, caches and idle workers have their time; all systems have the same. */
const WARM_UP_RUNS = 3
const WARM_UP_MS = 1000

export async function measure(
  system: System,
  query: BenchQuery,
  { clients, minRuns, budgetMs }: Effort & { readonly clients: number },
): Promise<Figures> {
  // Keep-alive, as every client of these systems does.
  const agent = new http.Agent({ keepAlive: true, maxSockets: clients })
  try {
    const warmUp = performance.now()
    for (let i = 0; i < WARM_UP_RUNS || performance.now() - warmUp < WARM_UP_MS; i++)
      await Promise.all(Array.from({ length: clients }, () => ask(system, query, agent)))
    const took: number[] = []
    const cpuBefore = cpuMs(system.pid)
    const begin = performance.now()
    const client = async (): Promise<void> => {
      while (took.length < minRuns * clients || performance.now() - begin < budgetMs) {
        const started = performance.now()
        await ask(system, query, agent)
        took.push(performance.now() - started)
        if (performance.now() - begin > 20 * budgetMs) return
      }
    }
    await Promise.all(Array.from({ length: clients }, client))
    const cpu = (cpuMs(system.pid) - cpuBefore) / took.length
    took.sort((a, b) => a - b)
    const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(share * took.length))]!
    return { p50Ms: at(0.5), p95Ms: at(0.95), cpuMs: cpu, count: took.length }
  } finally {
    agent.destroy()
  }
}

/** The body; read whole, and not parsed: that is the client's cost. */
export function ask(system: System, { path, params }: BenchQuery, agent?: http.Agent): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const url = `${system.url}${path}?${new URLSearchParams(params)}`
    const request = http.get(url, { ...(agent && { agent }) }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        const body = Buffer.concat(chunks)
        if (response.statusCode === 200) resolve(body)
        else reject(new Error(`${system.name} answered ${response.statusCode}: ${body.subarray(0, 300).toString()}`))
      })
    })
    request.on('error', reject)
  })
}

/** User and system time, in clock ticks of 10 ms. */
function cpuMs(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

export function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}
