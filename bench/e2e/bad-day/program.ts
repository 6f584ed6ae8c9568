/** A real process under test: its log is kept, it is waited for, killed and started again with the same words. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = path.resolve(import.meta.dirname, '../../..')
/** Of each program, over all its lives: what a failing test shows and what assertions search. */
const MAX_LOG_LINES = 20_000

export type ProgramOptions = {
  readonly name: string
  /** The executable; default: this Node. */
  readonly command?: string
  readonly args: readonly string[]
  /** Answers 2xx once the program is ready; null: ready at once. */
  readonly readyUrl: string | null
}

export class Program {
  readonly name: string
  /** Of all lives, in order. */
  readonly log: string[] = []
  readonly #options: ProgramOptions
  #child: ChildProcess | null = null
  #gone: Promise<string> = Promise.resolve('never started')

  constructor(options: ProgramOptions) {
    this.name = options.name
    this.#options = options
  }

  get pid(): number {
    return this.#child!.pid!
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Begins a life; `ready` waits for the rest. */
  spawn(): void {
    const child = spawn(this.#options.command ?? process.execPath, this.#options.args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [child.stdout, child.stderr]) {
      let rest = ''
      stream.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n')
        rest = lines.pop()!
        this.log.push(...lines)
        if (this.log.length > MAX_LOG_LINES) this.log.splice(0, this.log.length - MAX_LOG_LINES)
      })
    }
    this.#child = child
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
  }

  /** Resolves to the ms since the call; a program that ends instead fails with its last words. */
  async ready(timeoutMs = 30_000): Promise<number> {
    const startedMs = performance.now()
    let ended: string | null = null
    void this.#gone.then((how) => {
      ended = how
    })
    while (this.#options.readyUrl !== null) {
      if (ended !== null) throw new Error(`${this.name} ended (${ended}) before it was ready:\n${this.lastWords()}`)
      if (performance.now() - startedMs > timeoutMs)
        throw new Error(`${this.name} was not ready within ${timeoutMs} ms:\n${this.lastWords()}`)
      if (await answers(this.#options.readyUrl)) break
      await sleep(20)
    }
    return performance.now() - startedMs
  }

  async start(): Promise<number> {
    this.spawn()
    return this.ready()
  }

  /** Sends the signal and waits for the end; resolves to how it ended. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<string> {
    this.#child?.kill(signal)
    return this.#gone
  }

  signal(signal: NodeJS.Signals): void {
    this.#child!.kill(signal)
  }

  /** Resolves to how it ended, by itself. */
  ended(): Promise<string> {
    return this.#gone
  }

  lastWords(lines = 40): string {
    return this.log.slice(-lines).join('\n')
  }

  /** Resident memory now, in bytes. */
  residentBytes(): number {
    const status = fs.readFileSync(`/proc/${this.pid}/status`, 'utf8')
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024
  }

  /** CPU seconds since its start, all threads. */
  cpuSeconds(): number {
    const fields = fs.readFileSync(`/proc/${this.pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
    // utime and stime in clock ticks, of which Linux shows 100 a second on every architecture.
    return (Number(fields[11]) + Number(fields[12])) / 100
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) })
    await response.arrayBuffer()
    return response.ok
  } catch {
    return false
  }
}
