/**
 * The ring's tables in SQLite: `<directory>/ring.db`, used by one connection that locks it for itself.
 *
 *     head(id INTEGER PRIMARY KEY, crc, value)    body(id INTEGER PRIMARY KEY, crc, value)
 *     state(key TEXT PRIMARY KEY, crc, value)
 *
 * `synchronous=FULL`, so a commit is on disk when it returns. Database and WAL together stay under the cap:
 * `max_page_count` bounds the first; the second is checkpointed every `checkpointPages` and, since nobody else reads,
 * starts anew after each checkpoint, so it never exceeds that plus one transaction (`MAX_TRANSACTION_BYTES`). With
 * `locking_mode=EXCLUSIVE` there is no shm file. Deleted pages are reused, the file never shrinks by itself.
 */
import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { RingStoreError } from '../../protocol/env/mod.ts'
import {
  RING_CAP_BYTES_MIN,
  RingDamage,
  type RingFiles,
  type RingTables,
  ringChecksum,
  type SalvageSource,
  verified,
} from '../ring/mod.ts'

const PAGE_BYTES = 4096
const WAL_FRAME_BYTES = PAGE_BYTES + 24
/** A group of 256 kB, a last batch of up to 1 MB that it may end with, and the pages that trims touch. */
const MAX_TRANSACTION_BYTES = 1_572_864
/** For state values and B-tree pages; not offered to batches. */
const RESERVED_PAGES = 48
const CACHE_KIB = 512

export type SqliteRingOptions = {
  readonly directory: string
  readonly capBytes: number
  /** As `RingEngine`'s; default 0. */
  readonly maxAgeMs?: number
}

export class SqliteRingFiles implements RingFiles {
  readonly capBytes: number
  private readonly directory: string
  private current: SqliteTables | null = null

  constructor(options: SqliteRingOptions) {
    if (!(options.capBytes >= RING_CAP_BYTES_MIN))
      throw new RingStoreError(
        'BAD_CAP',
        `Cannot open a ring of ${options.capBytes} bytes: the cap must be at least ${RING_CAP_BYTES_MIN}`,
      )
    this.capBytes = options.capBytes
    this.directory = options.directory
  }

  open(): RingTables {
    fs.mkdirSync(this.directory, { recursive: true, mode: 0o700 })
    this.finishReplace()
    this.current = new SqliteTables(this.file('ring.db'), this.capBytes)
    this.syncDirectory()
    return this.current
  }

  replace(reason: string, copy: (from: SalvageSource, to: RingTables) => void): { tables: RingTables; file: string } {
    this.current?.abandon()
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(this.file(`ring.db.new${suffix}`), { force: true })
    const to = new SqliteTables(this.file('ring.db.new'), this.capBytes)
    const from = new DamagedTables(this.file('ring.db'), this.file('ring.template'))
    try {
      copy(from, to)
    } finally {
      from.close()
      to.close()
    }
    this.syncFile('ring.db.new')
    for (const name of fs.readdirSync(this.directory))
      if (name.startsWith('ring.damaged-')) fs.rmSync(this.file(name), { force: true })
    const file = this.file(`ring.damaged-${new Date().toISOString().replaceAll(':', '')}.db`)
    fs.renameSync(this.file('ring.db'), file)
    fs.writeFileSync(`${file}.reason.txt`, `${reason}\n`, { mode: 0o600 })
    this.finishReplace()
    return { tables: this.open(), file }
  }

  readEpoch(): number {
    try {
      const [epoch, checksum] = fs.readFileSync(this.file('ring.epoch'), 'utf8').trim().split(' ')
      const bytes = new TextEncoder().encode(epoch)
      return String(ringChecksum('epoch', bytes)) === checksum ? Number(epoch) : 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0
      throw new RingStoreError('IO', `Cannot read "${this.file('ring.epoch')}": ${(error as Error).message}`, {
        cause: error,
      })
    }
  }

