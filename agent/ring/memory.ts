/**
 * The ring's tables in memory, for the simulation: a transaction commits or is lost, a restart finds what was
 * committed, and faults are ordered by the test. Runs under the same policy as SQLite's.
 */
import { RingStoreError } from '../../protocol/env/mod.ts'
import { RingDamage, type RingFiles, type RingTables, ringChecksum, type SalvageSource, verified } from './tables.ts'

type Row = { readonly crc: number; readonly value: Uint8Array }
type Content = { readonly head: Map<number, Row>; readonly body: Map<number, Row>; readonly state: Map<string, Row> }
/** What a row costs beside its bytes. */
const ROW_BYTES = 64

export class MemoryRingFiles implements RingFiles {
  readonly capBytes: number
  /** The disk: outlives engines that are dropped without `close` (a crash). */
  content: Content = empty()
  setAside: { reason: string; content: Content }[] = []
  /** Fails that many transactions at their commit, with `failure`. */
  failCommits = 0
  failure: () => Error = () => new RingStoreError('FULL', 'Cannot write the ring: simulated full disk')
  private epoch = 0

  constructor(capBytes: number) {
    this.capBytes = capBytes
  }

  open(): RingTables {
    return new MemoryTables(this, () => this.content)
  }

  replace(reason: string, copy: (from: SalvageSource, to: RingTables) => void): { tables: RingTables; file: string } {
    const content = empty()
    copy(salvageSource(this.content), new MemoryTables(this, () => content))
    this.setAside.push({ reason, content: this.content })
    this.content = content
    return { tables: this.open(), file: `memory-${this.setAside.length}` }
  }

  readEpoch(): number {
    return this.epoch
  }

  writeEpoch(epoch: number): void {
    this.epoch = epoch
  }
}

class MemoryTables implements RingTables {
  private readonly files: MemoryRingFiles
  private readonly content: () => Content
  private undo: (() => void)[] = []
  private usedBytes: number

  constructor(files: MemoryRingFiles, content: () => Content) {
    this.files = files
    this.content = content
    this.usedBytes = 0
    for (const rows of Object.values(content()) as ReadonlyMap<unknown, Row>[])
      for (const row of rows.values()) this.usedBytes += row.value.length + ROW_BYTES
  }

  transaction<T>(fn: () => T): T {
    this.undo = []
    try {
      const result = fn()
      if (this.files.failCommits > 0) {
        this.files.failCommits--
        throw this.files.failure()
      }
      return result
    } catch (error) {
      for (const back of this.undo.reverse()) back()
      throw error
    } finally {
      this.undo = []
    }
  }

  putBatch(id: number, head: Uint8Array, body: Uint8Array): void {
    this.put(this.content().head, id, head)
    this.put(this.content().body, id, body)
  }

  deleteBatch(id: number): void {
    this.remove(this.content().head, id)
    this.remove(this.content().body, id)
  }

  head(id: number): Uint8Array | null {
    return get(this.content().head, id)
  }

  body(id: number): Uint8Array | null {
    return get(this.content().body, id)
  }

  *heads(): Iterable<readonly [number, Uint8Array]> {
    const { head } = this.content()
    for (const id of [...head.keys()].sort((a, b) => a - b)) yield [id, get(head, id)!]
  }

  state(key: string): Uint8Array | null {
    return get(this.content().state, key)
  }

  putState(key: string, value: Uint8Array): void {
    this.put(this.content().state, key, value)
  }

  deleteState(key: string): void {
    this.remove(this.content().state, key)
  }

  stateKeys(prefix: string): string[] {
    return [...this.content().state.keys()].filter((key) => key.startsWith(prefix))
  }

  freeBytes(): number {
    return this.files.capBytes - this.usedBytes
  }

  fileBytes(): number {
    return this.usedBytes
  }

  close(): void {}

  private put<K extends string | number>(rows: Map<K, Row>, key: K, value: Uint8Array): void {
    this.change(rows, key, { crc: ringChecksum(key, value), value: value.slice() })
  }

  private remove<K extends string | number>(rows: Map<K, Row>, key: K): void {
    if (rows.has(key)) this.change(rows, key, null)
  }

  private change<K extends string | number>(rows: Map<K, Row>, key: K, row: Row | null): void {
    const before = rows.get(key) ?? null
    const set = (to: Row | null): void => {
      const now = rows.get(key)
      if (now) this.usedBytes -= now.value.length + ROW_BYTES
      if (to) this.usedBytes += to.value.length + ROW_BYTES
      if (to) rows.set(key, to)
      else rows.delete(key)
    }
    set(row)
    this.undo.push(() => set(before))
  }
}

function salvageSource(content: Content): SalvageSource {
  const lenient = <K extends string | number>(rows: Map<K, Row>, key: K): Uint8Array | null => {
    try {
      return get(rows, key)
    } catch (error) {
      if (error instanceof RingDamage) return null
      throw error
    }
  }
  return {
    ids: () => [...new Set([...content.head.keys(), ...content.body.keys()])].sort((a, b) => a - b),
    head: (id) => lenient(content.head, id),
    body: (id) => lenient(content.body, id),
    state: (key) => lenient(content.state, key),
    stateKeys: (prefix) => [...content.state.keys()].filter((key) => key.startsWith(prefix)),
  }
}

function get<K extends string | number>(rows: Map<K, Row>, key: K): Uint8Array | null {
  const row = rows.get(key)
  return row ? verified('row', key, row.value, row.crc).slice() : null
}

function empty(): Content {
  return { head: new Map(), body: new Map(), state: new Map() }
}
