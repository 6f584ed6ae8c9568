/** A real process under test: its output kept, its end awaited, started again with the same arguments after a kill. */
import { type ChildProcess, spawn } from 'node:child_process'

/** The newest output is what explains a failure. */
const MAX_OUTPUT_CHARS = 400_000
/** A program that does not end by itself is killed; on a starved host an orderly end takes its time. */
const STOP_TIMEOUT_MS = 60_000

export type ProgramOptions = {
  readonly name: string
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
}

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** Process groups to kill if this test process itself ends early. */
const running = new Set<ChildProcess>()
let guarded = false

export class Program {
  readonly name: string
  /** stdout and stderr of all lives, newest part. */
  output = ''
  /** Of the current life. */
  exited: Promise<Exit> = Promise.resolve({ code: null, signal: null })
  readonly #options: ProgramOptions
  #child: ChildProcess | null = null

  constructor(options: ProgramOptions) {
    this.name = options.name
    this.#options = options
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  get isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }

  spawn(): void {
    if (this.isRunning) throw new Error(`${this.name} is already running`)
    guardAgainstOrphans()
    const { file, args, env, cwd } = this.#options
    // A group of its own, so that whatever it starts can be found and ended with it.
    const child = spawn(file, args, { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    running.add(child)
    const keep = (chunk: Buffer): void => {
      this.output = (this.output + chunk.toString('utf8')).slice(-MAX_OUTPUT_CHARS)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => {
        running.delete(child)
        this.output += `${this.name} could not be started: ${error.message}\n`
        resolve({ code: null, signal: null })
      })
      child.on('close', (code, signal) => {
        running.delete(child)
        resolve({ code, signal })
      })
    })
  }

  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) this.#child!.kill(signal)
  }

  /** kill -9, and the end of it. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited
  }

  /** SIGTERM; SIGKILL when that takes too long. Safe to call again. */
  async stop(): Promise<Exit> {
    if (!this.isRunning) return this.exited
    const timer = setTimeout(() => this.signal('SIGKILL'), STOP_TIMEOUT_MS)
    this.signal('SIGTERM')
    const exit = await this.exited
    clearTimeout(timer)
    return exit
  }

  /** The last lines of the output, to be shown with a failure. */
  tail(lines = 30): string {
    return `--- ${this.name} ---\n${this.output.trimEnd().split('\n').slice(-lines).join('\n')}`
  }
}

function guardAgainstOrphans(): void {
  if (guarded) return
  guarded = true
  const killAll = (): void => {
    for (const { pid } of running) {
      try {
        if (pid) process.kill(-pid, 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
  }
  process.on('exit', killAll)
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(signal, () => {
      killAll()
      process.exit(1)
    })
  }
}
