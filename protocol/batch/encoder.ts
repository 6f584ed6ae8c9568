/**
 * The agent's side of an epoch: interns series, gathers scrapes, and seals them into signed batches. When to seal (by
 * size, by age) is the caller's business: it watches `pending…`.
 *
 * A batch is decoded with nothing but the keyframe it names, so it carries the definitions of all series it uses that
 * the keyframe lacks, and its first values are measured against the keyframe's. Once sealed, a batch counts as sent:
 * a caller that could not store it must begin a new epoch with a new encoder.
 */
import { SIGNATURE_BYTES, type Signer } from '../identity/mod.ts'
import { type Labels, labelsKey } from '../labels/mod.ts'
import type { Metadata } from '../samples/mod.ts'
import { checkAgentId } from '../subjects/mod.ts'
import type { Compressor, Hasher } from './compressor.ts'
import { encodePayload } from './encode-payload.ts'
import { EpochState } from './epoch-state.ts'
import { bug } from './errors.ts'
import { IdOrders } from './grouping.ts'
import { encodeHeader, HASH_BYTES } from './header.ts'
import { isConsistent } from './histograms.ts'
import { buildKeyframe, type Keyframe, withoutDefinitions } from './keyframe.ts'
import { MAX_TIME_MS } from './limits.ts'
import type { BatchHeader, MissedSlots, Scrape, SeriesDefinition, SeriesId } from './types.ts'

export type BatchEncoderOptions = {
  readonly agent: string
  /** Milliseconds of the epoch's birth. */
  readonly epoch: number
  readonly signer: Signer
  readonly hasher: Hasher
  readonly compressor: Compressor
  /** A keyframe after so many batches. Default 64. */
  readonly keyframeEvery?: number
  /**
   * Keyframes wait, up to sixteen times as long, until they are no more than this part of the bytes of the batches
   * between them: many small batches would else be outweighed by the dictionary. Default 0: they do not wait.
   */
  readonly keyframeShare?: number
  /** And as soon as the dictionary has grown by this part of it since the last one. Default 0.1. */
  readonly keyframeGrowth?: number
  /** zstd levels of ordinary batches (default 1: higher ones gain 1 %) and of keyframes (default 9: mostly labels). */
  readonly level?: number
  readonly keyframeLevel?: number
}

/** How many times `keyframeEvery` a keyframe waits at most. */
const KEYFRAME_WAIT = 16

export type SealedBatch = { readonly header: BatchHeader; readonly bytes: Uint8Array }

export class BatchEncoder {
  readonly agent: string
  readonly epoch: number
  /** Of the next batch. */
  sequence = 0
  /** Samples in `pendingScrapes` scrapes that wait for `seal`. */
  pendingSamples = 0
  private readonly options: Required<BatchEncoderOptions>
  private readonly ids = new Map<string, SeriesId>()
  private readonly definitions: SeriesDefinition[] = []
  private readonly state = new EpochState()
  private readonly orders = new IdOrders()
  private scrapes: Scrape[] = []
  /** Series that the base lacks, counted once for each pending scrape that has them. */
  private pendingFresh = 0
  private missedSlots: MissedSlots[] = []
  private base: Keyframe | null = null
  private keyframeForced = false
  private previousHash: Uint8Array = new Uint8Array(HASH_BYTES)
  private bytesPerSample = 1
  private keyframeBytes = 0
  private bytesSinceKeyframe = 0

  constructor(options: BatchEncoderOptions) {
    this.agent = checkAgentId(options.agent)
    this.epoch = options.epoch
    this.options = { keyframeEvery: 64, keyframeShare: 0, keyframeGrowth: 0.1, level: 1, keyframeLevel: 9, ...options }
    if (!Number.isSafeInteger(options.epoch) || options.epoch < 0) bug(`epoch ${options.epoch} is no time in ms`)
  }

  /** Series defined in this epoch. */
  get definitionCount(): number {
    return this.definitions.length
  }

  get pendingScrapes(): number {
    return this.scrapes.length
  }

