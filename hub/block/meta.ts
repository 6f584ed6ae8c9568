/** `meta.json`: readable by people, and as strictly checked as everything else. */
import { crc32c } from '../../protocol/crc/mod.ts'
import type { Disk } from '../../protocol/env/mod.ts'
import { type BlockMeta, META_FILE } from './contract.ts'
import { BlockDamagedError } from './errors.ts'

/** The text that `decodeMeta` accepts, and no other: with a byte changed it is not what its contents would give. */
export function encodeMeta(meta: BlockMeta): string {
  const body = JSON.stringify(meta, null, 2)
  const crc = crc32c(new TextEncoder().encode(body))
  return `${body.slice(0, -2)},\n  "crc32c": ${crc}\n}\n`
}

/** @throws BlockDamagedError, DiskError */
export function readMeta(disk: Disk, path: string): BlockMeta {
  const text = disk.readText(`${path}/${META_FILE}`)
  const fail = (why: string, cause?: unknown): never => {
    throw new BlockDamagedError(path, META_FILE, why, { cause })
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
