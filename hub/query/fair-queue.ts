/** A queue that serves its clients in turn, each in order of arrival: one client's hundred do not delay another's one. */
export class FairQueue<Item> {
  /** In the order of turns. No client has an empty list. */
  readonly #clients = new Map<string, Item[]>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** `first`: before the client's others. */
  push(client: string, item: Item, first = false): void {
    const items = this.#clients.get(client)
    if (items === undefined) this.#clients.set(client, [item])
    else if (first) items.unshift(item)
    else items.push(item)
    this.#size++
  }

  /** The next in turn, of those that are wanted; its client then waits for all others. */
  shift(isWanted?: (item: Item) => boolean): Item | undefined {
    for (const [client, items] of this.#clients) {
      const at = isWanted === undefined ? 0 : items.findIndex(isWanted)
      if (at < 0) continue
      const [item] = items.splice(at, 1)
      this.#clients.delete(client)
      if (items.length > 0) this.#clients.set(client, items)
      this.#size--
      return item
    }
    return undefined
  }

  /** False when it is not there any more. */
  remove(client: string, item: Item): boolean {
    const items = this.#clients.get(client)
    const at = items?.indexOf(item) ?? -1
    if (items === undefined || at < 0) return false
    items.splice(at, 1)
    if (items.length === 0) this.#clients.delete(client)
    this.#size--
    return true
  }

  clear(): Item[] {
    const all = [...this.#clients.values()].flat()
    this.#clients.clear()
    this.#size = 0
    return all
  }
}
