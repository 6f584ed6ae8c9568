/** The last probes, and the last ones that failed. Semantics: blackbox_exporter prober/history.go (v0.28). */

export type ProbeRecord = {
  readonly module: string
  readonly target: string
  readonly isSuccess: boolean
  /** Its lines, metrics and module. */
  readonly output: () => string
}

type Kept = ProbeRecord & { readonly id: number }

export class History {
  readonly #limit: number
  #recent: Kept[] = []
  /** Failures that were pushed out of the recent ones. */
  #failed: Kept[] = []
  #nextId = 0

  constructor(limit: number) {
    this.#limit = Math.max(0, limit)
  }

  add(record: ProbeRecord): void {
    this.#recent.push({ ...record, id: this.#nextId++ })
    while (this.#recent.length > this.#limit) {
      const old = this.#recent.shift()!
      if (!old.isSuccess) this.#failed.push(old)
    }
    if (this.#failed.length > this.#limit) this.#failed = this.#failed.slice(-this.#limit || this.#failed.length)
  }

  get(id: number): ProbeRecord | undefined {
    return this.#all().find((one) => one.id === id)
  }

  /** The last one. */
  ofTarget(target: string): ProbeRecord | undefined {
    return this.#all().findLast((one) => one.target === target)
  }

  /** One line a probe, the last one first. */
  listing(): string {
    return this.#all()
      .map(({ id, module, target, isSuccess }) => `${id}\t${isSuccess ? 'Success' : 'Failure'}\t${module}\t${target}\n`)
      .reverse()
      .join('')
  }

  #all(): readonly Kept[] {
    return [...this.#failed, ...this.#recent]
  }
}
