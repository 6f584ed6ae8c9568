/** A real program as a child: started, found ready, stopped, its log at hand when something goes wrong. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const READY_MS = 30_000
const STOP_MS = 30_000
const TAIL_LINES = 15

export type ProgramOptions = {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly logFile: string
  readonly env?: Readonly<Record<string, string>>
}

const running = new Set<ChildProcess>()

/** At the end of the bench, however it comes: no orphans. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL')
}

export class Program implements AsyncDisposable {
  readonly name: string
  readonly #child: ChildProcess
  readonly #gone: Promise<string>
  readonly #logFile: string
  #ended: string | null = null

  constructor({ name, file, args, logFile, env = {} }: ProgramOptions) {
    this.name = name
    this.#logFile = logFile
    const log = fs.openSync(logFile, 'a')
    // A group of its own: Ctrl-C reaches it through the bench alone, and in order.
    this.#child = spawn(file, args, { stdio: ['ignore', log, log], detached: true, env: { ...process.env, ...env } })
    fs.closeSync(log)
    running.add(this.#child)
    this.#gone = new Promise((resolve) => {
      const ended = (how: string): void => {
        running.delete(this.#child)
        this.#ended = how
        resolve(how)
      }
      this.#child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
      this.#child.once('error', (error) => ended(error.message))
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** @throws Error with the end of the log */
  async ready(url: string, withinMs = READY_MS, everyMs = 50): Promise<void> {
    for (const until = Date.now() + withinMs; Date.now() < until; await sleep(everyMs)) {
      this.mustRun()
      const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null)
      if (answer?.ok) return
    }
    throw this.#failure(`was not ready within ${withinMs / 1000} s`)
  }

  /** @throws Error with the end of the log */
  mustRun(): void {
    if (this.#ended !== null) throw this.#failure(`ended (${this.#ended})`)
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    this.mustRun()
    this.#child.kill('SIGKILL')
    await this.#gone
  }

  /** SIGTERM, and what it exits with. @throws Error if that is not 0, or takes too long */
  async stop(): Promise<void> {
    this.mustRun()
    this.#child.kill('SIGTERM')
    const how = await Promise.race([this.#gone, sleep(STOP_MS, null, { ref: false })])
    if (how === null) throw this.#failure(`did not stop within ${STOP_MS / 1000} s of SIGTERM`)
    if (how !== 'exit code 0') throw this.#failure(`ended with ${how} after SIGTERM`)
  }

  /** Lines of the log that tell of trouble. */
  complaints(): string[] {
    return this.#log().filter((line) => /level=(warn|error)|"level":"(warn|error)"/i.test(line))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended === null) this.#child.kill('SIGKILL')
    await this.#gone
  }

  #log(): string[] {
    return fs.readFileSync(this.#logFile, 'utf8').trimEnd().split('\n')
  }

  #failure(what: string): Error {
    return new Error(`${this.name} ${what}; the end of its log:\n  ${this.#log().slice(-TAIL_LINES).join('\n  ')}`)
  }
}

/** A port of the loopback that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
