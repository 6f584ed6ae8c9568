/** Never none: what has no length cannot be doubled. */
const MIN_ITEMS = 64

/** Numbers of series, in memory that is used again: a list of objects for every scrape would end up in the old space. */
export class SeriesList {
  items = new Int32Array(MIN_ITEMS)
  length = 0

  push(series: number): void {
    if (this.length === this.items.length) {
      const grown = new Int32Array(2 * this.length)
      grown.set(this.items)
      this.items = grown
    }
    this.items[this.length++] = series
  }

  /** Keeps the memory, but for what was far too much. A list that is clear already says nothing of what it is used for. */
  clear(): void {
    if (this.length === 0) return
    if (this.items.length > 1024 && this.items.length > 8 * this.length)
      this.items = new Int32Array(Math.max(MIN_ITEMS, 2 * this.length))
    this.length = 0
  }

  /** Renames all. */
  rename(map: Int32Array): void {
    for (let i = 0; i < this.length; i++) this.items[i] = map[this.items[i]!]!
  }
}

/** `larger`, with what stood in `old` in front. */
export function withRoom<T extends Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(old: T, larger: T): T {
  larger.set(old)
  return larger
}
