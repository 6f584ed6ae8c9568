/**
 * What exporters' tests run on: the files, the clock and a log of the contracts in `protocol/env`, as far as exporters
 * use them. Exporters know of protocol alone, and so do their tests: what needs sockets is tested in `bench/e2e`.
 */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleepFor } from 'node:timers/promises'
import { type Clock, type Disk, DiskError, type Logger } from '../../protocol/env/mod.ts'

export const KIT = process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance')

const unused = (): never => {
  throw new Error('BUG: no exporter uses this')
}

export const testDisk: Disk = {
  readFile: (file) => guard(file, () => fs.readFileSync(file)),
  readText: (file) => guard(file, () => fs.readFileSync(file, 'utf8')),
  readDirectory: (folder) => guard(folder, () => fs.readdirSync(folder).sort()),
  readLink: (file) => guard(file, () => fs.readlinkSync(file)),
  stat: (file, options) =>
    guard(file, () => {
      const found = (options?.followLinks === false ? fs.lstatSync : fs.statSync)(file, { throwIfNoEntry: false })
      if (!found) return null
      const { size: sizeBytes, mtimeMs, mode, ino } = found
      return { sizeBytes, mtimeMs, mode, ino, isDirectory: found.isDirectory(), isSymbolicLink: found.isSymbolicLink() }
    }),
  async statfs(file) {
    const { bsize, blocks, bfree, bavail, files, ffree } = await fs.promises.statfs(file)
    return { blockSizeBytes: bsize, blocks, blocksFree: bfree, blocksAvailable: bavail, files, filesFree: ffree }
  },
  writeFileAtomic: (file, bytes) =>
    guard(file, () => {
      fs.writeFileSync(`${file}.tmp`, bytes)
      fs.renameSync(`${file}.tmp`, file)
    }),
  rename: (from, to) => guard(from, () => fs.renameSync(from, to)),
  open: unused,
  link: unused,
  unlink: unused,
  makeDirectory: unused,
  removeDirectory: unused,
  syncDirectory: unused,
  lock: unused,
}

function guard<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    const { code = 'EIO', message } = error as NodeJS.ErrnoException
    throw new DiskError(code, file, message, { cause: error })
  }
}

export const testClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(delayMs, fn) {
    const timer = setTimeout(fn, delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
  sleep: (delayMs, signal) => sleepFor(delayMs, undefined, signal ? { signal } : {}),
}

/** Errors alone are told, as `message field=value other="of several words"`. */
export function logTo(write: (line: string) => void): Logger {
  const log: Logger = {
    debug: () => {},
    info: () => {},
    warn: () => {},
    error: (message, fields = {}) =>
      write([message, ...Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`)].join(' ')),
    with: () => log,
  }
  return log
}

const shown = (value: unknown): string => {
  const text = textOf(value)
  return text.includes(' ') ? JSON.stringify(text) : text
}

/** An error with what caused it. */
function textOf(value: unknown): string {
  if (!(value instanceof Error)) return String(value)
  return value.cause === undefined ? value.message : `${value.message}: ${textOf(value.cause)}`
}

export const testEnv = { disk: testDisk, clock: testClock, log: logTo(() => {}) }

const temporary = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'helio-exporters-')))
process.on('exit', () => fs.rmSync(temporary, { recursive: true }))

/** Gone when the process ends. @param files what is in it: path and text */
export function temporaryFolder(files: Readonly<Record<string, string>> = {}): string {
  const root = fs.mkdtempSync(path.join(temporary, 'folder-'))
  for (const [name, text] of Object.entries(files)) {
    fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
    fs.writeFileSync(path.join(root, name), text)
  }
  return root
}
