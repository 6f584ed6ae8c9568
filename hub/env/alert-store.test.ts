import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { nodeDisk } from '../../agent/env/mod.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { importOldState, memoryStateStore, type StateStore } from '../alerts/mod.ts'
import { keptLog } from '../cluster/testing/kept-log.ts'
import { openAlertStore } from './alert-store.ts'

function withFolder(run: (folder: string) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-alert-store-'))
  try {
    run(folder)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

const stores: readonly (readonly [name: string, open: (folder: string) => StateStore & { close?(): void }])[] = [
  ['SQLite', (folder) => openAlertStore(path.join(folder, 'alerts.db'), keptLog().log)],
  ['memory', () => memoryStateStore()],
]
for (const [name, open] of stores)
  test(`a store in ${name} gives back what was put last, by kind and key`, () =>
    withFolder((folder) => {
      const store = open(folder)
      store.put('sent', [
        ['a', '1'],
        ['b', '"ü\0"'],
      ])
      store.put('silence', [['a', 'other']])
      store.put('sent', [
        ['a', '2'],
        ['c', '3'],
      ])
      store.delete('sent', ['c', 'none'])
      assert.deepEqual([...store.load('sent')].sort(), [
        ['a', '2'],
        ['b', '"ü\0"'],
      ])
      assert.deepEqual(store.load('silence'), [['a', 'other']])
      assert.deepEqual(store.load('cluster'), [])
      store.close?.()
    }))

test('what was put is there in the next life, also after a kill, and is for its owner only', () =>
  withFolder((folder) => {
    const file = path.join(folder, 'alerts.db')
    const { log, lines } = keptLog()
    const store = openAlertStore(file, log)
    store.put('sent', [['a', '1']])
    assert.equal(fs.statSync(file).mode & 0o777, 0o600)
    // Files as a kill -9 leaves them: the log of SQLite has not been moved into the database.
    const left = path.join(folder, 'left')
    fs.mkdirSync(left)
    for (const name of fs.readdirSync(folder).filter((each) => each.startsWith('alerts.db')))
      fs.copyFileSync(path.join(folder, name), path.join(left, name))
    store.close()
    for (const each of [file, path.join(left, 'alerts.db')]) {
      const again = openAlertStore(each, log)
      assert.deepEqual(again.load('sent'), [['a', '1']])
      again.close()
    }
    assert.deepEqual(lines, [])
  }))

test('a damaged entry is left out and told of, the others are given', () =>
  withFolder((folder) => {
    const file = path.join(folder, 'alerts.db')
    const { log, lines } = keptLog()
    const store = openAlertStore(file, log)
    store.put('sent', [
      ['a', '1'],
      ['b', '2'],
    ])
    store.close()
    const database = new DatabaseSync(file)
    database.exec("UPDATE entry SET value = '7' WHERE key = 'a'")
    database.close()
    const again = openAlertStore(file, log)
    assert.deepEqual(again.load('sent'), [['b', '2']])
    assert.deepEqual(lines, ['An entry of the alerts is damaged and left out'])
    again.close()
  }))

test('a file that is no database, or a damaged one, is set aside', () =>
  withFolder((folder) => {
    const file = path.join(folder, 'alerts.db')
    const { log, lines } = keptLog()
    fs.writeFileSync(file, 'no database at all, but long enough to be looked at'.repeat(100))
    openAlertStore(file, log).close()
    assert.ok(fs.readFileSync(`${file}.damaged`, 'utf8').startsWith('no database'))
    const store = openAlertStore(file, log)
    store.put(
      'sent',
      Array.from({ length: 2000 }, (_, i) => [`key${i}`, 'x'.repeat(100)]),
    )
    store.close()
    const bytes = fs.readFileSync(file)
    bytes.fill(0xff, 4096 * 2, 4096 * 6)
    fs.writeFileSync(file, bytes)
    const again = openAlertStore(file, log)
    again.put('sent', [['a', '1']])
    assert.deepEqual(again.load('sent'), [['a', '1']])
    again.close()
    assert.equal(lines.length, 2)
  }))

test('a directory that is not there is an error with its code', () =>
  withFolder((folder) => {
    assert.throws(() => openAlertStore(path.join(folder, 'none/alerts.db'), keptLog().log), {
      name: 'DiskError',
      code: 'EIO',
    })
  }))

test('state of an earlier version is taken over once, and does not undo what is newer', () =>
  withFolder((folder) => {
    const { log, lines } = keptLog()
    const [logFile, silencesFile] = [path.join(folder, 'notifications.json'), path.join(folder, 'silences.json')]
    const sent = { firing: ['f'], resolved: [], atMs: 1, expiresAtMs: 2 }
    const silence = (comment: string) => ({
      id: comment,
      matchers: [{ name: 'a', op: '=', value: 'b' }],
      startsAtMs: 1,
      endsAtMs: 2,
      updatedAtMs: 3,
      createdBy: 'me',
      comment,
      annotations: {},
    })
    fs.writeFileSync(logFile, JSON.stringify({ version: 1, sent: [['key', sent]] }))
    fs.writeFileSync(silencesFile, JSON.stringify({ version: 1, silences: [silence('old'), silence('both')] }))
    const store = memoryStateStore()
    store.put('silence', [['both', 'newer']])
    const old = { disk: nodeDisk, log, sha256: runtimeSha256.sha256, logFile, silencesFile }
    // Into what ends with the program: the files are all there is.
    const brief = memoryStateStore()
    importOldState(brief, { ...old, isDurable: false })
    assert.equal(brief.load('silence').length, 2)
    assert.deepEqual(fs.readdirSync(folder).sort(), ['notifications.json', 'silences.json'])
    importOldState(store, old)
    importOldState(store, old)
    const key = Buffer.from(runtimeSha256.sha256(Buffer.from('key'))).toString('hex')
    assert.deepEqual(store.load('sent'), [[key, JSON.stringify({ version: 1, ...sent })]])
    assert.deepEqual(store.load('silence'), [
      ['both', 'newer'],
      ['old', JSON.stringify({ version: 1, ...silence('old') })],
    ])
    assert.deepEqual(fs.readdirSync(folder).sort(), ['notifications.json.imported', 'silences.json.imported'])
    fs.writeFileSync(logFile, 'damaged')
    importOldState(store, old)
    assert.deepEqual(lines, ['A file of an earlier version with state of the alerts cannot be taken over'])
  }))
