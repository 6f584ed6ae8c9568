/**
 * Which of the declared steps are in force. Bytes made are compared with bytes allowed over a window; over the budget
 * for one window takes the next step, well under it for several gives the last one back. Each change is announced.
 */
import type { BudgetConfig, BudgetStep } from '../../protocol/config/mod.ts'
import { stepName } from '../../protocol/config/mod.ts'
import type { Clock, Logger, Timer } from '../../protocol/env/mod.ts'
import type { Pacer } from './pacer.ts'

export type ControllerOptions = {
  readonly clock: Clock
  readonly log: Logger
  readonly config: BudgetConfig
  readonly pacer: Pick<Pacer, 'allowedBytesPerSecond'>
  /** Bytes of batches sealed so far. */
  readonly madeBytes: () => number
}

export type Degradation = {
  /** Only slots whose number is divisible by it. */
  readonly factor: number
  readonly dropped: ReadonlySet<string>
}

/** Windows well under the budget before a step is given back. */
const QUIET_WINDOWS = 5
/** A step is given back when what it saved would fit, with this margin. */
const MARGIN = 0.8
/** What a step is taken to save until it was seen. */
const SAVING_GUESS = 2

export class BudgetController {
  readonly #options: ControllerOptions
  #level = 0
  #timer: Timer | null = null
  #madeBefore = 0
  #quiet = 0
  /** By how much each step in force lowered the rate; null until the window after it. */
  readonly #savings: (number | null)[] = []
  #rateBefore = 0
  #degradation: Degradation = { factor: 1, dropped: new Set() }
  #changes = 0
  lastRate = 0

  constructor(options: ControllerOptions) {
    this.#options = options
  }

  get level(): number {
    return this.#level
  }

  get changes(): number {
    return this.#changes
  }

  get degradation(): Degradation {
    return this.#degradation
  }

  /** Steps in force, first taken first. */
  get inForce(): readonly BudgetStep[] {
    return this.#options.config.steps.slice(0, this.#level)
  }

  start(): void {
    this.#madeBefore = this.#options.madeBytes()
    this.#arm()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #arm(): void {
    this.#timer = this.#options.clock.setTimer(this.#options.config.windowMs, () => {
      this.#judge()
      this.#arm()
    })
  }

  #judge(): void {
    const { config, pacer, madeBytes } = this.#options
    const made = madeBytes()
    const rate = (1000 * (made - this.#madeBefore)) / config.windowMs
    this.#madeBefore = made
    this.lastRate = rate
    const allowed = pacer.allowedBytesPerSecond
    const last = this.#level - 1
    if (last >= 0 && this.#savings[last] === null && rate > 0)
      this.#savings[last] = Math.max(1, this.#rateBefore / rate)
    if (rate > allowed) {
      this.#quiet = 0
      if (this.#level === config.steps.length) return
      this.#rateBefore = rate
      this.#savings[this.#level] = null
      this.#change(this.#level + 1, rate, allowed)
      return
    }
    if (this.#level === 0) return
    const without = rate * (this.#savings[last] ?? SAVING_GUESS)
    this.#quiet = without < MARGIN * allowed ? this.#quiet + 1 : 0
    if (this.#quiet < QUIET_WINDOWS) return
    this.#quiet = 0
    this.#change(last, rate, allowed)
  }

  #change(level: number, rate: number, allowed: number): void {
    const { config, log } = this.#options
    const isDown = level < this.#level
    const step = config.steps[isDown ? level : level - 1]!
    this.#level = level
    this.#changes++
    let factor = 1
    const dropped = new Set<string>()
    for (const each of this.inForce) {
      if (each.kind === 'drop') dropped.add(each.class)
      else factor = Math.max(factor, each.factor)
    }
    this.#degradation = { factor, dropped }
    log.warn(isDown ? 'Budget: a step is given back' : 'Budget: the link allows less than is made; a step is taken', {
      step: stepName(step),
      stepsInForce: level,
      bytesPerSecond: Math.round(rate),
      allowedBytesPerSecond: Math.round(allowed),
    })
  }
}