  /** What a batch of all that is pending would come to, going by the batches before. */
  get pendingBytesEstimate(): number {
    const { base } = this
    const fresh =
      base === null
        ? this.definitions.length
        : Math.min(this.pendingFresh, this.definitions.length - base.definitionCount)
    return Math.ceil(256 + this.pendingSamples * this.bytesPerSample + 16 * fresh + 32 * this.missedSlots.length)
  }

  /**
   * The id of the series with these labels, the same for the same labels. Newer metadata replaces the older, and
   * travels with the next keyframe.
   */
  define(labels: Labels, metadata: Metadata | null): SeriesId {
    const key = labelsKey(labels)
    const known = this.ids.get(key)
    if (known === undefined) {
      const id = this.definitions.length
      this.ids.set(key, id)
      this.definitions.push({ id, labels, metadata })
      return id
    }
    if (metadata !== null && !sameMetadata(metadata, this.definitions[known]!.metadata))
      this.definitions[known] = { id: known, labels: this.definitions[known]!.labels, metadata }
    return known
  }

  /** The arrays are handed over. */
  add(scrape: Scrape): void {
    this.check(scrape)
    const sorted = this.orders.sorted(scrape)
    this.scrapes.push(sorted)
    this.pendingSamples += scrape.ids.length
    const known = this.base?.definitionCount ?? 0
    // Ascending: what is new stands at the end.
    const { ids } = sorted
    for (let i = ids.length - 1; i >= 0 && ids[i]! >= known; i--) this.pendingFresh++
  }

  missed(slots: MissedSlots): void {
    const { fromMs, toMs, intervalMs } = slots
    if (!isTime(fromMs) || !isTime(toMs) || toMs < fromMs || !isTime(intervalMs) || intervalMs < 0)
      bug(`missed slots ${fromMs} to ${toMs} every ${intervalMs} ms are no times in whole ms`)
    this.missedSlots.push(slots)
  }

  /** The next batch will be a keyframe. */
  forceKeyframe(): void {
    this.keyframeForced = true
  }

  /** All that is pending as a signed batch; null when nothing is. */
  seal(): SealedBatch | null {
    if (this.scrapes.length === 0 && this.missedSlots.length === 0) return null
    const isKeyframe = this.wantsKeyframe()
    const { minTimeMs, maxTimeMs } = this.timeRange()
    const base = isKeyframe ? null : this.base
    const { payload, live, columns, histograms } = encodePayload({
      definitions: base === null ? this.definitions : this.usedSince(base),
      scrapes: this.scrapes,
      missed: this.missedSlots,
      minTimeMs,
      base,
      restated: isKeyframe ? this.state.restate(new Set(this.scrapes.map(({ target }) => target))) : [],
    })
    this.state.advance(live, this.definitions.length)
    const compressed = this.options.compressor.compress(
      payload,
      isKeyframe ? this.options.keyframeLevel : this.options.level,
    )
    const header: BatchHeader = {
      version: 1,
      agent: this.agent,
      epoch: this.epoch,
      sequence: this.sequence,
      base: isKeyframe ? this.sequence : base!.sequence,
      previousHash: this.previousHash,
      compressedBytes: compressed.length,
      inflatedBytes: payload.length,
      minTimeMs,
      maxTimeMs,
      sampleCount: this.pendingSamples,
    }
    const bytes = this.sign(header, compressed)
    if (isKeyframe) this.base = withoutDefinitions(buildKeyframe(header, this.definitions, columns, histograms))
    else if (this.pendingSamples > 0) this.bytesPerSample = compressed.length / this.pendingSamples
    this.next(bytes, isKeyframe)
    return { header, bytes }
  }

  private sign(header: BatchHeader, compressed: Uint8Array): Uint8Array {
    const head = encodeHeader(header)
    const bytes = new Uint8Array(head.length + compressed.length + SIGNATURE_BYTES)
    bytes.set(head)
    bytes.set(compressed, head.length)
    const end = head.length + compressed.length
    bytes.set(this.options.signer.sign(bytes.subarray(0, end)), end)
    return bytes
  }

