/**
 * OpenMetrics text with timestamps into blocks, as `promtool tsdb create-blocks-from openmetrics`. The file is read once
 * through a window; samples gather in a head, which becomes blocks when it has grown large and at the end. The last
 * block that is written names the file as a whole: an import that was interrupted is done again, and what it had left
 * behind merges with it; one that is repeated does nothing.
 */
import type { Hasher } from '../../protocol/batch/mod.ts'
import type { Disk } from '../../protocol/env/mod.ts'
import { type ExpositionEntry, ExpositionError, parseExposition } from '../../protocol/exposition/mod.ts'
import { type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import type { BlockMeta } from '../block/mod.ts'
import { Gathering, ImportLimitError } from './gathering.ts'
import type { OwnBlocks } from './own-blocks.ts'
import type { Progress } from './progress.ts'

/** A line of the file that cannot be taken. */
export class OpenMetricsImportError extends Error {
  readonly code = 'OPENMETRICS_IMPORT'
  constructor(file: string, line: number, why: string, options?: ErrorOptions) {
    super(`Cannot import ${file}:${line}: ${why}; nothing of the file was imported`, options)
    this.name = 'OpenMetricsImportError'
  }
}

export type OpenMetricsReport = {
  readonly imported: readonly BlockMeta[]
  readonly samples: number
  /** At a time for which the series had a value already: the first stays. */
  readonly duplicates: number
  /** ms; -Infinity without samples. */
  readonly newestTime: number
  /** By family, what the file says of it: blocks have no place for that. */
  readonly families: ReadonlyMap<string, Metadata>
  /** Blocks have no place for exemplars. */
  readonly exemplarsLeftOut: number
  readonly isKnown: boolean
}

export type OpenMetricsOptions = {
  readonly own: OwnBlocks
  readonly hasher: Hasher
  readonly file: string
  readonly progress: Progress
  /** Samples in memory at most. Default 10 million. */
  readonly maxSamples?: number
}

const WINDOW_BYTES = 1 << 20
const SAMPLES_MAX = 10_000_000
const EVER = Number.MAX_SAFE_INTEGER
/** A head keeps no more. */
const FAMILIES_MAX = 20_000
const KNOWN: OpenMetricsReport = {
  imported: [],
  samples: 0,
  duplicates: 0,
  newestTime: Number.NEGATIVE_INFINITY,
  families: new Map(),
  exemplarsLeftOut: 0,
  isKnown: true,
}
const NEWLINE = 10
const HASH = 35

/** @throws OpenMetricsImportError, DiskError */
export function importOpenMetrics(options: OpenMetricsOptions): OpenMetricsReport {
  const { own, file, progress, maxSamples = SAMPLES_MAX } = options
  const { disk } = own.env
  const name = `openmetrics:${fingerprint(disk, file, options.hasher)}`
  if (own.list().some(({ sources }) => sources.includes(name))) return KNOWN
  progress.begin(`reading ${file}`, disk.stat(file)?.sizeBytes ?? 0)
  // A file with a bad line leaves nothing behind.
  const target = new Gathering(own, name, progress, maxSamples)
  const values = new Float64Array(1)
  const families = new Map<string, Metadata>()
  let newestTime = Number.NEGATIVE_INFINITY
  let exemplarsLeftOut = 0
  const samples = samplesOf(disk, file, families, (bytes) => progress.advance(bytes))
  try {
    for (const { labels, value, timestampMs, exemplars, line } of samples) {
      values[0] = value
      exemplarsLeftOut += exemplars
      const ref = seriesOf(target, labels, file, line)
      target.float(ref, timestampMs, values, 0)
      newestTime = Math.max(newestTime, timestampMs)
    }
    progress.end()
    const imported = target.finish()
    const { samples: stored, duplicates } = target
    return { imported, samples: stored, duplicates, newestTime, families, exemplarsLeftOut, isKnown: false }
  } catch (error) {
    progress.end()
    target.abandon()
    throw error
  }
}

function seriesOf(target: Gathering, labels: Labels, file: string, line: () => number): number {
  try {
    return target.series(labels)
  } catch (error) {
    if (!(error instanceof ImportLimitError)) throw error
    throw new OpenMetricsImportError(file, line(), error.message, { cause: error })
  }
}

type Sample = {
  readonly labels: Labels
  readonly value: number
  readonly timestampMs: number
  /** How many it has. */
  readonly exemplars: number
  /** For what is to be said of it: looks for it in the file. */
  readonly line: () => number
}

function* samplesOf(
  disk: Disk,
  file: string,
  families: Map<string, Metadata>,
  onRead: (bytes: number) => void,
): Generator<Sample> {
  let line = 1
  let isEnded = false
  for (const { text, isLast } of windows(disk, file)) {
    if (isEnded && text.length > 0) throw new OpenMetricsImportError(file, line, 'unexpected data after # EOF')
    isEnded = endsWithEof(text)
    if (isLast && !isEnded)
      throw new OpenMetricsImportError(file, line + lineCount(text), 'data does not end with # EOF')
    let sample = 0
    for (const entry of entriesOf(text, isEnded, file, line)) {
      if (entry.kind !== 'series') {
        noteFamily(families, entry)
        continue
      }
      const i = sample++
      const labels = labelsFrom(pairs(entry.labels))
      const begin = line
      const where = (): number => begin + lineOf(text, i)
      const { timestampMs, value } = entry
      if (timestampMs === null)
        throw new OpenMetricsImportError(file, where(), `expected timestamp for series ${entry.series}, got none`)
      if (Math.abs(timestampMs) > EVER)
        throw new OpenMetricsImportError(file, where(), `the timestamp of ${entry.series} cannot be`)
      yield { labels, value, timestampMs, exemplars: entry.exemplars.length, line: where }
    }
    line += lineCount(text)
    onRead(text.length)
  }
}

const EOF_BYTES = new TextEncoder().encode('# EOF\n')

function endsWithEof(text: Uint8Array): boolean {
  const tail = new TextDecoder().decode(text.subarray(-8))
  return /(?:^|\n)# EOF\n?$/.test(tail)
}

function noteFamily(families: Map<string, Metadata>, entry: Exclude<ExpositionEntry, { kind: 'series' }>): void {
  if (entry.kind === 'comment') return
  const { metric } = entry
  if (families.size >= FAMILIES_MAX && !families.has(metric)) return
  const known: Metadata = families.get(metric) ?? { type: 'unknown', help: '', unit: '' }
  const { kind: _, metric: __, ...news } = entry
  families.set(metric, { ...known, ...news })
}

function entriesOf(text: Uint8Array, isWhole: boolean, file: string, line: number): ExpositionEntry[] {
  let page = text
  if (!isWhole) {
    page = new Uint8Array(text.length + EOF_BYTES.length)
    page.set(text)
    page.set(EOF_BYTES, text.length)
  }
  try {
    return parseExposition(page, { format: 'openmetrics', startTimestamps: false })
  } catch (error) {
    if (!(error instanceof ExpositionError)) throw error
    throw new OpenMetricsImportError(file, line + firstBadLine(text), error.message, { cause: error })
  }
}

/** Which line it was: those before it can be read. */
function firstBadLine(text: Uint8Array): number {
  const ends: number[] = []
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) ends.push(at + 1)
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (canRead(text.subarray(0, ends[middle]))) low = middle + 1
    else high = middle
  }
  return low
}

