/** Names of blocks on disk, `<minTime>-<maxTime>-<sequence>` (times in ms, `[minTime, maxTime)`), and of what is not whole. */
import type { Disk } from '../../protocol/env/mod.ts'
import type { BlockRange } from './contract.ts'
import { UNFINISHED } from './write-block.ts'

/** Behind the name of a block that was set aside. */
export const DAMAGED = '.damaged'
const ID = /^(-?\d+)-(-?\d+)-(\d+)$/

/** As the name of a block, or the path to it, says. NaN: it is none. */
export function rangeOfId(path: string): BlockRange {
  const [, minTime, maxTime] = ID.exec(path.slice(path.lastIndexOf('/') + 1)) ?? []
  return { minTime: Number(minTime), maxTime: Number(maxTime) }
}

export type BlockName = { readonly name: string; readonly id: string; readonly sequence: number }

/** Of all blocks, newest first; `name` is not `id` where one was set aside. What is not finished goes. @throws DiskError */
export function namesIn(disk: Disk, directory: string): BlockName[] {
  const all: BlockName[] = []
  for (const name of disk.readDirectory(directory)) {
    if (name.endsWith(UNFINISHED)) {
      disk.removeDirectory(`${directory}/${name}`, { recursive: true })
      continue
    }
    const id = name.endsWith(DAMAGED) ? name.slice(0, -DAMAGED.length) : name
    const [, , , sequence] = ID.exec(id) ?? []
    if (sequence !== undefined) all.push({ name, id, sequence: Number(sequence) })
  }
  return all.sort((a, b) => b.sequence - a.sequence)
}
