/** The bench's hold on the fleet process. */
import { type ChildProcess, fork } from 'node:child_process'
import path from 'node:path'
import type { FamilyTotal } from './host-model.ts'

export type FleetOptions = {
  readonly seed: number
  readonly targets: number
  /** Per target. */
  readonly series: number
  /** Answer gzip to who accepts it, as a node exporter does. */
  readonly compress: boolean
}
export type FleetCommand = 'start' | 'freeze' | 'totals'
/** Since `start`: scrapes answered with a page and with 503, and what was on the pages. */
export type FleetTotals = {
  readonly answered: number
  readonly refused: number
  readonly samples: number
  readonly bodyBytes: number
  readonly families: readonly FamilyTotal[]
}

export class Fleet implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  #id = 0
  #addresses: readonly string[] = []

  static async launch(options: FleetOptions): Promise<Fleet> {
    const fleet = new Fleet(options)
    const ports = (await fleet.#answer(0)) as number[]
    fleet.#addresses = ports.map((port) => `127.0.0.1:${port}`)
    return fleet
  }

  private constructor(options: FleetOptions) {
    this.#child = fork(path.join(import.meta.dirname, 'fleet.ts'), [JSON.stringify(options)], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    this.#child.on('message', ({ id, answer }: { id: number; answer: unknown }) => {
      this.#waiting.get(id)?.resolve(answer)
      this.#waiting.delete(id)
    })
    this.#child.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`The fleet process ended with ${code}`))
      this.#waiting.clear()
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** HOST:PORT of each simulated host. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** All hosts anew, from the seed. */
  async start(): Promise<void> {
    await this.#ask('start')
  }

  /** From now on no page is given out. */
  async freeze(): Promise<void> {
    await this.#ask('freeze')
  }

  async totals(): Promise<FleetTotals> {
    return (await this.#ask('totals')) as FleetTotals
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }

  #ask(command: FleetCommand): Promise<unknown> {
    const id = ++this.#id
    const answer = this.#answer(id)
    this.#child.send({ id, command })
    return answer
  }

  #answer(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }
}