function canRead(text: Uint8Array): boolean {
  const page = new Uint8Array(text.length + EOF_BYTES.length)
  page.set(text)
  page.set(EOF_BYTES, text.length)
  try {
    parseExposition(page, { format: 'openmetrics', startTimestamps: false })
    return true
  } catch (error) {
    if (error instanceof ExpositionError) return false
    throw error
  }
}

function lineCount(text: Uint8Array): number {
  let lines = 0
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) lines++
  return lines
}

/** How many lines come before the `n`-th sample: all that are no comments are samples. */
function lineOf(text: Uint8Array, n: number): number {
  let lines = 0
  for (let at = 0, samples = 0; at < text.length; lines++) {
    if (text[at] !== HASH && samples++ === n) return lines
    const end = text.indexOf(NEWLINE, at)
    if (end < 0) break
    at = end + 1
  }
  return lines
}

function* pairs(labels: readonly string[]): Generator<readonly [string, string]> {
  for (let i = 0; i < labels.length; i += 2) yield [labels[i]!, labels[i + 1]!]
}

/** The file in pieces of whole lines. */
function* windows(disk: Disk, path: string): Generator<{ readonly text: Uint8Array; readonly isLast: boolean }> {
  const file = disk.open(path, 'r')
  try {
    const size = file.size()
    let window = new Uint8Array(WINDOW_BYTES)
    let kept = 0
    for (let at = 0; ; ) {
      if (kept === window.length) {
        const grown = new Uint8Array(2 * window.length)
        grown.set(window)
        window = grown
      }
      const n = file.read(window, kept, window.length - kept, at)
      at += n
      const have = kept + n
      if (n === 0 || at >= size) {
        yield { text: window.slice(0, have), isLast: true }
        return
      }
      const end = window.subarray(0, have).lastIndexOf(NEWLINE) + 1
      if (end > 0) yield { text: window.slice(0, end), isLast: false }
      window.copyWithin(0, end, have)
      kept = have - end
    }
  } finally {
    file.close()
  }
}

/** Of the whole contents, without holding them. */
function fingerprint(disk: Disk, path: string, { sha256 }: Hasher): string {
  const file = disk.open(path, 'r')
  try {
    // The last hash stands before each piece.
    const piece = new Uint8Array(32 + WINDOW_BYTES)
    for (let at = 0; ; ) {
      const n = file.read(piece, 32, WINDOW_BYTES, at)
      if (n === 0) break
      piece.set(sha256(piece.subarray(0, 32 + n)))
      at += n
    }
    return Array.from(piece.subarray(0, 16), (byte) => byte.toString(16).padStart(2, '0')).join('')
  } finally {
    file.close()
  }
}
