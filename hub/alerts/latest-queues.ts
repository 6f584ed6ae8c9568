/** One task of a key at a time; of those that wait, the last. */
type Queue<T> = { running: Promise<T> | null; asked: number }

export class LatestQueues<T> {
  readonly #queues = new Map<string, Queue<T>>()

  /** @returns null for a task that a later one has replaced before its time came */
  async run(key: string, task: (hasWaited: boolean) => Promise<T>): Promise<T | null> {
    const queue = this.#queues.get(key) ?? { running: null, asked: 0 }
    this.#queues.set(key, queue)
    const own = ++queue.asked
    const hasWaited = queue.running !== null
    while (queue.running) {
      await queue.running.catch(() => {})
      if (queue.asked !== own) return null
    }
    queue.running = task(hasWaited).finally(() => {
      queue.running = null
      if (queue.asked === own) this.#queues.delete(key)
    })
    return queue.running
  }
}
