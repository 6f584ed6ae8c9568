/**
 * Samples that come in any order become blocks: they gather in a head, which is cut when it has grown large and at the
 * end. The newest block that is written at the end bears the name of the source, and is the last: an import that was
 * interrupted is done again, and what it had left behind merges with it.
 */
import { formatLabels, type Labels } from '../../protocol/labels/mod.ts'
import type { Histogram } from '../../protocol/samples/mod.ts'
import { type BlockMeta, firstTimeIn, writeBlockInSlices } from '../block/mod.ts'
import { AppendResult, createHead, type Head, openReader } from '../tsdb/mod.ts'
import { newSequence, type OwnBlocks } from './own-blocks.ts'
import { dateOf, type Progress } from './progress.ts'
import { steps } from './steps.ts'

const HOUR_MS = 3_600_000
/** Lengths of the hub's blocks as they are cut and merged. */
const BLOCK_LENGTHS = [2 * HOUR_MS, 20 * HOUR_MS, 200 * HOUR_MS, 2000 * HOUR_MS] as const
/** Of labels in a message. */
const SHOWN_CHARS = 200
/** Beyond so many, longer ones. */
const BLOCKS_MAX = 50

/** Something that is to be imported is more than a hub would take. */
export class ImportLimitError extends Error {
  readonly code = 'IMPORT_LIMIT'
  /** @param labels of the series that it is about */
  constructor(why: string, labels?: Labels) {
    super(labels ? `Cannot import ${formatLabels(labels).slice(0, SHOWN_CHARS)}: ${why}` : `Cannot import: ${why}`)
    this.name = 'ImportLimitError'
  }
}

export class Gathering {
  readonly #own: OwnBlocks
  readonly #name: string
  readonly #progress: Progress
  readonly #maxSamples: number
  #head: Head = createHead()
  #inHead = 0
  readonly #written: BlockMeta[] = []
  samples = 0
  duplicates = 0
  /** Grows when the references of before are void. */
  generation = 0

  constructor(own: OwnBlocks, name: string, progress: Progress, maxSamples: number) {
    this.#own = own
    this.#name = name
    this.#progress = progress
    this.#maxSamples = maxSamples
  }

  /** Good until `generation` changes. @throws ImportLimitError */
  series(labels: Labels): number {
    const ref = this.#head.series(labels)
    if (ref >= 0) return ref
    throw new ImportLimitError(`it exceeds the limit ${this.#head.refusedBy} of a hub`, labels)
  }

  float(ref: number, timeMs: number, values: Float64Array, at: number): void {
    this.#count(this.#head.appendFloat(ref, timeMs, values, at, 0))
  }

  histogram(ref: number, timeMs: number, histogram: Histogram): void {
    this.#count(this.#head.appendHistogram(ref, timeMs, histogram, 0))
  }

  finish(): readonly BlockMeta[] {
    this.#cut([this.#name])
    return this.#written
  }

  /** Takes back what was written. */
  abandon(): void {
    const { env, directory } = this.#own
    for (const { id } of this.#written) env.disk.removeDirectory(`${directory}/${id}`, { recursive: true })
    if (this.#written.length > 0) env.disk.syncDirectory(directory)
  }

  #count(result: AppendResult): void {
    if (result === AppendResult.stored) this.samples++
    else if (result === AppendResult.duplicate || result === AppendResult.conflicting) this.duplicates++
    else throw new ImportLimitError('there is not enough memory for the samples of one block')
    if (++this.#inHead < this.#maxSamples) return
    this.#cut([])
    this.#head = createHead()
    this.#inHead = 0
    this.generation++
  }

  #cut(names: readonly string[]): void {
    this.#head.publish()
    const reader = openReader(this.#head.share())
    try {
      const range = reader.timeRange()
      if (!range) return
      const span = range.maxTime - range.minTime
      const blockMs = BLOCK_LENGTHS.find((length) => span / length <= BLOCKS_MAX) ?? BLOCK_LENGTHS[3]
      for (let next = range.minTime; next <= range.maxTime; ) {
        const from = blockMs * Math.floor(next / blockMs)
        const block = { minTime: from, maxTime: from + blockMs }
        const wanted = reader.select([], { minTime: block.minTime, maxTime: block.maxTime - 1 }).length
        this.#progress.begin(`writing the block of ${dateOf(from)}`, wanted)
        const slices = writeBlockInSlices(this.#own.env, this.#own.directory, reader, {
          range: block,
          sequence: newSequence(this.#own),
          level: 1,
          // The newest range is the last: its block bears the names.
          sources: from + blockMs > range.maxTime ? names : [],
          deletes: this.#own.deletes,
        })
        const meta = steps(slices, () => this.#progress.advance(64))
        if (meta) this.#written.push(meta)
        this.#progress.end()
        // Between a sample with a wrong time and the others lie ages of nothing.
        const rest = { minTime: block.maxTime, maxTime: range.maxTime + 1 }
        next = meta ? block.maxTime : firstTimeIn(reader, rest, blockMs)
      }
    } finally {
      reader.release()
    }
  }
}
