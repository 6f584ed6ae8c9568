/**
 * A data directory whose hub does not run: its lock taken, its log replayed into a head, head and blocks behind one
 * reader, without what was deleted. Retention by series is of the configuration, and not applied here.
 */
import type { Env } from '../../protocol/env/mod.ts'
import { BLOCKS_FOLDER, type BlockEnv, BlockSet, type Damage, NO_FLOORS } from '../block/mod.ts'
import { createIngest, type Ingest } from '../ingest/mod.ts'
import { openReader, type SeriesReader } from '../tsdb/mod.ts'
import { type OpenedBlocks, openOwnBlocks } from './own-blocks.ts'
import { readOnlyDisk } from './read-only-disk.ts'

export type StoredData = {
  readonly reader: SeriesReader
  readonly blocks: OpenedBlocks
  readonly ingest: Ingest
  /** Of blocks, found now and not before. */
  readonly damagedBlocks: readonly Damage[]
  /** What was found damaged so far, and is not in what the reader gives. */
  readonly damage: readonly string[]
  close(): Promise<void>
}

const CACHE_BYTES = 64 << 20

/**
 * @param mayRepair whether blocks that are damaged are set aside, as by a start of the hub. The log is replayed as by a
 * start in any case: what a crash left of its last record is cut off
 * @throws DirectoryLockedError, DiskError, FatalDiskError
 */
export async function openStoredData(
  env: Env,
  ofBlocks: BlockEnv,
  dataPath: string,
  mayRepair: boolean,
): Promise<StoredData> {
  const blockEnv = mayRepair ? ofBlocks : { ...ofBlocks, disk: readOnlyDisk(ofBlocks.disk) }
  const ingest = await createIngest(env, {
    directory: dataPath,
    hub: 'offline',
    logLevel: 'error',
    logFormat: 'logfmt',
  })
  try {
    const damage = ingest.replay.damages
      .filter(({ isHarmless }) => !isHarmless)
      .map(({ file, fromByte, what }) => `${file}:${fromByte}: ${what}`)
    const folder = `${dataPath}/${BLOCKS_FOLDER}`
    const before = new Set(env.disk.stat(folder) ? env.disk.readDirectory(folder) : [])
    const blocks = openOwnBlocks(blockEnv, env.log, dataPath)
    const damagedBlocks = blocks.store.damages().filter(({ block }) => !before.has(`${block}.damaged`))
    for (const { block, piece, why, cost } of damagedBlocks)
      if (cost !== 'nothing') damage.push(`${block}: ${piece}: ${why}`)
    const set = new BlockSet(blockEnv, {
      cacheBytes: CACHE_BYTES,
      onDamage: ({ cost, message }) => cost !== 'nothing' && damage.push(message),
    })
    const head = openReader(ingest.share())
    const byStrength = [...blocks.list()].sort((a, b) => b.sequence - a.sequence)
    const reader = set.behind(head, {
      paths: byStrength.map(({ id }) => `${blocks.directory}/${id}`),
      deletes: byStrength.map(({ deletes }) => deletes ?? 0),
      hidden: { tombstones: blocks.tombstones.list(), floors: NO_FLOORS },
    })
    const close = async (): Promise<void> => {
      set.close()
      head.release()
      await ingest.close()
    }
    return { reader, blocks, ingest, damagedBlocks, damage, close }
  } catch (error) {
    await ingest.close()
    throw error
  }
}