  writeEpoch(epoch: number): void {
    const text = `${epoch} ${ringChecksum('epoch', new TextEncoder().encode(String(epoch)))}\n`
    try {
      fs.writeFileSync(this.file('ring.epoch.new'), text, { mode: 0o600, flush: true })
      fs.renameSync(this.file('ring.epoch.new'), this.file('ring.epoch'))
      this.syncDirectory()
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code === 'ENOSPC' ? 'FULL' : 'IO'
      throw new RingStoreError(code, `Cannot write "${this.file('ring.epoch')}": ${(cause as Error).message}`, {
        cause,
      })
    }
  }

  /** The old file is moved away only once the new one is whole: then, and after a crash there, this puts it in place. */
  private finishReplace(): void {
    if (fs.existsSync(this.file('ring.db')) || !fs.existsSync(this.file('ring.db.new'))) return
    // A WAL of the old file would be replayed into the new one.
    for (const suffix of ['-wal', '-shm']) fs.rmSync(this.file(`ring.db${suffix}`), { force: true })
    fs.renameSync(this.file('ring.db.new'), this.file('ring.db'))
    this.syncDirectory()
  }

  private syncFile(name: string): void {
    const fd = fs.openSync(this.file(name), 'r+')
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  }

  private syncDirectory(): void {
    const fd = fs.openSync(this.directory, 'r')
    try {
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  }

  private file(name: string): string {
    return path.join(this.directory, name)
  }
}

class SqliteTables implements RingTables {
  private readonly file: string
  private readonly db: DatabaseSync
  private readonly maxPages: number
  private readonly statements = new Map<string, StatementSync>()
  private closed = false

  constructor(file: string, capBytes: number) {
    this.file = file
    const checkpointPages = Math.min(1000, Math.max(64, Math.floor(capBytes / 32 / PAGE_BYTES)))
    const walBytes = checkpointPages * WAL_FRAME_BYTES + MAX_TRANSACTION_BYTES
    this.maxPages = Math.floor((capBytes - walBytes) / PAGE_BYTES)
    this.db = guarded(() => new DatabaseSync(file))
    try {
      guarded(() => this.prepareFile(checkpointPages))
    } catch (error) {
      this.abandon()
      throw error
    }
  }

  transaction<T>(fn: () => T): T {
    this.exec('BEGIN IMMEDIATE')
    try {
      const result = fn()
      this.exec('COMMIT')
      return result
    } catch (error) {
      try {
        this.db.exec('ROLLBACK')
      } catch {
        // The first error says what is wrong; on the grave ones SQLite has rolled back by itself.
      }
      throw error
    }
  }

  putBatch(id: number, head: Uint8Array, body: Uint8Array): void {
    this.run('INSERT INTO head(id, crc, value) VALUES (?, ?, ?)', id, ringChecksum(id, head), head)
    this.run('INSERT INTO body(id, crc, value) VALUES (?, ?, ?)', id, ringChecksum(id, body), body)
  }

  deleteBatch(id: number): void {
    this.run('DELETE FROM head WHERE id = ?', id)
    this.run('DELETE FROM body WHERE id = ?', id)
  }

  head(id: number): Uint8Array | null {
    return this.value('SELECT crc, value FROM head WHERE id = ?', 'head', id)
  }

  body(id: number): Uint8Array | null {
    return this.value('SELECT crc, value FROM body WHERE id = ?', 'body', id)
  }

  *heads(): Iterable<readonly [number, Uint8Array]> {
    const rows = guarded(() => this.statement('SELECT id, crc, value FROM head ORDER BY id').iterate())
    for (;;) {
      const { done, value: row } = guarded(() => rows.next())
      if (done) return
      yield [row['id'] as number, verified('head', row['id'] as number, row['value'], row['crc'])]
    }
  }

  state(key: string): Uint8Array | null {
    return this.value('SELECT crc, value FROM state WHERE key = ?', 'state', key)
  }

  putState(key: string, value: Uint8Array): void {
    this.run('INSERT OR REPLACE INTO state(key, crc, value) VALUES (?, ?, ?)', key, ringChecksum(key, value), value)
  }

  deleteState(key: string): void {
    this.run('DELETE FROM state WHERE key = ?', key)
  }

  stateKeys(prefix: string): string[] {
    const rows = guarded(() => this.statement('SELECT key FROM state ORDER BY key').all())
    return rows.map((row) => String(row['key'])).filter((key) => key.startsWith(prefix))
  }

