/** From a shard's columns to the body of a request. */
import {
  type RequestEncoder,
  type SampleExtras,
  snappyCompress,
  WriteRequest2Encoder,
  WriteRequestEncoder,
} from '../../protocol/remote-write/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import type { RequestContents } from './messages.ts'
import type { OutgoingLabels } from './outgoing-labels.ts'
import type { ShardBatch } from './shard-batch.ts'

export type Made = {
  readonly body: Uint8Array
  readonly contents: RequestContents
  /** Exemplars that the message has no place for. */
  readonly exemplarsLost: number
}

type Extras = { startMs: number; metadata: Metadata | null; exemplars: readonly Exemplar[] }

const NO_EXEMPLARS: readonly Exemplar[] = []

export class RequestMaker {
  readonly encoder: RequestEncoder
  readonly #isVersion2: boolean

  constructor(isVersion2: boolean) {
    this.#isVersion2 = isVersion2
    this.encoder = isVersion2 ? new WriteRequest2Encoder() : new WriteRequestEncoder()
  }

  /**
   * Of the first `rows` of a batch, which keeps them. Exemplars go along with the first of them that is of their series,
   * and are taken out of the batch; those of series that have none are left for the rows that follow.
   * @param isLast all that is in the batch goes, exemplars without a row too
   */
  samples(batch: ShardBatch, rows: number, isLast: boolean, labels: OutgoingLabels): Made {
    const encoder = this.encoder
    const attached = batch.exemplars.length > 0 ? attach(batch, rows) : null
    const extras: Extras = { startMs: 0, metadata: null, exemplars: NO_EXEMPLARS }
    let highestMs = Number.NEGATIVE_INFINITY
    let lowestMs = Number.POSITIVE_INFINITY
    let histograms = 0
    let exemplars = 0
    for (let row = 0; row < rows; row++) {
      const ref = batch.refs[row]!
      const timestampMs = batch.times[row]!
      const own = labels.encoded(ref)
      extras.startMs = batch.starts[row]!
      extras.metadata = this.#isVersion2 ? labels.metadata(ref) : null
      extras.exemplars = attached?.get(row) ?? NO_EXEMPLARS
      exemplars += extras.exemplars.length
      const histogram = batch.histograms.get(row)
      if (histogram) {
        histograms++
        encoder.histogram(own, timestampMs, histogram, extras as SampleExtras)
      } else encoder.float(own, timestampMs, batch.values, row, extras as SampleExtras)
      if (timestampMs > highestMs) highestMs = timestampMs
      if (timestampMs < lowestMs) lowestMs = timestampMs
    }
    let exemplarsLost = 0
    if (isLast) {
      for (const { ref, exemplar } of batch.exemplars)
        if (encoder.exemplars(labels.labels(ref), [exemplar])) exemplars++
        else exemplarsLost++
      batch.exemplars = []
    }
    const contents = { samples: rows - histograms, histograms, exemplars, families: 0, highestMs, lowestMs }
    return { body: compressed(encoder.finish()), contents, exemplarsLost }
  }

  /** Of 1.0. */
  families(families: readonly (readonly [family: string, metadata: Metadata])[]): Made {
    for (const [family, metadata] of families) this.encoder.family({ family, metadata })
    const contents = {
      samples: 0,
      histograms: 0,
      exemplars: 0,
      families: families.length,
      highestMs: Number.NEGATIVE_INFINITY,
      lowestMs: Number.POSITIVE_INFINITY,
    }
    return { body: compressed(this.encoder.finish()), contents, exemplarsLost: 0 }
  }
}

/** Takes from the batch the exemplars of series that one of the first `rows` is of; by that row. */
function attach(batch: ShardBatch, rows: number): ReadonlyMap<number, Exemplar[]> {
  const rowOf = new Map<number, number>()
  for (const { ref } of batch.exemplars) rowOf.set(ref, -1)
  for (let row = rows - 1; row >= 0; row--) if (rowOf.has(batch.refs[row]!)) rowOf.set(batch.refs[row]!, row)
  const attached = new Map<number, Exemplar[]>()
  const left: typeof batch.exemplars = []
  for (const each of batch.exemplars) {
    const row = rowOf.get(each.ref)!
    if (row < 0) left.push(each)
    else attached.set(row, [...(attached.get(row) ?? []), each.exemplar])
  }
  batch.exemplars = left
  return attached
}

/** In memory of its own, to be transferred. */
const compressed = (message: Uint8Array): Uint8Array => snappyCompress(message).slice()
