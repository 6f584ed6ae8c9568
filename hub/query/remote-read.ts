/**
 * A slice of a remote read, in a query worker: series in the order of their labels from where the last slice ended,
 * until it is large enough. So an answer of any size needs the memory of a slice, and other queries get their turn.
 * Semantics: Prometheus storage/remote/read_handler.go and codec.go, ToQueryResult, StreamChunkedReadResponses (v3.5).
 */
import { compareLabels, compareStrings, type Labels, labelsFromSorted } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { encodeTimeSeries, FrameWriter, snappyPiece } from '../../protocol/remote-read/mod.ts'
import { createSampleBuffer, type SeriesReader } from '../tsdb/mod.ts'
import { ApiError } from './contract.ts'

export type RemoteReadTask = {
  readonly kind: 'remote-read'
  readonly form: 'samples' | 'chunks'
  readonly matchers: readonly Matcher[]
  readonly startMs: number
  readonly endMs: number
  /** Of the last series of the slice before; null: from the first. */
  readonly after: readonly string[] | null
  /** Given to series that have no label of the name. */
  readonly externalLabels: readonly string[]
  readonly queryIndex: number
  readonly maxBytesInFrame: number
  /** Samples that may still be answered; 0 = any number. Of `samples` only. */
  readonly sampleLimit: number
  /** Of slices before. */
  readonly samplesBefore: number
}

export type RemoteReadSlice = {
  readonly body: Uint8Array
  /** Null: that was all. */
  readonly next: readonly string[] | null
  readonly samples: number
  /** Of `samples`: before compression. */
  readonly rawBytes: number
}

const SLICE_BYTES = 2 << 20
/** Each slice selects and sorts anew: of many series it goes on until that has paid, but not beyond this. */
const SLICE_MAX_BYTES = 32 << 20
const SLICES_PER_SELECTION = 8

/** @throws ApiError over the sample limit */
export function readSlice(reader: SeriesReader, task: RemoteReadTask): RemoteReadSlice {
  const range = { minTime: task.startMs, maxTime: task.endMs }
  const { after, form, sampleLimit } = task
  const refs = reader.select(task.matchers, range)
  const least = refs.length / SLICES_PER_SELECTION
  const series = Array.from(refs, (ref) => ({ ref, labels: reader.labels(ref) }))
    .filter(({ labels }) => after === null || compareLabels(labels, labelsFromSorted(after)) > 0)
    .sort((a, b) => compareLabels(a.labels, b.labels))
  const frames = new FrameWriter(task.queryIndex, task.maxBytesInFrame)
  const samples = createSampleBuffer(1024)
  const parts: Uint8Array[] = []
  let count = task.samplesBefore
  let size = 0
  const add = (part: Uint8Array): void => {
    parts.push(part)
    size += part.length
  }
  let next: readonly string[] | null = null
  for (const [i, { ref, labels }] of series.entries()) {
    reader.read(ref, range, samples)
    if (samples.count === 0) continue
    count += samples.count
    if (form === 'samples' && sampleLimit > 0 && count > sampleLimit)
      throw new ApiError('bad_data', `exceeded sample limit (${sampleLimit})`)
    const shown = withExternal(labels, task.externalLabels)
    if (form === 'samples') add(encodeTimeSeries(shown, samples))
    else frames.frames(shown, samples, add)
    const isEnough = size >= SLICE_MAX_BYTES || (size >= SLICE_BYTES && i >= least)
    if (!isEnough || i === series.length - 1) continue
    next = labels
    break
  }
  const raw = concatenated(parts, size)
  return {
    body: form === 'samples' ? snappyPiece(raw) : raw,
    next,
    samples: count - task.samplesBefore,
    rawBytes: size,
  }
}

/** A series' own label has the say. */
function withExternal(labels: Labels, external: readonly string[]): Labels {
  if (external.length === 0) return labels
  const flat: string[] = []
  let at = 0
  for (let i = 0; i < external.length; i += 2) {
    while (at < labels.length && compareStrings(labels[at]!, external[i]!) < 0) flat.push(labels[at++]!, labels[at++]!)
    if (labels[at] !== external[i]) flat.push(external[i]!, external[i + 1]!)
  }
  return labelsFromSorted([...flat, ...labels.slice(at)])
}

function concatenated(parts: readonly Uint8Array[], size: number): Uint8Array {
  const out = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}