  private next(bytes: Uint8Array, wasKeyframe: boolean): void {
    this.sequence++
    this.previousHash = this.options.hasher.sha256(bytes)
    if (wasKeyframe) {
      this.orders.forgetUnused()
      this.keyframeForced = false
      this.keyframeBytes = bytes.length
      this.bytesSinceKeyframe = 0
    } else this.bytesSinceKeyframe += bytes.length
    this.scrapes = []
    this.missedSlots = []
    this.pendingSamples = 0
    this.pendingFresh = 0
  }

  private wantsKeyframe(): boolean {
    const base = this.base
    if (base === null || this.keyframeForced) return true
    if (this.isKeyframeDue(this.sequence - base.sequence)) return true
    const fresh = this.definitions.length - base.definitionCount
    return fresh > this.options.keyframeGrowth * base.definitionCount
  }

  private isKeyframeDue(batches: number): boolean {
    const { keyframeEvery, keyframeShare } = this.options
    if (batches < keyframeEvery) return false
    if (keyframeShare === 0 || batches >= KEYFRAME_WAIT * keyframeEvery) return true
    return this.bytesSinceKeyframe * keyframeShare >= this.keyframeBytes
  }

  /** Of the series defined since the keyframe, those that this batch uses: never more bytes than all of them. */
  private usedSince(base: Keyframe): SeriesDefinition[] {
    if (this.definitions.length === base.definitionCount) return []
    const used = new Set<SeriesId>()
    for (const { ids, exemplars } of this.scrapes) {
      // Ascending: what is new stands at the end.
      for (let i = ids.length - 1; i >= 0 && ids[i]! >= base.definitionCount; i--) used.add(ids[i]!)
      for (const { id } of exemplars ?? []) if (id >= base.definitionCount) used.add(id)
    }
    return Array.from(used)
      .sort((a, b) => a - b)
      .map((id) => this.definitions[id]!)
  }

  /** Of the scrapes; of the missed slots when there are only these. */
  private timeRange(): { readonly minTimeMs: number; readonly maxTimeMs: number } {
    let minTimeMs = Number.POSITIVE_INFINITY
    let maxTimeMs = Number.NEGATIVE_INFINITY
    for (const { timestampMs } of this.scrapes) {
      minTimeMs = Math.min(minTimeMs, timestampMs)
      maxTimeMs = Math.max(maxTimeMs, timestampMs)
    }
    if (this.scrapes.length === 0)
      for (const { fromMs, toMs } of this.missedSlots) {
        minTimeMs = Math.min(minTimeMs, fromMs)
        maxTimeMs = Math.max(maxTimeMs, toMs)
      }
    return { minTimeMs, maxTimeMs }
  }

  private check(scrape: Scrape): void {
    const { target, ids, values, timestamps, startTimestamps, histograms, slotMs, intervalMs, timestampMs } = scrape
    const n = ids.length
    if (values.length !== n || (timestamps?.length ?? n) !== n || (startTimestamps?.length ?? n) !== n)
      bug(`the columns of a scrape of "${target}" differ in length`)
    if (!isTime(slotMs) || !isTime(timestampMs) || !isTime(intervalMs) || intervalMs < 0)
      bug(`a scrape of "${target}" at slot ${slotMs}, time ${timestampMs}, every ${intervalMs} is not in whole ms`)
    for (let i = 0; i < n; i++) if (ids[i]! >= this.definitions.length) bug(`series ${ids[i]} is not defined`)
    for (const [position, histogram] of histograms ?? []) {
      if (!(position >= 0 && position < n)) bug(`a histogram stands at ${position} of ${n} samples`)
      if (!isConsistent(histogram)) bug(`the spans of a histogram of "${target}" do not cover its buckets`)
    }
    for (const { id } of scrape.exemplars ?? [])
      if (!(id >= 0 && id < this.definitions.length)) bug(`series ${id} of an exemplar is not defined`)
  }
}

const isTime = (ms: number): boolean => Number.isSafeInteger(ms) && Math.abs(ms) <= MAX_TIME_MS

const sameMetadata = (a: Metadata, b: Metadata | null): boolean =>
  b !== null && a.type === b.type && a.unit === b.unit && a.help === b.help && a.family === b.family
