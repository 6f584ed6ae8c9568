/**
 * A snapshot: a directory that another hub can be started on. Blocks are linked, since they do not change; the head is
 * written as blocks. It has its name when it is complete, and not before.
 */
import { DiskError } from '../../protocol/env/mod.ts'
import type { SeriesReader } from '../tsdb/mod.ts'
import { type BlockEnv, type BlockMeta, CHUNKS_FILE, INDEX_FILE, META_COPY_FILE, META_FILE } from './contract.ts'
import { hideFromHead } from './hiding.ts'
import { firstTimeIn } from './next-time.ts'
import type { InForce } from './store.ts'
import { isOpenIn, TOMBSTONES_FILE, writeTombstones } from './tombstones.ts'
import { UNFINISHED, writeBlock } from './write-block.ts'

export const BLOCKS_FOLDER = 'blocks'
const COPY_BYTES = 1 << 20
const NO_LINKS: ReadonlySet<string> = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])

export type Snapshot = {
  /** Where the blocks are. */
  readonly directory: string
  readonly blocks: readonly BlockMeta[]
  /** Null: without what is in memory. */
  readonly head: SeriesReader | null
  /** Above that of any block. */
  readonly sequence: number
  readonly blockMs: number
  readonly inForce: InForce
}

/** @param target in a folder that exists @throws DiskError, and then nothing is left */
export function writeSnapshot(env: BlockEnv, target: string, snapshot: Snapshot): void {
  const { disk } = env
  const temporary = `${target}${UNFINISHED}`
  const blocks = `${temporary}/${BLOCKS_FOLDER}`
  const { hidden, deletes } = snapshot.inForce
  disk.makeDirectory(temporary)
  try {
    disk.makeDirectory(blocks)
    for (const { id } of snapshot.blocks) linkBlock(env, `${snapshot.directory}/${id}`, `${blocks}/${id}`)
    if (snapshot.head) writeHead(env, blocks, snapshot.head, snapshot)
    const open = hidden.tombstones.filter((each) => snapshot.blocks.some((block) => isOpenIn(each, block)))
    const ofBlocks = open.map((each) => ({ ...each, inHead: false }))
    writeTombstones(disk, `${temporary}/${TOMBSTONES_FILE}`, ofBlocks, deletes)
    disk.syncDirectory(blocks)
    disk.syncDirectory(temporary)
    disk.rename(temporary, target)
    disk.syncDirectory(target.slice(0, target.lastIndexOf('/')))
  } finally {
    if (disk.stat(temporary)) disk.removeDirectory(temporary, { recursive: true })
  }
}

function writeHead(env: BlockEnv, blocks: string, head: SeriesReader, { sequence, blockMs, inForce }: Snapshot): void {
  const range = head.timeRange()
  if (!range) return
  const reader = hideFromHead(head, inForce.hidden)
  const startOf = (time: number): number => blockMs * Math.floor(time / blockMs)
  let next = sequence
  for (let minTime = startOf(range.minTime); minTime <= range.maxTime; ) {
    const maxTime = minTime + blockMs
    const block = { range: { minTime, maxTime }, level: 1, sources: [], deletes: inForce.deletes }
    const isEmpty = writeBlock(env, blocks, reader, { ...block, sequence: next++ }) === null
    const rest = { minTime: maxTime, maxTime: range.maxTime + 1 }
    minTime = isEmpty ? startOf(firstTimeIn(reader, rest, blockMs)) : maxTime
  }
}

function linkBlock(env: BlockEnv, from: string, to: string): void {
  env.disk.makeDirectory(to)
  for (const name of [CHUNKS_FILE, INDEX_FILE, META_FILE, META_COPY_FILE]) {
    try {
      env.disk.link(`${from}/${name}`, `${to}/${name}`)
    } catch (error) {
      if (!(error instanceof DiskError && NO_LINKS.has(error.code))) throw error
      copyFile(env, `${from}/${name}`, `${to}/${name}`)
    }
  }
  env.disk.syncDirectory(to)
}

function copyFile({ disk }: BlockEnv, from: string, to: string): void {
  const source = disk.open(from, 'r')
  try {
    const target = disk.open(to, 'wx')
    try {
      const piece = new Uint8Array(COPY_BYTES)
      for (let at = 0; ; ) {
        const length = source.read(piece, 0, piece.length, at)
        if (length === 0) break
        target.write(piece.subarray(0, length), at)
        at += length
      }
      target.datasync()
    } finally {
      target.close()
    }
  } finally {
    source.close()
  }
}
