/**
 * Groups on disk: one file, written beside and renamed, with a checksum over all of it.
 *
 *     heliograph-push 1 <CRC32C of the rest, hexadecimal>\n
 *     [{ "labels": [[name, value]…], "families": [{ name, type, help, timeMs, metrics: […] }…] }…]   (JSON)
 *
 * Numbers that JSON lacks are texts. A file that is damaged, or upstream's, is set aside and never written over.
 */
import { crc32c } from '../../protocol/crc/mod.ts'
import { type Clock, type Disk, DiskError, type Logger, type Timer } from '../../protocol/env/mod.ts'
import { formatGoFloat } from '../../protocol/exposition/mod.ts'
import type { PushedFamily, PushedMetric } from './families.ts'
import type { Group, PushStore, StoredFamily } from './store.ts'

const MAGIC = 'heliograph-push 1 '

export type PersistenceOptions = {
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Logger
  readonly file: string
  /** At most so often, as upstream. */
  readonly intervalMs: number
}

export class Persistence {
  readonly #options: PersistenceOptions
  readonly #store: PushStore
  #lastMs: number
  #timer: Timer | null = null
  #isDirty = false
  #isClosed = false

  constructor(store: PushStore, options: PersistenceOptions) {
    this.#store = store
    this.#options = options
    this.#lastMs = options.clock.monotonic()
  }

  /** What was kept goes into the store. */
  load(): void {
    const { disk, log, file } = this.#options
    let bytes: Uint8Array
    try {
      bytes = disk.readFile(file)
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') return
      throw error
    }
    try {
      for (const group of decodeGroups(bytes)) this.#store.restore(group)
    } catch (error) {
      this.#store.clear()
      const aside = `${file}.damaged-${Math.floor(this.#options.clock.now())}`
      disk.rename(file, aside)
      log.error('Could not load persisted metrics; the file is set aside', {
        file,
        aside,
        err: (error as Error).message,
      })
    }
  }

  /** After a change: now, or when the interval since the last time is over. */
  changed(): void {
    const { clock, intervalMs } = this.#options
    this.#isDirty = true
    // The file is its next holder's.
    if (this.#isClosed) return
    this.#timer ??= clock.setTimer(
      Math.max(0, intervalMs - (clock.monotonic() - this.#lastMs)),
      () => {
        this.#timer = null
        this.#write()
      },
      { unref: true },
    )
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#timer = null
    if (this.#isDirty) this.#write()
  }

  #write(): void {
    const { disk, clock, log, file } = this.#options
    this.#lastMs = clock.monotonic()
    try {
      disk.writeFileAtomic(file, encodeGroups(this.#store.groups()), { mode: 0o600 })
      this.#isDirty = false
    } catch (error) {
      log.error('Error persisting metrics', { file, err: (error as Error).message })
      // What could not be written now may be later.
      this.changed()
    }
  }
}

export function encodeGroups(groups: Iterable<Group>): Uint8Array {
  const plain = Array.from(groups, ({ labels, families }) => ({
    labels: [...labels],
    families: Array.from(families.values(), ({ family: { name, type, help, metrics }, timeMs }) => ({
      ...{ name, type, help, timeMs },
      metrics: metrics.map(({ labels: own, value, points, sum, count }) => ({
        labels: own,
        value: numberOut(value),
        ...(points.length + sum + count === 0
          ? {}
          : { points: points.map((point) => point.map(numberOut)), sum: numberOut(sum), count: numberOut(count) }),
      })),
    })),
  }))
  const body = new TextEncoder().encode(JSON.stringify(plain))
  const head = new TextEncoder().encode(`${MAGIC}${crc32c(body).toString(16).padStart(8, '0')}\n`)
  const out = new Uint8Array(head.length + body.length)
  out.set(head)
  out.set(body, head.length)
  return out
}

type PlainMetric = {
  labels: string[]
  value: number | string
  points?: [number | string, number | string][]
  sum?: number | string
  count?: number | string
}
type PlainGroup = {
  labels: [string, string][]
  families: (Omit<PushedFamily, 'metrics'> & { timeMs: number; metrics: PlainMetric[] })[]
}

/** @throws Error for a file that is not ours, or not whole */
export function decodeGroups(bytes: Uint8Array): Group[] {
  const end = bytes.indexOf(0x0a)
  const head = new TextDecoder().decode(bytes.subarray(0, Math.min(Math.max(end, 0), 100)))
  if (!head.startsWith(MAGIC)) throw new Error('not a file of pushed metrics of Heliograph')
  const body = bytes.subarray(end + 1)
  if (crc32c(body) !== Number.parseInt(head.slice(MAGIC.length), 16)) throw new Error('the checksum is wrong')
  return (JSON.parse(new TextDecoder().decode(body)) as PlainGroup[]).map(({ labels, families }) => ({
    labels: new Map(labels),
    families: new Map(
      families.map(({ timeMs, metrics, ...family }): [string, StoredFamily] => [
        family.name,
        { timeMs, family: { ...family, metrics: metrics.map(metricIn) } },
      ]),
    ),
  }))
}

function metricIn({ labels, value, points = [], sum = 0, count = 0 }: PlainMetric): PushedMetric {
  return {
    labels,
    value: numberIn(value),
    points: points.map(([bound, each]) => [numberIn(bound), numberIn(each)]),
    sum: numberIn(sum),
    count: numberIn(count),
  }
}

const numberOut = (value: number): number | string =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : formatGoFloat(value)
const numberIn = (value: number | string): number =>
  typeof value === 'number' ? value : value === '+Inf' ? Infinity : value === '-Inf' ? -Infinity : Number(value)
