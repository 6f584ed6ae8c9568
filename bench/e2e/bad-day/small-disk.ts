/** A file system small enough to fill, where this process may mount one. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import type { World } from '../world.ts'

const MIB = 1 << 20

/** For `{ skip }`: false when a tmpfs can be mounted here, else the reason. */
export function cannotMount(): string | false {
  if (process.getuid?.() !== 0) return 'a small disk takes root to mount'
  const folder = fs.mkdtempSync('/tmp/helio-mount-')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'pipe' })
    execFileSync('umount', [folder], { stdio: 'pipe' })
    return false
  } catch (error) {
    return `no tmpfs can be mounted: ${String(error).split('\n')[0]}`
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

export class SmallDisk {
  readonly folder: string
  readonly #ballast: string

  private constructor(folder: string) {
    this.folder = folder
    this.#ballast = `${folder}/ballast`
  }

  /** Mounted at a folder of the world; `stopped` must have ended all that uses it. */
  static mount(world: World, folder: string, sizeMib: number, stopped: () => Promise<unknown>): SmallDisk {
    fs.mkdirSync(folder, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder], { stdio: 'pipe' })
    world.onClose(async () => {
      await stopped()
      execFileSync('umount', [folder], { stdio: 'pipe' })
    })
    return new SmallDisk(folder)
  }

  get freeBytes(): number {
    const { bavail, bsize } = fs.statfsSync(this.folder)
    return bavail * bsize
  }

  /** Leaves so much room, and no more. Others write meanwhile: what was free a moment ago may be gone. */
  fillUpTo(freeMib: number): void {
    this.empty()
    for (let tries = 0; tries < 20; tries++) {
      const bytes = Math.max(0, this.freeBytes - freeMib * MIB)
      try {
        execFileSync('fallocate', ['-l', String(bytes), this.#ballast], { stdio: 'pipe' })
        return
      } catch (error) {
        if (!String(error).includes('No space')) throw error
        this.empty()
      }
    }
    throw new Error(`the disk at ${this.folder} cannot be filled`)
  }

  /** Takes the ballast away. */
  empty(): void {
    fs.rmSync(this.#ballast, { force: true })
  }
}
