/** What the commands of `heliograph-hub tsdb` are called with and share: the directory's lock, its data, output. */
import process from 'node:process'
import { UsageError } from '../../agent/cli/mod.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import type { Env } from '../../protocol/env/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { openStoredData, type Progress, type StoredData } from '../interchange/mod.ts'
import type { TimeRange } from '../tsdb/mod.ts'
import { DirectoryLockedError } from '../wal/mod.ts'

/** Something that the operator can do something about; its message is all that is shown. */
export class CommandError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

export type Call = {
  readonly env: Env
  readonly dataPath: string
  readonly positional: readonly string[]
  readonly selectors: readonly (readonly Matcher[])[]
  readonly progress: Progress
  get(flag: string): string
}

/** Runs with the lock of the directory, which must be there. */
export async function locked<T>({ env, dataPath }: Call, run: () => Promise<T>): Promise<T> {
  needDirectory(env, dataPath)
  const lock = env.disk.lock(`${dataPath}/lock`)
  if (!lock) throw heldError(env, dataPath)
  try {
    return await run()
  } finally {
    lock.release()
  }
}

/** Head and blocks behind one reader, to be looked at; the log's replay takes the lock. */
export function stored<T>(call: Call, run: (data: StoredData) => Promise<T>): Promise<T> {
  return open(call, false, run)
}

/** The same to be changed. */
export function storedForRepair<T>(call: Call, run: (data: StoredData) => Promise<T>): Promise<T> {
  return open(call, true, run)
}

async function open<T>({ env, dataPath }: Call, mayRepair: boolean, run: (data: StoredData) => Promise<T>): Promise<T> {
  needDirectory(env, dataPath)
  let data: StoredData
  try {
    data = await openStoredData(env, blockEnv(env), dataPath, mayRepair)
  } catch (error) {
    throw error instanceof DirectoryLockedError ? heldError(env, dataPath) : error
  }
  try {
    const result = await run(data)
    for (const what of new Set(data.damage))
      process.stderr.write(`heliograph-hub: warning: damaged, and not in the output: ${what}\n`)
    return result
  } finally {
    await data.close()
  }
}

export const zstd = (bytes: Uint8Array, maxBytes: number): Uint8Array => runtimeZstd.decompress(bytes, maxBytes)
export const blockEnv = (env: Env) => ({ disk: env.disk, compressor: runtimeZstd })

export function needDirectory(env: Env, dataPath: string): void {
  if (!env.disk.stat(dataPath)?.isDirectory)
    throw new CommandError(`there is no data directory ${dataPath}; name the hub's with --storage.tsdb.path`)
}

export function heldError({ disk }: Env, dataPath: string): CommandError {
  let holder = ''
  try {
    holder = `process ${disk.readLink(`${dataPath}/lock`).split('-')[0]}`
  } catch {
    holder = 'another process'
  }
  return new CommandError(
    `the data directory ${dataPath} is in use by ${holder}: stop that hub first, or take a snapshot (POST /api/v1/admin/tsdb/snapshot of a hub with --web.enable-admin-api) and work on that`,
  )
}

export function rangeOf({ get }: Call): TimeRange {
  const time = (flag: string, fallback: number): number => {
    const given = get(flag)
    if (given === '') return fallback
    const ms = /^-?\d+$/.test(given) ? Number(given) : Date.parse(given)
    if (Number.isNaN(ms))
      throw new UsageError(`--${flag}: must be milliseconds or a time such as 2026-01-31T12:00:00Z, got "${given}"`)
    return ms
  }
  return { minTime: time('min-time', Number.NEGATIVE_INFINITY), maxTime: time('max-time', Number.POSITIVE_INFINITY) }
}

export function choice<T extends string>({ get }: Call, flag: string, allowed: readonly T[]): T {
  const given = get(flag) as T
  if (!allowed.includes(given))
    throw new UsageError(
      `--${flag}: must be one of ${allowed.filter((each) => each !== '').join(', ')}, got "${given}"`,
    )
  return given
}

/** Resolves when the text is taken; a reader that went away (`| head`) is no error. */
export function print(output: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(output, (error) => {
      if (!error) resolve()
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
      else reject(error)
    })
  })
}

export function tellLeftOut(leftOut: number): void {
  if (leftOut > 0)
    process.stderr.write(
      `heliograph-hub: warning: ${leftOut} native histograms and stale markers have no form in OpenMetrics and were left out\n`,
    )
}