  freeBytes(): number {
    const pages = this.number('PRAGMA page_count') - this.number('PRAGMA freelist_count')
    return (this.maxPages - pages - RESERVED_PAGES) * (PAGE_BYTES - 4)
  }

  fileBytes(): number {
    let total = 0
    for (const suffix of ['', '-wal', '-shm'])
      total += fs.statSync(this.file + suffix, { throwIfNoEntry: false })?.size ?? 0
    return total
  }

  close(): void {
    guarded(() => this.db.close())
    this.closed = true
  }

  /** Lets go of a file that may be damaged. */
  abandon(): void {
    if (this.closed) return
    this.closed = true
    try {
      this.db.close()
    } catch {
      // What close could not write is in the WAL, or damaged anyway.
    }
  }

  private prepareFile(checkpointPages: number): void {
    this.db.exec(`
      PRAGMA page_size = ${PAGE_BYTES};
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA cell_size_check = ON;
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${CACHE_KIB};
      PRAGMA wal_autocheckpoint = ${checkpointPages};
      PRAGMA journal_size_limit = ${checkpointPages * WAL_FRAME_BYTES};
      PRAGMA max_page_count = ${this.maxPages};
    `)
    if (!hasSchema(this.db)) this.db.exec(SCHEMA)
    const pages = this.number('PRAGMA page_count')
    if (pages > this.maxPages)
      throw new RingDamage(`Cannot keep the file within its cap: it has ${pages} pages, ${this.maxPages} are allowed`)
  }

  private value(sql: string, what: string, key: string | number): Uint8Array | null {
    const row = guarded(() => this.statement(sql).get(key))
    return row ? verified(what, key, row['value'], row['crc']) : null
  }

  private run(sql: string, ...args: (string | number | Uint8Array)[]): void {
    guarded(() => this.statement(sql).run(...args))
  }

  private exec(sql: string): void {
    guarded(() => this.db.exec(sql))
  }

  private number(sql: string): number {
    return Number(Object.values(guarded(() => this.statement(sql).get()) ?? {})[0])
  }

  private statement(sql: string): StatementSync {
    let statement = this.statements.get(sql)
    if (!statement) this.statements.set(sql, (statement = this.db.prepare(sql)))
    return statement
  }
}

/** Reads row by row, so that one bad page costs only what is on it. */
class DamagedTables implements SalvageSource {
  private readonly db: DatabaseSync | null

  /** @param templateFile a scratch name beside the file */
  constructor(file: string, templateFile: string) {
    let db = attempt(() => new DatabaseSync(file))
    if (db === null || attempt(() => hasSchema(db!)) !== true) {
      attempt(() => db?.close())
      attempt(() => mendFirstPage(file, templateFile))
      db = attempt(() => new DatabaseSync(file))
    }
    this.db = db
  }

  ids(): number[] {
    const out = new Set<number>()
    for (const table of ['head', 'body'])
      for (const order of ['ASC', 'DESC'])
        attempt(() => {
          for (const row of this.db!.prepare(`SELECT id FROM ${table} ORDER BY id ${order}`).iterate())
            out.add(Number(row['id']))
        })
    return [...out].filter((id) => Number.isSafeInteger(id) && id >= 0).sort((a, b) => a - b)
  }

  head(id: number): Uint8Array | null {
    return this.value('SELECT crc, value FROM head WHERE id = ?', id)
  }

  body(id: number): Uint8Array | null {
    return this.value('SELECT crc, value FROM body WHERE id = ?', id)
  }

  state(key: string): Uint8Array | null {
    return this.value('SELECT crc, value FROM state WHERE key = ?', key)
  }

  stateKeys(prefix: string): string[] {
    const rows = attempt(() => this.db!.prepare('SELECT key FROM state').all()) ?? []
    return rows.map((row) => String(row['key'])).filter((key) => key.startsWith(prefix))
  }

  close(): void {
    attempt(() => this.db?.close())
  }

