/**
 * Where the hub's own agent puts its samples: straight into ingest, without a ring. A definition travels with the first
 * scrape after it; one that could not be handed over stays and travels with the next.
 */
import type { MissedSlots, SampleSink, Scrape, SeriesDefinition, SeriesId } from '../../protocol/batch/types.ts'
import { type Labels, labelsKey } from '../../protocol/labels/mod.ts'
import type { Metadata } from '../../protocol/samples/mod.ts'
import type { LocalRecord } from './records.ts'

/** A dictionary with more series than this is begun anew: most of them have long ended. */
const MAX_DICTIONARY = 2_000_000

/** @returns false when the record was dropped; its arrays may be gone either way */
export type SubmitLocal = (record: LocalRecord) => boolean

export class DirectSink implements SampleSink {
  readonly #source: string
  readonly #submit: SubmitLocal
  readonly #now: () => number
  #ids = new Map<string, SeriesId>()
  #fresh: SeriesDefinition[] = []
  #epoch: number

  constructor(source: string, now: () => number, submit: SubmitLocal) {
    this.#source = source
    this.#submit = submit
    this.#now = now
    this.#epoch = Math.floor(now())
  }

  get epoch(): number {
    return this.#epoch
  }

  define(labels: Labels, metadata: Metadata | null): SeriesId {
    const key = labelsKey(labels)
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = this.#ids.size
    this.#ids.set(key, id)
    this.#fresh.push({ id, labels, metadata })
    return id
  }

  /** Ids are of the present epoch: callers define and append a scrape without giving way to others in between. */
  append(scrape: Scrape): void {
    this.#send(scrape, [])
    if (this.#ids.size > MAX_DICTIONARY) this.renew()
  }

  /** Begins the dictionary anew. */
  renew(): void {
    this.#ids = new Map()
    this.#fresh = []
    this.#epoch = Math.max(this.#epoch + 1, Math.floor(this.#now()))
  }

  missed(slots: MissedSlots): void {
    this.#send(null, [slots])
  }

  #send(scrape: Scrape | null, missed: readonly MissedSlots[]): void {
    const record = { source: this.#source, epoch: this.#epoch, definitions: this.#fresh, scrape, missed }
    if (this.#submit(record)) this.#fresh = []
  }
}
