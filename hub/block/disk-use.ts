/** What of the data directory is not blocks: retention by size counts it too, and blocks are what can go. */
import type { Disk } from '../../protocol/env/mod.ts'
import { BLOCKS_FOLDER } from './snapshot.ts'

export const SNAPSHOTS_FOLDER = 'snapshots'

/**
 * Bytes of files under `directory`, without snapshots (they are the user's, and share the blocks' bytes) and without the
 * blocks of these ids. Looks at every other file: not for the main thread.
 */
export function bytesBesideBlocks(disk: Disk, directory: string, ids: ReadonlySet<string>): number {
  let total = 0
  const walk = (path: string, isLeftOut: (name: string) => boolean): void => {
    for (const name of disk.readDirectory(path)) {
      if (isLeftOut(name)) continue
      const file = `${path}/${name}`
      const stat = disk.stat(file, { followLinks: false })
      if (stat?.isDirectory) walk(file, () => false)
      else total += stat?.sizeBytes ?? 0
    }
  }
  walk(directory, (name) => name === SNAPSHOTS_FOLDER || name === BLOCKS_FOLDER)
  if (disk.stat(`${directory}/${BLOCKS_FOLDER}`)) walk(`${directory}/${BLOCKS_FOLDER}`, (name) => ids.has(name))
  return total
}
