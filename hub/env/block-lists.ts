/**
 * The lists of a query's blocks and deletions on their way to a worker: text in shared memory, written once after each
 * change, and read by each worker once. A task that carried them would cost the main thread time in proportion to them
 * (34 ms for 10,000 deletions) at every query.
 */
import { decodeShared, encodeShared, type Hidden, type Shared } from '../block/mod.ts'
import type { BlockView, WorkerTask } from '../query/mod.ts'

type Lists = Pick<BlockView, 'paths' | 'deletes'> & Pick<Hidden, 'tombstones'>
type PackedView = Omit<BlockView, 'paths' | 'deletes' | 'hidden'> & {
  readonly hidden: Omit<Hidden, 'tombstones'>
  readonly lists: Shared<Lists>
  /** Differs whenever the lists do. */
  readonly version: number
}
export type PackedTask = Omit<WorkerTask, 'blocks'> & { readonly blocks: PackedView }

/** The main thread's side. */
export class ListsOut {
  #last: Lists = { paths: [], deletes: [], tombstones: [] }
  #packed = { version: 0, lists: encodeShared(this.#last) }

  pack(task: WorkerTask): PackedTask {
    const { paths, deletes, hidden, ...rest } = task.blocks
    const { tombstones, ...others } = hidden
    const last = this.#last
    if (paths !== last.paths || deletes !== last.deletes || tombstones !== last.tombstones) {
      this.#last = { paths, deletes, tombstones }
      this.#packed = { version: this.#packed.version + 1, lists: encodeShared(this.#last) }
    }
    return { ...task, blocks: { ...rest, hidden: others, ...this.#packed } }
  }
}

/** A worker's side. */
export class ListsIn {
  #version = -1
  #lists: Lists = { paths: [], deletes: [], tombstones: [] }

  unpack({ blocks, ...task }: PackedTask): WorkerTask {
    const { lists, version, hidden, ...rest } = blocks
    if (version !== this.#version) {
      this.#lists = decodeShared(lists)
      this.#version = version
    }
    const { paths, deletes, tombstones } = this.#lists
    return { ...task, blocks: { ...rest, paths, deletes, hidden: { ...hidden, tombstones } } }
  }
}
