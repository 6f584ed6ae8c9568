/** What is in a data directory of Prometheus: its blocks, and whether there is more in its head. */
import type { Disk } from '../../protocol/env/mod.ts'
import { decodeTsdbMeta, isUlid, type TsdbMeta } from '../../protocol/prometheus-tsdb/mod.ts'

export type FoundBlock = { readonly path: string; readonly meta: TsdbMeta; readonly sizeBytes: number }
export type PrometheusDirectory = {
  /** Oldest first. */
  readonly blocks: readonly FoundBlock[]
  /** Bytes of the head's log: samples that are in no block yet. */
  readonly headBytes: number
}

const SEGMENT = /^\d{8}$/

/**
 * A data directory, a snapshot, or one block.
 * @throws TsdbFormatError for a block without a readable meta.json, DiskError
 */
export function scanPrometheus(disk: Disk, path: string): PrometheusDirectory {
  if (disk.stat(`${path}/meta.json`)) return { blocks: [found(disk, path)], headBytes: 0 }
  const blocks = disk
    .readDirectory(path)
    .filter((name) => isUlid(name) && disk.stat(`${path}/${name}`)?.isDirectory)
    .map((name) => found(disk, `${path}/${name}`))
  return {
    blocks: blocks.sort((a, b) => a.meta.minTime - b.meta.minTime || (a.meta.ulid < b.meta.ulid ? -1 : 1)),
    headBytes: sizeOf(disk, `${path}/wal`, SEGMENT) + sizeOf(disk, `${path}/wbl`, SEGMENT),
  }
}

export const looksLikePrometheus = (disk: Disk, path: string): boolean =>
  disk.stat(`${path}/meta.json`) !== null ||
  disk.stat(`${path}/chunks_head`) !== null ||
  disk.readDirectory(path).some(isUlid)

function found(disk: Disk, path: string): FoundBlock {
  const file = `${path}/meta.json`
  const sizeBytes = (disk.stat(`${path}/index`)?.sizeBytes ?? 0) + sizeOf(disk, `${path}/chunks`, /^\d{6}$/)
  return { path, meta: decodeTsdbMeta(disk.readText(file), file), sizeBytes }
}

function sizeOf(disk: Disk, folder: string, names: RegExp): number {
  if (!disk.stat(folder)?.isDirectory) return 0
  return disk
    .readDirectory(folder)
    .filter((name) => names.test(name))
    .reduce((sum, name) => sum + (disk.stat(`${folder}/${name}`)?.sizeBytes ?? 0), 0)
}
