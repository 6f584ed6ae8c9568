/**
 * `meta.json`: readable by people, and as strictly checked as everything else. It stands in the block twice, for what it
 * says of deletions, sources and windows can be made of nothing else.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { type Disk, DiskError } from '../../protocol/env/mod.ts'
import { type BlockMeta, META_COPY_FILE, META_FILE, type OnDamage } from './contract.ts'
import { BlockDamagedError } from './errors.ts'

/** The text that `decodeMeta` accepts, and no other: with a byte changed it is not what its contents would give. */
export function encodeMeta(meta: BlockMeta): string {
  const body = JSON.stringify(meta, null, 2)
  const crc = crc32c(new TextEncoder().encode(body))
  return `${body.slice(0, -2)},\n  "crc32c": ${crc}\n}\n`
}

/**
 * Of a block that is there, for what has changed about it: each file is whole at any moment, and the older text is true,
 * too. @throws DiskError
 */
export function rewriteMeta(disk: Disk, path: string, meta: BlockMeta): void {
  for (const file of [META_FILE, META_COPY_FILE]) disk.writeFileAtomic(`${path}/${file}`, encodeMeta(meta))
}

/**
 * @param onDamage hears of a text that is not what was written while the other one is
 * @throws BlockDamagedError, DiskError (`ENOENT` or `EIO` when neither can be read)
 */
export function readMeta(disk: Disk, path: string, onDamage: OnDamage): BlockMeta {
  const first = tryRead(disk, path, META_FILE)
  if ('meta' in first) return first.meta
  const second = tryRead(disk, path, META_COPY_FILE)
  if (!('meta' in second)) throw first.error
  onDamage(harmless(path, META_FILE, first.error))
  return second.meta
}

/** Writes the text that is damaged or missing anew, which `onDamage` hears of. @throws as `readMeta` */
export function healMeta(disk: Disk, path: string, onDamage: OnDamage): void {
  const meta = readMeta(disk, path, () => {})
  for (const file of [META_FILE, META_COPY_FILE]) {
    const read = tryRead(disk, path, file)
    if ('meta' in read) continue
    onDamage(harmless(path, file, read.error))
    try {
      disk.writeFileAtomic(`${path}/${file}`, encodeMeta(meta))
    } catch (error) {
      // The block is served as it is, and the next start tries again.
      if (!(error instanceof DiskError)) throw error
    }
  }
}

/** What is wrong with the second text, which is read only where the first is damaged; null: nothing. @throws DiskError */
export function metaCopyDamage(disk: Disk, path: string): BlockDamagedError | null {
  const read = tryRead(disk, path, META_COPY_FILE)
  return 'meta' in read ? null : harmless(path, META_COPY_FILE, read.error)
}

function harmless(path: string, file: string, error: BlockDamagedError | DiskError): BlockDamagedError {
  const why = error instanceof BlockDamagedError ? error.why : whyUnread(error)
  return new BlockDamagedError(path, file, `${why}, the other of the two is used`, { cause: error, cost: 'nothing' })
}

type Read = { readonly meta: BlockMeta } | { readonly error: BlockDamagedError | DiskError }

/** Whether a file of a block is as good as damaged: gone, or on a sector that cannot be read. Other errors are not of the block. */
export function isDamage({ code }: DiskError): boolean {
  return code === 'ENOENT' || code === 'EIO'
}

export function whyUnread({ code }: DiskError): string {
  return code === 'ENOENT' ? 'a file is missing' : 'the disk cannot read a file'
}

/** @throws DiskError but for damage */
function tryRead(disk: Disk, path: string, file: string): Read {
  try {
    return { meta: readText(disk, path, file) }
  } catch (error) {
    if (error instanceof BlockDamagedError || (error instanceof DiskError && isDamage(error))) return { error }
    throw error
  }
}

function readText(disk: Disk, path: string, file: string): BlockMeta {
  const text = disk.readText(`${path}/${file}`)
  const fail = (why: string, cause?: unknown): never => {
    throw new BlockDamagedError(path, file, why, { cause })
  }
  let parsed: BlockMeta & { crc32c?: number }
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    return fail('no JSON', cause)
  }
  if (typeof parsed !== 'object' || parsed === null) return fail('no object')
  const { crc32c: _, ...meta } = parsed
  if (encodeMeta(meta) !== text) return fail('wrong checksum')
  if (meta.version !== 1) return fail(`version ${meta.version}, which this hub does not know`)
  return meta
}
