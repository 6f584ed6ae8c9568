/** Programs, owners and accounts of this host, for `install` and `uninstall`. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import type { HostTools } from '../install/mod.ts'

const PROGRAM_TIMEOUT_MS = 60_000

/** @param entry the file that was started, absolute or in the single file */
export function createHostTools(entry: string): HostTools {
  const isSingleFile = entry.startsWith('/$bunfs/')
  return {
    isRoot: process.geteuid?.() === 0,
    isSingleFile,
    selfCommand: isSingleFile ? [fs.realpathSync(process.execPath)] : [fs.realpathSync(process.execPath), entry],
    run(program, args) {
      const result = spawnSync(program, [...args], { encoding: 'utf8', timeout: PROGRAM_TIMEOUT_MS })
      if (result.error) return { status: 127, output: result.error.message }
      return { status: result.status ?? 1, output: `${result.stdout}${result.stderr}`.trim() }
    },
    copyFile(from, to, mode) {
      // A running program's file cannot be written, but it can be replaced.
      const fresh = `${to}.new`
      fs.mkdirSync(path.dirname(to), { recursive: true })
      fs.copyFileSync(from, fresh)
      fs.chmodSync(fresh, mode)
      fs.renameSync(fresh, to)
    },
    chmod: (file, mode) => fs.chmodSync(file, mode),
    chown(file, user, group) {
      const result = spawnSync('chown', ['-h', `${user}:${group}`, file], { encoding: 'utf8' })
      if (result.status !== 0) throw new Error(`Cannot give ${file} to ${user}:${group}: ${result.stderr.trim()}`)
    },
  }
}
