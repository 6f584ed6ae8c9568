/** Latency and CPU of one question to one system, with one client or several at once. */
import fs from 'node:fs'
import net from 'node:net'
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
const WARM_UP_MS = 800
const WARM_UP_RUNS_MAX = 3
const ALL_WARM_UP_MS = 250
/** However slow: the whole is to end some time. */
const OVER_BUDGET = 6

export async function measure(
  system: System,
  query: BenchQuery,
  { clients: count, minRuns, budgetMs }: Effort & { readonly clients: number },
): Promise<Figures> {
  const clients = Array.from({ length: count }, () => new Client(system))
  try {
    const warmUp = performance.now()
    for (let i = 0; ; i++) {
      await Promise.all(clients.map((client) => client.ask(query)))
      const tookMs = performance.now() - warmUp
      if (tookMs > WARM_UP_MS && (i + 1 >= WARM_UP_RUNS_MAX || tookMs > 3 * WARM_UP_MS)) break
    }
    const took: number[] = []
    const cpuBefore = cpuMs(system.pid)
    const begin = performance.now()
    const run = async (client: Client): Promise<void> => {
      while (took.length < minRuns * count || performance.now() - begin < budgetMs) {
        const started = performance.now()
        await client.ask(query)
        took.push(performance.now() - started)
        if (performance.now() - begin > OVER_BUDGET * budgetMs) return
      }
    }
    await Promise.all(clients.map(run))
    const cpu = (cpuMs(system.pid) - cpuBefore) / took.length
    took.sort((a, b) => a - b)
    const at = (share: number): number => took[Math.min(took.length - 1, Math.floor(share * took.length))]!
    return { p50Ms: at(0.5), p95Ms: at(0.95), cpuMs: cpu, count: took.length }
  } finally {
    for (const client of clients) client.close()
  }
}

/**
 * One connection, kept open, and one question at a time: nothing but the socket, as a client library costs several
 * times what it measures. The body is read whole, and not parsed.
 */
export class Client {
  readonly #system: System
  readonly #socket: net.Socket
  #wait: { resolve: (body: Buffer) => void; reject: (error: Error) => void } | null = null
  #parts: Buffer[] = []
  #held = 0
  /** Of the whole answer, once the head has told; -1 before, -2 when it comes in chunks. */
  #wanted = -1
  #headBytes = 0
  #status = 0

  constructor(system: System) {
    this.#system = system
    const { hostname, port } = new URL(system.url)
    this.#socket = net.connect({ host: hostname, port: Number(port), noDelay: true })
    this.#socket.on('data', (part: Buffer) => this.#receive(part))
    this.#socket.on('error', (error) => this.#wait?.reject(error))
    this.#socket.on('close', () => this.#wait?.reject(new Error(`${system.name} closed the connection`)))
  }

  ask({ path, params }: BenchQuery): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#wait = { resolve, reject }
      this.#parts = []
      this.#held = 0
      this.#wanted = -1
      const { host } = new URL(this.#system.url)
      this.#socket.write(`GET ${path}?${new URLSearchParams(params)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    })
  }

  close(): void {
    this.#wait = null
    this.#socket.destroy()
  }

  #receive(part: Buffer): void {
    this.#parts.push(part)
    this.#held += part.length
    if (this.#wanted === -1) this.#readHead()
    if (this.#wanted >= 0 ? this.#held < this.#wanted : !this.#endsChunks()) return
    const bytes = Buffer.concat(this.#parts).subarray(this.#headBytes)
    const body = this.#wanted >= 0 ? bytes : unchunked(bytes)
    const wait = this.#wait
    this.#wait = null
    if (this.#status === 200) wait?.resolve(body)
    else wait?.reject(new Error(`${this.#system.name} answered ${this.#status}: ${body.subarray(0, 300)}`))
  }

  #readHead(): void {
    const bytes = Buffer.concat(this.#parts)
    const end = bytes.indexOf('\r\n\r\n')
    if (end < 0) return
    this.#parts = [bytes]
    this.#headBytes = end + 4
    const head = bytes.subarray(0, end).toString('latin1')
    this.#status = Number(head.slice(9, 12))
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)
    this.#wanted = length ? this.#headBytes + Number(length[1]) : -2
  }

  #endsChunks(): boolean {
    if (this.#wanted !== -2) return false
    const last = this.#parts.at(-1)!
    const end = last.length < 7 ? Buffer.concat(this.#parts.slice(-3)) : last
    return end.subarray(-7).toString('latin1') === '\r\n0\r\n\r\n'
  }
}

function unchunked(bytes: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at)
    const size = Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    if (!(size > 0)) return Buffer.concat(parts)
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 2 + size + 2
  }
}

export async function askOnce(system: System, query: BenchQuery): Promise<Buffer> {
  const client = new Client(system)
  try {
    return await client.ask(query)
  } finally {
    client.close()
  }
}

/** All systems have been asked everything for a while before anything is timed: compilers need hundreds of runs. */
export async function warmUp(systems: readonly System[], queries: readonly BenchQuery[]): Promise<void> {
  for (const system of systems) {
    const clients = [new Client(system), new Client(system)]
    for (const query of queries) {
      const begin = performance.now()
      while (performance.now() - begin < ALL_WARM_UP_MS) await Promise.all(clients.map((client) => client.ask(query)))
    }
    for (const client of clients) client.close()
  }
}

/** User and system time, in clock ticks of 10 ms. */
export function cpuMs(pid: number): number {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}

export function rssMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024
}
