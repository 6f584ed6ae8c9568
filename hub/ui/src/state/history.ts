/** Expressions that were run, newest first, in the browser's storage. Without storage the page works, forgetfully. */

const KEY = 'heliograph.history'
const MAX_ENTRIES = 50
const MAX_LENGTH = 10_000

export interface TextStore {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
}

export function readHistory(store: TextStore): string[] {
  try {
    const value: unknown = JSON.parse(store.getItem(KEY) ?? '[]')
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string').slice(0, MAX_ENTRIES) : []
  } catch {
    return []
  }
}

export function rememberExpr(store: TextStore, expr: string): void {
  if (expr.trim() === '' || expr.length > MAX_LENGTH) return
  const kept = readHistory(store).filter((item) => item !== expr)
  try {
    store.setItem(KEY, JSON.stringify([expr, ...kept].slice(0, MAX_ENTRIES)))
  } catch {
    // A full or forbidden store loses history, nothing else.
  }
}

/**
 * Walks the history from one input: `older` and `newer` answer what to show, or null at an end. The text that stood
 * there before the walk is the newest stop.
 */
export class HistoryWalk {
  #entries: readonly string[] = []
  #index = -1
  #draft = ''

  older(current: string, store: TextStore): string | null {
    if (this.#index < 0) {
      this.#draft = current
      this.#entries = readHistory(store).filter((entry) => entry !== current)
    }
    if (this.#index + 1 >= this.#entries.length) return null
    return this.#entries[++this.#index]!
  }

  newer(): string | null {
    if (this.#index < 0) return null
    this.#index--
    return this.#index < 0 ? this.#draft : this.#entries[this.#index]!
  }

  reset(): void {
    this.#index = -1
  }
}
