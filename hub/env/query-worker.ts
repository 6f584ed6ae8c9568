/** Entry of a query worker: opens a reader on the shared pages, runs one task, gives the reader back. */

import os from 'node:os'
import v8 from 'node:v8'
import vm from 'node:vm'
import { threadId } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
// Not through the door: it brings the network along, 15 MB a thread.
import { nodeDisk } from '../../agent/env/disk.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { DiskError } from '../../protocol/env/mod.ts'
import { BlockSet, type Damage } from '../block/mod.ts'
import {
  answerBuffers,
  errorAnswer,
  loadArrow,
  runPart,
  ShardStates,
  type SharedShards,
  tryPart,
  type WorkerAnswer,
  type WorkerTask,
} from '../query/mod.ts'
import { evictedUntil, evictions, openReader, type ReaderShare, StalePagesError } from '../tsdb/mod.ts'
import { ListsIn, type PackedTask } from './block-lists.ts'
import { putMail, takeMail } from './mailbox.ts'
import { threadCpuMs } from './thread-cpu.ts'

/**
 * Where all cores are taken, what is scraped and written goes first: the main thread and the ingest worker weigh twice a
 * query worker; more, and a query that is to stop would take too long to notice. On Linux a nice value is a thread's own, elsewhere it is the process's and stays as it is.
 */
const NICE = 3
if (process.platform === 'linux') {
  try {
    os.setPriority(NICE)
  } catch {
    // Where it is forbidden queries have the same weight as all else.
  }
}

/**
 * Workers wait for tasks without turning their event loop, so V8 never finds the idle time in which it would collect:
 * what a large query leaves would stay until the next large one.
 */
v8.setFlagsFromString('--expose-gc')
const collectGarbage = vm.runInNewContext('gc') as (options: object) => void
const COLLECT_AFTER_BYTES = 64 << 20
let bytesAfterCollection = usedBytes()

/** Inflated chunks that a thread keeps between queries. */
const CACHE_BYTES = 64 << 20
/** And of decoded values: what dashboards ask for again and again. */
const VALUE_BYTES = 64 << 20
const damage: Damage[] = []
/** What of all that the running task has read is damaged, by block and piece. */
const missing = new Map<string, Damage>()
const lists = new ListsIn()
const blocks = new BlockSet(
  { disk: nodeDisk, compressor: runtimeZstd },
  {
    cacheBytes: CACHE_BYTES,
    valueBytes: VALUE_BYTES,
    onDamage: (error) => damage.push(error.damage),
    onMissing: (error) => void missing.set(`${error.path} ${error.piece}`, error.damage),
  },
)

/** A task without a question: to collect what stopped queries left. */
const COLLECT = 'collect'

export function work(given: PackedTask | typeof COLLECT): WorkerAnswer | Promise<WorkerAnswer> | null {
  if (given === COLLECT) {
    collectIfMuch(0)
    return null
  }
  const whole = lists.unpack(given)
  const { task } = whole
  return 'settings' in task && task.settings.arrow ? loadArrow().then(() => run(whole)) : run(whole)
}

const NOTHING: WorkerAnswer = { status: 200, contentType: '', body: new Uint8Array(0) }

function run(given: WorkerTask): WorkerAnswer {
  const { part, lane, mailboxes = [] } = given
  if (part.kind !== 'help') return moved(answerOf(given))
  const { count } = part
  const states = new ShardStates(new Int32Array(given.flags))
  const index = states.begin(threadId, count, lane)
  if (index < 0) return NOTHING
  const answer = answerOf({ ...given, part: { kind: 'shard', index, count } })
  const mailbox = mailboxes[lane - 1]!
  // What is much too large is not even written.
  const bytes = answerBuffers(answer).reduce((sum, { byteLength }) => sum + byteLength, 0)
  if (bytes > mailbox.byteLength || !putMail(mailbox, answer)) {
    states.end(index, lane, 'large')
    return moved({ ...answer, shard: index })
  }
  states.end(index, lane, 'put')
  const { damage } = answer
  return damage === undefined ? NOTHING : { ...NOTHING, damage }
}

function answerOf(given: WorkerTask): WorkerAnswer {
  const { lane, mailboxes = [] } = given
  const flags = new Int32Array(given.flags)
  let answer: WorkerAnswer
  missing.clear()
  try {
    // Tells whose claims to end, should this thread die. Pairs with the load in QueryService.
    Atomics.store(flags, 1 + lane, threadId)
    const share = asBefore(given.share)
    const head = openReader(share, { owner: threadId })
    try {
      const { coveredUntil, evictions: known } = given.blocks
      const reader = given.task.kind === 'cardinality' ? head : blocks.behind(head, given.blocks)
      const now = (): number => performance.now()
      const context = {
        reader,
        flags,
        now,
        missing: () => [...missing.values()],
        ...(given.part.kind === 'lead' && { shards: sharedShards(flags, given.part.count, mailboxes) }),
      }
      answer = given.isTrial === true ? tryPart(given, { ...context, cpuMs: threadCpuMs }) : runPart(given, context)
      // What was evicted meanwhile stands in blocks that this query was not told of.
      if (evictedUntil(share) > coveredUntil || evictions(share) > known) answer = { ...answer, isStale: true }
    } finally {
      head.release()
    }
  } catch (error) {
    const isStale = error instanceof StalePagesError || (error instanceof DiskError && error.code === 'ENOENT')
    answer = isStale ? { ...errorAnswer(error), isStale: true } : errorAnswer(error)
  }
  if (damage.length > 0) answer = { ...answer, damage: damage.splice(0) }
  // A client that has gone, or a deadline that has passed, does not wait for this.
  if (answer.error?.type === 'canceled' || answer.error?.type === 'timeout') answer = { ...answer, leavesGarbage: true }
  else collectIfMuch(answer.body.length)
  return answer
}

function sharedShards(flags: Int32Array, count: number, mailboxes: readonly SharedArrayBuffer[]): SharedShards {
  const states = new ShardStates(flags)
  return {
    begin: () => states.begin(threadId, count, 0),
    wait: (index) => states.wait(index).how,
    take: (index) => takeMail(mailboxes[states.wait(index).lane - 1]!) as WorkerAnswer,
  }
}

/** The body, or the columns, move to the main thread without a copy. */
function moved(answer: WorkerAnswer): WorkerAnswer {
  return move({ [transferableSymbol]: answerBuffers(answer), [valueSymbol]: answer } as never) as never
}

function collectIfMuch(ofAnswer: number): void {
  if (usedBytes() <= bytesAfterCollection + COLLECT_AFTER_BYTES) return
  collectGarbage({ type: 'major', execution: 'sync', flavor: 'regular' })
  bytesAfterCollection = usedBytes() - ofAnswer
}

/** The share as it came first. A pool serves one head for its life (`createQueryPool`). */
let known: ReaderShare | null = null

/**
 * Each message brings new objects for the same shared memory. The reader keeps its views and its symbols by the object,
 * so it must always be given the first.
 */
function asBefore(share: ReaderShare): ReaderShare {
  if (known === null) known = share
  else if (known.pages.length < share.pages.length) {
    const { control, pages } = known
    known = { ...share, control, pages: share.pages.map((page, i) => pages[i] ?? page) }
  }
  return known
}

/** Of this thread alone: its heap, and buffers outside of it. */
function usedBytes(): number {
  const { used_heap_size: heap, external_memory: external } = v8.getHeapStatistics()
  return heap + external
}
