/**
 * The head of a Prometheus, from its log: the newest checkpoint and the segments since, and the log of out-of-order
 * samples. Memory-mapped chunks need not be read: the log has all that they have.
 * Semantics: Prometheus tsdb/head_wal.go, loadWAL and loadWBL (v3.5).
 */
import type { Disk } from '../../protocol/env/mod.ts'
import type { Labels } from '../../protocol/labels/mod.ts'
import {
  type InflateZstd,
  type Interval,
  readWalRecord,
  WalPageReader,
  type WalVisitor,
} from '../../protocol/prometheus-tsdb/mod.ts'
import type { BlockMeta } from '../block/mod.ts'
import { Gathering } from './gathering.ts'
import type { OwnBlocks } from './own-blocks.ts'
import type { Progress } from './progress.ts'

export type HeadImportReport = {
  readonly imported: readonly BlockMeta[]
  readonly samples: number
  readonly isKnown: boolean
}

const SEGMENT = /^\d{8}$/
const CHECKPOINT = /^checkpoint\.(\d{8})$/
const SAMPLES_MAX = 10_000_000
const IGNORED: WalVisitor = { series() {}, sample() {}, histogram() {}, deleted() {} }

type LogFile = { readonly path: string; readonly isLast: boolean; readonly sizeBytes: number }

/** @throws TsdbFormatError, DiskError */
export function importPrometheusHead(
  own: OwnBlocks,
  zstd: InflateZstd,
  source: string,
  progress: Progress,
  maxSamples = SAMPLES_MAX,
): HeadImportReport {
  const { disk } = own.env
  const logs = [logFiles(disk, `${source}/wal`), logFiles(disk, `${source}/wbl`)]
  // As it is now: a Prometheus that went on since has more to give.
  const name = `prometheus-head:${logs
    .flat()
    .map(({ path, sizeBytes }) => `${path.slice(source.length + 1)}=${sizeBytes}`)
    .join(',')}`
  if (own.list().some(({ sources }) => sources.includes(name))) return { imported: [], samples: 0, isKnown: true }
  const deleted = new Map<number, Interval[]>()
  const labels = new Map<number, Labels>()
  progress.begin('reading the log of Prometheus', 2 * logs.flat().reduce((sum, { sizeBytes }) => sum + sizeBytes, 0))
  const target = new Gathering(own, name, progress, maxSamples)
  try {
    // Series and deletions first: what was deleted stands before its deletion.
    const first: WalVisitor = {
      ...IGNORED,
      series: (ref, set) => void labels.set(ref, set),
      deleted(ref, minTime, maxTime) {
        const known = deleted.get(ref)
        if (known) known.push({ minTime, maxTime })
        else deleted.set(ref, [{ minTime, maxTime }])
      },
    }
    for (const log of logs) readLog(disk, log, zstd, first, progress)
    const second = new SampleVisitor(target, labels, deleted)
    for (const log of logs) readLog(disk, log, zstd, second, progress)
    progress.end()
    return { imported: target.finish(), samples: target.samples, isKnown: false }
  } catch (error) {
    progress.end()
    target.abandon()
    throw error
  }
}

class SampleVisitor implements WalVisitor {
  readonly #target: Gathering
  readonly #labels: ReadonlyMap<number, Labels>
  readonly #deleted: ReadonlyMap<number, readonly Interval[]>
  #refs = new Map<number, number>()
  #generation = 0
  readonly #values = new Float64Array(1)
  readonly #words = new Uint32Array(this.#values.buffer)

  constructor(
    target: Gathering,
    labels: ReadonlyMap<number, Labels>,
    deleted: ReadonlyMap<number, readonly Interval[]>,
  ) {
    this.#target = target
    this.#labels = labels
    this.#deleted = deleted
  }

  series(): void {}
  deleted(): void {}

  sample(ref: number, timeMs: number, low: number, high: number): void {
    const own = this.#find(ref, timeMs)
    if (own < 0) return
    this.#words[0] = low
    this.#words[1] = high
    this.#target.float(own, timeMs, this.#values, 0)
  }

  histogram(ref: number, timeMs: number, histogram: Parameters<WalVisitor['histogram']>[2]): void {
    const own = this.#find(ref, timeMs)
    if (own >= 0) this.#target.histogram(own, timeMs, histogram)
  }

  /** -1: deleted, or of a series that the log does not name any more, as upstream has it. */
  #find(ref: number, timeMs: number): number {
    if (this.#deleted.get(ref)?.some(({ minTime, maxTime }) => timeMs >= minTime && timeMs <= maxTime)) return -1
    if (this.#generation !== this.#target.generation) {
      this.#refs = new Map()
      this.#generation = this.#target.generation
    }
    let own = this.#refs.get(ref)
    if (own !== undefined) return own
    const labels = this.#labels.get(ref)
    own = labels === undefined ? -1 : this.#target.series(labels)
    this.#refs.set(ref, own)
    return own
  }
}

function readLog(
  disk: Disk,
  files: readonly LogFile[],
  zstd: InflateZstd,
  visit: WalVisitor,
  progress: Progress,
): void {
  const pages = new WalPageReader(zstd)
  for (const { path, isLast, sizeBytes } of files) {
    for (const record of pages.records(disk.readFile(path), path, isLast)) readWalRecord(record, path, visit)
    progress.advance(sizeBytes)
  }
}

/** In the order in which they were written: the newest checkpoint, then the segments after those that it replaced. */
function logFiles(disk: Disk, folder: string): LogFile[] {
  if (!disk.stat(folder)?.isDirectory) return []
  const names = disk.readDirectory(folder)
  const checkpoint = names
    .filter((name) => CHECKPOINT.test(name))
    .sort()
    .at(-1)
  const from = checkpoint === undefined ? -1 : Number(CHECKPOINT.exec(checkpoint)![1])
  const segments = names.filter((name) => SEGMENT.test(name) && Number(name) > from).map((name) => `${folder}/${name}`)
  const before =
    checkpoint === undefined
      ? []
      : disk
          .readDirectory(`${folder}/${checkpoint}`)
          .filter((name) => SEGMENT.test(name))
          .map((name) => `${folder}/${checkpoint}/${name}`)
  return [...before, ...segments].map((path) => ({
    path,
    isLast: path === segments.at(-1),
    sizeBytes: disk.stat(path)?.sizeBytes ?? 0,
  }))
}
