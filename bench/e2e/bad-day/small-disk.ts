/** A file system small enough to fill, where this process may mount one. */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import type { World } from '../world.ts'

const MIB = 1 << 20
const BLOCK_BYTES = 4096

/** An ext4 in a file, as a real disk has it; a tmpfs where no loop device can be had. */
const KINDS = ['ext4', 'tmpfs'] as const
type Kind = (typeof KINDS)[number]

function mountAt(folder: string, kind: Kind, sizeMib: number): void {
  const run = (file: string, args: readonly string[]): void => void execFileSync(file, args, { stdio: 'pipe' })
  if (kind === 'tmpfs') {
    run('mount', ['-t', 'tmpfs', '-o', `size=${sizeMib}m`, 'tmpfs', folder])
    return
  }
  const image = `${folder}.img`
  try {
    fs.writeFileSync(image, '')
    fs.truncateSync(image, sizeMib * MIB)
    run('mkfs.ext4', ['-q', '-m', '0', image])
    run('mount', ['-o', 'loop', image, folder])
  } finally {
    // The loop device holds it until it is unmounted.
    fs.rmSync(image, { force: true })
  }
}

let known: { readonly kind: Kind | null; readonly reasons: string } | null = null

function kindOfThisHost(): NonNullable<typeof known> {
  if (known) return known
  const reasons: string[] = []
  for (const kind of KINDS) {
    const folder = fs.mkdtempSync('/tmp/helio-mount-')
    try {
      mountAt(folder, kind, 16)
      execFileSync('umount', [folder], { stdio: 'pipe' })
      return (known = { kind, reasons: '' })
    } catch (error) {
      reasons.push(`${kind}: ${String(error).split('\n')[0]}`)
    } finally {
      fs.rmSync(folder, { recursive: true, force: true })
    }
  }
  return (known = { kind: null, reasons: reasons.join('; ') })
}

/** For `{ skip }`: false when a small disk can be mounted here, else the reason. */
export function cannotMount(): string | false {
  if (process.getuid?.() !== 0) return 'a small disk takes root to mount'
  const { kind, reasons } = kindOfThisHost()
  return kind ? false : `no small disk can be mounted: ${reasons}`
}

export class SmallDisk {
  readonly folder: string
  readonly kind: Kind
  readonly #ballast: string

  private constructor(folder: string, kind: Kind) {
    this.folder = folder
    this.kind = kind
    this.#ballast = `${folder}/ballast`
  }

  /** Mounted at a folder of the world; `stopped` must have ended all that uses it. */
  static mount(world: World, folder: string, sizeMib: number, stopped: () => Promise<unknown>): SmallDisk {
    fs.mkdirSync(folder, { recursive: true })
    const { kind } = kindOfThisHost()
    mountAt(folder, kind!, sizeMib)
    world.onClose(async () => {
      await stopped()
      execFileSync('umount', [folder], { stdio: 'pipe' })
    })
    return new SmallDisk(folder, kind!)
  }

  get freeBytes(): number {
    const { bavail, bsize } = fs.statfsSync(this.folder)
    return bavail * bsize
  }

  /** Leaves so much room, and no more. Others write meanwhile: what was free a moment ago may be gone. */
  fillUpTo(freeMib: number): void {
    this.empty()
    let at = 0
    // The file system's own bookkeeping takes room, too: what does not fit in one piece is tried in halves.
    for (let bytes = this.freeBytes - freeMib * MIB; bytes >= BLOCK_BYTES; ) {
      try {
        execFileSync('fallocate', ['-o', String(at), '-l', String(bytes), this.#ballast], { stdio: 'pipe' })
        at += bytes
        bytes = this.freeBytes - freeMib * MIB
      } catch (error) {
        if (!String(error).includes('No space')) throw error
        bytes = Math.floor(bytes / 2)
      }
    }
  }

  /** Takes the ballast away. */
  empty(): void {
    fs.rmSync(this.#ballast, { force: true })
  }
}
