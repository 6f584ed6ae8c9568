/** Blocks on a disk in memory, for tests of what comes in and goes out. */
import { mergeReaders, openBlock } from '../../block/mod.ts'
import { contents, type memoryEnv } from '../../block/testing/samples.ts'
import type { SeriesReader } from '../../tsdb/mod.ts'
import { createProgress } from '../mod.ts'
import type { OwnBlocks } from '../own-blocks.ts'

export const silent = createProgress({ isTerminal: false, write: () => {}, nowMs: () => 0 })

type MemoryEnv = ReturnType<typeof memoryEnv>

export function ownBlocks(env: MemoryEnv): OwnBlocks {
  const directory = '/data/blocks'
  env.disk.makeDirectory(directory)
  const metas = () =>
    env.disk
      .readDirectory(directory)
      .filter((name) => !name.endsWith('.tmp'))
      .map((name) => {
        const block = openBlock(env, `${directory}/${name}`)
        block.close()
        return block.meta
      })
  return { env, directory, deletes: 0, list: metas }
}

/** All that the hub's own blocks hold. */
export function stored(own: OwnBlocks): Map<string, string[]> {
  const all = new Map<string, string[]>()
  for (const { id } of [...own.list()].sort((a, b) => a.minTime - b.minTime)) {
    const block = openBlock(own.env, `${own.directory}/${id}`)
    for (const [key, lines] of contents(block)) all.set(key, [...(all.get(key) ?? []), ...lines])
    block.close()
  }
  return all
}

/** One reader over them all. */
export function openOwn(own: OwnBlocks): SeriesReader {
  return mergeReaders(own.list().map(({ id }) => openBlock(own.env, `${own.directory}/${id}`)))
}
