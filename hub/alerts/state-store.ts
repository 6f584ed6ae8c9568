/** What the alerts keep over restarts, as text by key. Adapters: SQLite in `hub/env`; tests have it in memory. */
export type StateKind = 'silence' | 'sent' | 'firing' | 'cluster'

export interface StateStore {
  /** All that is whole; what is damaged is set aside and told of in the log. */
  load(kind: StateKind): readonly (readonly [key: string, text: string])[]
  /** On disk when it returns: all of them or none. @throws DiskError */
  put(kind: StateKind, entries: readonly (readonly [key: string, text: string])[]): void
  /** @throws DiskError */
  delete(kind: StateKind, keys: readonly string[]): void
}

/** Forgets everything when the program ends. */
export function memoryStateStore(): StateStore {
  const kinds: Record<StateKind, Map<string, string>> = {
    silence: new Map(),
    sent: new Map(),
    firing: new Map(),
    cluster: new Map(),
  }
  return {
    load: (kind) => [...kinds[kind]],
    put: (kind, entries) => {
      for (const [key, text] of entries) kinds[kind].set(key, text)
    },
    delete: (kind, keys) => {
      for (const key of keys) kinds[kind].delete(key)
    },
  }
}
