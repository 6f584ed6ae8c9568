/** Lets so many in at a time, in the order in which they came; who goes away leaves, or waits no longer. */

/** So many times the limit may wait. */
const WAITING_FACTOR = 10

export class Gate {
  readonly #limit: number
  #inside = 0
  readonly #waiting = new Set<() => void>()

  /** @param limit 0 = none */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Inside and waiting. */
  get count(): number {
    return this.#inside + this.#waiting.size
  }

  /**
   * What to call when it is over, which the client's going does too; null: too many wait, or the client has gone.
   * @param signal of the client's going
   */
  async enter(signal: AbortSignal): Promise<(() => void) | null> {
    if (signal.aborted) return null
    if (this.#limit > 0 && this.#inside >= this.#limit) {
      if (this.#waiting.size >= WAITING_FACTOR * this.#limit) return null
      if (!(await this.#turn(signal))) return null
    } else this.#inside++
    let isOver = false
    const leave = (): void => {
      if (isOver) return
      isOver = true
      signal.removeEventListener('abort', leave)
      this.#leave()
    }
    // It may have gone between its turn and now.
    if (signal.aborted) leave()
    else signal.addEventListener('abort', leave, { once: true })
    return isOver ? null : leave
  }

  /** False: the client has gone before its turn. */
  #turn(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const onAbort = (): void => {
        this.#waiting.delete(go)
        resolve(false)
      }
      const go = (): void => {
        signal.removeEventListener('abort', onAbort)
        resolve(true)
      }
      this.#waiting.add(go)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** The place goes straight to the next in turn. */
  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#inside--
    else {
      this.#waiting.delete(next)
      next()
    }
  }
}
