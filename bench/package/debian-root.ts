/**
 * A Debian system in a folder, made by debootstrap once and kept in the cache; tests get copies of it. Needs root, for
 * chroot and mounts.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const SUITE = 'bookworm'
const MIRROR = 'http://deb.debian.org/debian'
const MAKE_TIMEOUT_MS = 8 * 60_000

export type DebianRoot = {
  readonly folder: string
  /** Runs a program inside. */
  run(command: readonly string[]): { readonly status: number | null; readonly output: string }
  close(): void
}

/** A mirror may fail for a moment. */
const TRIES = 2

/** Why there can be none here; null when there is one. Made where there was none: a mirror that does not answer is a reason. */
export function whyNoDebianRoot(): string | null {
  if (process.geteuid?.() !== 0) return 'a chroot needs root'
  if (fs.existsSync(cached())) return null
  if (spawnSync('debootstrap', ['--version']).status !== 0) return 'debootstrap is not installed'
  let reason = ''
  for (let tries = 0; tries < TRIES; tries++)
    try {
      make()
      return null
    } catch (error) {
      reason = (error as Error).message
    }
  return reason
}

/** Where `whyNoDebianRoot()` knows no reason against it. */
export function openDebianRoot(): DebianRoot {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'helio-debian-'))
  fs.chmodSync(folder, 0o755)
  must('cp', ['-a', `${cached()}/.`, folder])
  const mounts = [
    ['-t', 'proc', 'proc', `${folder}/proc`],
    ['-t', 'sysfs', 'sysfs', `${folder}/sys`],
  ].filter((args) => spawnSync('mount', args).status === 0)
  return {
    folder,
    run(command) {
      const environment = {
        PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
        LC_ALL: 'C.UTF-8',
        DEBIAN_FRONTEND: 'noninteractive',
      }
      const result = spawnSync('chroot', [folder, ...command], { encoding: 'utf8', env: environment, timeout: 120_000 })
      return { status: result.status, output: `${result.stdout}${result.stderr}` }
    },
    close() {
      for (const args of mounts) must('umount', ['-l', args[3]!])
      fs.rmSync(folder, { recursive: true, force: true })
    },
  }
}

const cached = (): string => path.join(os.homedir(), `.cache/heliograph/debootstrap/${SUITE}`)

/** Beside its place first, so that what was broken off is not taken for whole. */
function make(): void {
  const fresh = `${cached()}.${process.pid}`
  fs.mkdirSync(fresh, { recursive: true })
  const args = ['--variant=minbase', SUITE, fresh, MIRROR]
  const { status, stdout } = spawnSync('debootstrap', args, { encoding: 'utf8', timeout: MAKE_TIMEOUT_MS })
  spawnSync('umount', ['-l', `${fresh}/proc`], { stdio: 'ignore' })
  spawnSync('umount', ['-l', `${fresh}/sys`], { stdio: 'ignore' })
  if (status !== 0) {
    fs.rmSync(fresh, { recursive: true, force: true, maxRetries: 3 })
    throw new Error(`debootstrap failed with status ${status}: ${stdout.trim().split('\n').slice(-3).join('; ')}`)
  }
  fs.renameSync(fresh, cached())
}

function must(program: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed: ${stderr}`)
}
