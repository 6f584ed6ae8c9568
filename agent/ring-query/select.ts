/**
 * Samples of the ring's batches by matchers and time: the agent's own content, also what a hub has had long ago and
 * what no hub has had yet. Batches are decoded one after the other, each against the keyframe it names.
 */
import { BatchError, type Compressor, type DecodedBatch, decodeBatch, type Keyframe } from '../../protocol/batch/mod.ts'
import type { RingHead, RingStore } from '../../protocol/env/mod.ts'
import { compareLabels, type Labels, labelsKey, labelValue } from '../../protocol/labels/mod.ts'
import { compileMatcher, type Matcher } from '../../protocol/matchers/mod.ts'
import { type Histogram, isStaleAt } from '../../protocol/samples/mod.ts'

/** Ascending in time, at most one sample at each. */
export type RingSeries = {
  readonly labels: Labels
  readonly samples: readonly RingSample[]
}
/** `value` null: a stale marker. */
export type RingSample = {
  readonly timeMs: number
  readonly value: number | null
  readonly histogram: Histogram | null
}

export type RingSelection = {
  readonly matchers: readonly Matcher[]
  readonly fromMs: number
  readonly toMs: number
}

export class RingQueryError extends Error {
  readonly errorType: 'bad_data' | 'execution'
  constructor(errorType: RingQueryError['errorType'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'RingQueryError'
    this.errorType = errorType
  }
}

export const SAMPLES_MAX = 1_000_000
const HEADS_PER_PAGE = 256
const KEYFRAMES_KEPT = 8

export class RingSelector {
  readonly #ring: Pick<RingStore, 'heads' | 'read'>
  readonly #compressor: Compressor
  readonly #samplesMax: number

  constructor(ring: Pick<RingStore, 'heads' | 'read'>, compressor: Compressor, samplesMax = SAMPLES_MAX) {
    this.#ring = ring
    this.#compressor = compressor
    this.#samplesMax = samplesMax
  }

  /**
   * Sorted by labels; both ends of the time range are included. Batches that cannot be decoded (any more) are counted
   * in `skippedBatches`.
   * @throws RingQueryError for too many samples
   */
  async select(selection: RingSelection): Promise<{ series: RingSeries[]; skippedBatches: number }> {
    const found = new Found(selection, this.#samplesMax)
    const keyframes = new Map<string, Keyframe | null>()
    let skippedBatches = 0
    let after: { epoch: number; sequence: number } | null = null
    for (;;) {
      const timeRange = [selection.fromMs, selection.toMs] as const
      const page: readonly RingHead[] = await this.#ring.heads({
        unackedOnly: false,
        after,
        timeRange,
        limit: HEADS_PER_PAGE,
      })
      for (const head of page) {
        const batch = await this.#decode(head, keyframes)
        if (batch) found.add(batch)
        else skippedBatches++
      }
      const last = page.at(-1)
      if (!last || page.length < HEADS_PER_PAGE) return { series: found.sorted(), skippedBatches }
      after = { epoch: last.epoch, sequence: last.sequence }
    }
  }

  async #decode(head: RingHead, keyframes: Map<string, Keyframe | null>): Promise<DecodedBatch | null> {
    const { epoch, sequence, base } = head
    const key = `${epoch}/${base}`
    if (base !== sequence && !keyframes.has(key)) {
      const keyframe = await this.#read(epoch, base, null)
      keep(keyframes, key, keyframe?.keyframe ?? null)
    }
    const result = await this.#read(epoch, sequence, keyframes.get(key) ?? null)
    if (result?.keyframe) keep(keyframes, key, result.keyframe)
    if (!result) return null
    // A batch may use series that only its keyframe defines.
    const known = keyframes.get(key)?.definitions ?? []
    return { ...result, definitions: [...known, ...result.definitions] }
  }

  async #read(epoch: number, sequence: number, base: Keyframe | null) {
    const [batch] = await this.#ring.read(epoch, [[sequence, sequence]], Number.POSITIVE_INFINITY)
    if (!batch) return null
    try {
      return decodeBatch(batch.bytes, base, this.#compressor)
    } catch (error) {
      if (error instanceof BatchError) return null
      throw error
    }
  }
}

function keep(keyframes: Map<string, Keyframe | null>, key: string, keyframe: Keyframe | null): void {
  if (keyframes.size >= KEYFRAMES_KEPT) keyframes.delete(keyframes.keys().next().value!)
  keyframes.set(key, keyframe)
}

type Column = { readonly labels: Labels; readonly samples: Map<number, RingSample> }

/** What has been found so far, by labels: epochs have other ids for the same series. */
class Found {
  readonly #predicates: readonly { readonly name: string; readonly matches: (value: string) => boolean }[]
  readonly #selection: RingSelection
  readonly #samplesMax: number
  readonly #columns = new Map<string, Column>()
  #count = 0

  constructor(selection: RingSelection, samplesMax: number) {
    this.#selection = selection
    this.#samplesMax = samplesMax
    this.#predicates = selection.matchers.map((matcher) => ({ name: matcher.name, matches: compileMatcher(matcher) }))
  }

  add({ definitions, scrapes }: DecodedBatch): void {
    const columns = new Map<number, Column | null>()
    const byId = new Map(definitions.map(({ id, labels }) => [id, labels]))
    const columnOf = (id: number): Column | null => {
      const known = columns.get(id)
      if (known !== undefined) return known
      const labels = byId.get(id)
      const column = labels && this.#isWanted(labels) ? this.#column(labels) : null
      columns.set(id, column)
      return column
    }
    const { fromMs, toMs } = this.#selection
    for (const { ids, values, timestampMs, timestamps, histograms } of scrapes) {
      const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length)
      for (let i = 0; i < ids.length; i++) {
        const column = columnOf(ids[i]!)
        if (column === null) continue
        const own = timestamps?.[i] ?? Number.NaN
        const timeMs = Number.isNaN(own) ? timestampMs : own
        if (timeMs < fromMs || timeMs > toMs || column.samples.has(timeMs)) continue
        const histogram = histograms?.get(i) ?? null
        const isStale = histogram ? histogram.isStale : isStaleAt(words, i)
        if (++this.#count > this.#samplesMax)
          throw new RingQueryError(
            'execution',
            `the selector finds more than ${this.#samplesMax} samples; ask for a shorter time or fewer series`,
          )
        column.samples.set(timeMs, {
          timeMs,
          value: isStale ? null : values[i]!,
          histogram: isStale ? null : histogram,
        })
      }
    }
  }

  sorted(): RingSeries[] {
    return [...this.#columns.values()]
      .filter(({ samples }) => samples.size > 0)
      .sort((a, b) => compareLabels(a.labels, b.labels))
      .map(({ labels, samples }) => ({
        labels,
        samples: [...samples.values()].sort((a, b) => a.timeMs - b.timeMs),
      }))
  }

  #isWanted(labels: Labels): boolean {
    return this.#predicates.every(({ name, matches }) => matches(labelValue(labels, name)))
  }

  #column(labels: Labels): Column {
    const key = labelsKey(labels)
    const known = this.#columns.get(key)
    if (known) return known
    const column: Column = { labels, samples: new Map() }
    this.#columns.set(key, column)
    return column
  }
}