  private value(sql: string, key: string | number): Uint8Array | null {
    return attempt(() => {
      const row = this.db!.prepare(sql).get(key)
      return row ? verified('salvaged value', key, row['value'], row['crc']) : null
    })
  }
}

const SCHEMA = `
  CREATE TABLE head(id INTEGER PRIMARY KEY, crc INTEGER, value BLOB);
  CREATE TABLE body(id INTEGER PRIMARY KEY, crc INTEGER, value BLOB);
  CREATE TABLE state(key TEXT PRIMARY KEY, crc INTEGER, value BLOB);
`

/** False for an empty file. @throws RingDamage for any schema but ours */
function hasSchema(db: DatabaseSync): boolean {
  const found = db.prepare('SELECT name, rootpage, sql FROM sqlite_schema ORDER BY rootpage').all()
  if (found.length === 0) return false
  const text = found.map((row) => `${row['name']}@${row['rootpage']}: ${row['sql']}`).join('; ')
  const tables = SCHEMA.trim().split(/;\s*/).filter(Boolean)
  const expected = [
    `head@2: ${tables[0]}`,
    `body@3: ${tables[1]}`,
    `state@4: ${tables[2]}`,
    'sqlite_autoindex_state_1@5: null',
  ].join('; ')
  if (text !== expected) throw new RingDamage(`Cannot use the ring's schema: expected ${expected}, got ${text}`)
  return true
}

/**
 * The first page holds the file's header and the schema, both the same in every ring: a flipped bit there must not cost
 * everything. The tables were made in a fixed order, so their roots are where a new file has them.
 * Layout: SQLite "Database File Format", section 1.3.
 */
function mendFirstPage(file: string, templateFile: string): void {
  const pageCount = Math.floor(fs.statSync(file).size / PAGE_BYTES)
  if (pageCount < 5) return
  fs.rmSync(templateFile, { force: true })
  const template = new DatabaseSync(templateFile)
  template.exec(`PRAGMA page_size = ${PAGE_BYTES}; ${SCHEMA}`)
  template.close()
  const page = fs.readFileSync(templateFile).subarray(0, PAGE_BYTES)
  fs.rmSync(templateFile)
  const view = new DataView(page.buffer, page.byteOffset, PAGE_BYTES)
  view.setUint8(18, 2)
  view.setUint8(19, 2)
  view.setUint32(28, pageCount)
  view.setUint32(92, view.getUint32(24))
  const fd = fs.openSync(file, 'r+')
  try {
    fs.writeSync(fd, page, 0, PAGE_BYTES, 0)
  } finally {
    fs.closeSync(fd)
  }
}

function attempt<T>(fn: () => T): T | null {
  try {
    return fn()
  } catch {
    return null
  }
}

const SqliteCode = { error: 1, busy: 5, locked: 6, ioErr: 10, corrupt: 11, full: 13, cantOpen: 14, notADb: 26 } as const
/** SQLITE_IOERR_SHORT_READ and SQLITE_IOERR_CORRUPTFS: the file, not the disk. */
const FILE_DAMAGE = [522, 8458]

/** Turns SQLite's errors into the ring's. Semantics: sqlite3.h, result codes. */
function guarded<T>(fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    throw translated(error)
  }
}

function translated(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RingDamage || error instanceof RingStoreError) return error
  const raw = error as { errcode?: unknown; errno?: unknown }
  const extended = typeof raw.errcode === 'number' ? raw.errcode : typeof raw.errno === 'number' ? raw.errno : null
  // Blobs that exceed what a string or number may be, and the like: the row is not what was written.
  if (extended === null) return error instanceof RangeError ? new RingDamage(error.message, { cause: error }) : error
  const message = `${error.message} (SQLite code ${extended})`
  const options = { cause: error }
  const code = extended & 0xff
  if (code === SqliteCode.corrupt || code === SqliteCode.notADb || FILE_DAMAGE.includes(extended))
    return new RingDamage(`Cannot read the ring: ${message}`, options)
  if (code === SqliteCode.error) return new RingDamage(`Cannot use the ring's schema: ${message}`, options)
  if (code === SqliteCode.full) return new RingStoreError('FULL', `Cannot write the ring: ${message}`, options)
  if (code === SqliteCode.busy || code === SqliteCode.locked)
    return new RingStoreError(
      'LOCKED',
      `Cannot open the ring: another process uses it; stop it first. ${message}`,
      options,
    )
  return new RingStoreError('IO', `Cannot read or write the ring: ${message}`, options)
}
