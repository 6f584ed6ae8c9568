/**
 * The state of the alerts in SQLite: `alerts.db`, used by one connection that locks it for itself.
 *
 *     entry(kind TEXT, key TEXT, crc INTEGER, value TEXT, PRIMARY KEY (kind, key))
 *
 * `synchronous=FULL`, so what is put is on disk when `put` returns. The CRC32C is over kind, key and value, and is
 * looked at when they are read: a row that does not match is left out and told of. A file that is no database is set aside.
 */
import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { crc32c } from '../../protocol/crc/mod.ts'
import { DiskError, type Logger } from '../../protocol/env/mod.ts'
import type { StateKind, StateStore } from '../alerts/mod.ts'

export interface SqliteStateStore extends StateStore {
  close(): void
}

const SCHEMA =
  'CREATE TABLE IF NOT EXISTS entry(kind TEXT, key TEXT, crc INTEGER NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID, STRICT'
const SQLITE_FULL = 13

/** @throws DiskError where there can be no such file */
export function openAlertStore(file: string, log: Logger): SqliteStateStore {
  const refused = (error: unknown): DiskError => {
    const { errcode, message } = error as { readonly errcode?: number; readonly message: string }
    const code = errcode === SQLITE_FULL ? 'ENOSPC' : 'EIO'
    return new DiskError(code, file, `Cannot use ${file}: ${message}`, { cause: error })
  }
  let database: DatabaseSync
  try {
    database = open(file, log)
  } catch (error) {
    throw refused(error)
  }
  const attempt = <T>(run: () => T): T => {
    try {
      return run()
    } catch (error) {
      throw refused(error)
    }
  }
  const transaction = (run: () => void): void =>
    attempt(() => {
      database.exec('BEGIN IMMEDIATE')
      try {
        run()
        database.exec('COMMIT')
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK')
        throw error
      }
    })
  return {
    load: (kind) =>
      attempt(() => {
        const rows = database.prepare('SELECT key, crc, value FROM entry WHERE kind = ?').all(kind)
        const out: [string, string][] = []
        for (const { key, crc, value } of rows) {
          if (crc === checksum(kind, String(key), String(value))) out.push([String(key), String(value)])
          else log.error('An entry of the alerts is damaged and left out', { file, kind, key: String(key) })
        }
        return out
      }),
    put: (kind, entries) =>
      transaction(() => {
        const insert = database.prepare('INSERT OR REPLACE INTO entry(kind, key, crc, value) VALUES (?, ?, ?, ?)')
        for (const [key, text] of entries) insert.run(kind, key, checksum(kind, key, text), text)
      }),
    delete: (kind, keys) =>
      transaction(() => {
        const remove = database.prepare('DELETE FROM entry WHERE kind = ? AND key = ?')
        for (const key of keys) remove.run(kind, key)
      }),
    close: () => database.close(),
  }
}

function open(file: string, log: Logger): DatabaseSync {
  try {
    return connect(file)
  } catch (err) {
    const { errcode = 0 } = err as { readonly errcode?: number }
    // SQLITE_CORRUPT, SQLITE_NOTADB
    if (errcode !== 11 && errcode !== 26) throw err
    const damaged = `${file}.damaged`
    log.error('The state of the alerts cannot be read and is set aside: silences are gone, notifications may repeat', {
      file,
      damaged,
      err,
    })
    fs.renameSync(file, damaged)
    for (const suffix of ['-wal', '-shm', '-journal']) fs.rmSync(`${file}${suffix}`, { force: true })
    return connect(file)
  }
}

function connect(file: string): DatabaseSync {
  const isNew = !fs.existsSync(file)
  if (isNew) fs.closeSync(fs.openSync(file, 'a', 0o600))
  const database = new DatabaseSync(file)
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    database.exec('PRAGMA cache_size = -256; PRAGMA journal_size_limit = 1048576')
    database.exec(SCHEMA)
    const [problem] = database.prepare('PRAGMA quick_check(1)').all()
    if (problem?.['quick_check'] !== 'ok')
      throw Object.assign(new Error(`database disk image is malformed: ${problem?.['quick_check']}`), { errcode: 11 })
  } catch (error) {
    database.close()
    throw error
  }
  if (isNew) syncDirectory(path.dirname(file))
  return database
}

function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

const checksum = (kind: StateKind, key: string, text: string): number =>
  crc32c(new TextEncoder().encode(`${kind}\0${key}\0${text}`))
