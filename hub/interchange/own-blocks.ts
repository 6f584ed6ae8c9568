/** The blocks of a data directory whose hub does not run: listed, opened, added to. */
import type { Logger } from '../../protocol/env/mod.ts'
import {
  BLOCKS_FOLDER,
  type BlockEnv,
  type BlockMeta,
  BlockStore,
  TOMBSTONES_FILE,
  TombstoneFile,
} from '../block/mod.ts'

export type OwnBlocks = {
  readonly env: BlockEnv
  /** The folder of the blocks. */
  readonly directory: string
  list(): readonly BlockMeta[]
  /** Deletions up to this one are older than what is added, and do not concern it. */
  readonly deletes: number
}

export type OpenedBlocks = OwnBlocks & { readonly store: BlockStore; readonly tombstones: TombstoneFile }

const SEQUENCE = /^-?\d+--?\d+-(\d+)(?:\.\w+)?$/

/** Verifies what is there, and finishes what a crash interrupted, as the hub does when it starts. @throws DiskError */
export function openOwnBlocks(env: BlockEnv, log: Logger, dataPath: string): OpenedBlocks {
  const directory = `${dataPath}/${BLOCKS_FOLDER}`
  const store = BlockStore.open({ ...env, log, directory })
  const tombstones = new TombstoneFile(env.disk, `${dataPath}/${TOMBSTONES_FILE}`, log)
  return { env, directory, store, tombstones, list: () => store.list(), deletes: tombstones.lastId }
}

/** Above that of every block in the folder, also of those that were set aside. */
export function newSequence({ env, directory }: OwnBlocks): number {
  const numbers = env.disk.readDirectory(directory).map((name) => Number(SEQUENCE.exec(name)?.[1] ?? 0))
  return 1 + Math.max(0, ...numbers)
}
