/**
 * Samples made inside the hub's process: by its own agent (its `scrape_configs`) and by its rules. They get no identity
 * labels. The log is their ring: what it could not take is lost, and counted.
 */
import { isTargetEnd } from '../../protocol/batch/mod.ts'
import type { MissedSlots } from '../../protocol/batch/types.ts'
import type { Logger } from '../../protocol/env/mod.ts'
import { type Labels, labelValue, METRIC_NAME } from '../../protocol/labels/mod.ts'
import { familyOf, type Metadata } from '../../protocol/samples/mod.ts'
import { type Appender, AppendResult } from '../tsdb/contract.ts'
import type { HeadMemory } from '../tsdb/head-contract.ts'
import { type AppendCounts, appendExemplars, appendScrape, resolveScrape } from './columns.ts'
import type { IngestCounters } from './counters.ts'
import { Dictionary, MAX_SERIES_ID, REFUSED } from './dictionary.ts'
import { Ledger, type LedgerState } from './ledger.ts'
import type { LocalRecord, RuleResults } from './records.ts'
import type { SeriesRefusals } from './series-refusals.ts'
import type { StartZeros } from './start-zeros.ts'

export type LocalIntakeOptions = {
  readonly head: Appender & { readonly memory: HeadMemory }
  readonly log: Logger
  readonly counters: IngestCounters
  readonly refusals: SeriesRefusals
  readonly zeros: StartZeros
}

type Source = { epoch: number; dictionary: Dictionary; ledger: Ledger; newestMs: number; samples: number }

export type SourceSave = {
  readonly source: string
  readonly epoch: number
  /** Refs by id, as bytes: they are good for the head of the same checkpoint. */
  readonly refs: Uint8Array
  readonly ledger: LedgerState
  readonly newestMs: number
  readonly samples: number
}

export class LocalIntake {
  readonly sources = new Map<string, Source>()
  /** Sources of which memory had no room for something: a series, maybe, that they will not define again by themselves. */
  readonly #starved = new Set<string>()
  readonly #options: LocalIntakeOptions

  constructor(options: LocalIntakeOptions) {
    this.#options = options
  }

  /** @returns false when it uses a series that was never defined, which only damage to the log can bring about */
  apply(record: LocalRecord): boolean {
    const { head, counters, refusals, zeros } = this.#options
    const source = this.#source(record.source, record.epoch)
    const { failures } = head.memory
    for (const [position, { id, labels, metadata }] of record.definitions.entries()) {
      if (id > MAX_SERIES_ID) return false
      const ref = refusals.has(position) ? -1 : head.series(labels)
      if (ref < 0) refusals.note(position)
      source.dictionary.set(id, ref < 0 ? REFUSED : ref)
      if (metadata) keepMetadata(head, labels, metadata)
    }
    if (head.memory.failures > failures) this.#starved.add(record.source)
    for (const missed of record.missed) source.ledger.missed(missed)
    const { scrape } = record
    if (!scrape) return true
    const resolved = resolveScrape(source.dictionary, scrape.ids)
    if (!resolved) return false
    const counts: AppendCounts = { stored: 0, notStored: 0, refused: 0 }
    zeros.begin()?.ofScrape(scrape, resolved.refs)
    appendScrape(head, scrape, resolved.refs, resolved.refused, counts)
    appendExemplars(head, source.dictionary, scrape)
    source.ledger.collected(scrape, isTargetEnd(scrape))
    if (scrape.timestampMs > source.newestMs) source.newestMs = scrape.timestampMs
    counters.localScrapes++
    source.samples += counts.stored
    counters.samplesStored += counts.stored
    counters.samplesNotStored += counts.notStored
    counters.samplesOverSeriesLimit += counts.refused
    return true
  }

  /** They should define their series anew, once there is room. */
  takeStarved(): string[] {
    const starved = [...this.#starved]
    this.#starved.clear()
    return starved
  }

  missed(source: string, epoch: number, slots: MissedSlots): void {
    this.#source(source, epoch).ledger.missed(slots)
  }

  applyRules(results: RuleResults): void {
    const { head, counters, refusals } = this.#options
    for (let i = 0; i < results.labels.length; i++) {
      const ref = refusals.has(i) ? -1 : head.series(results.labels[i]!)
      if (ref < 0) {
        refusals.note(i)
        counters.samplesOverSeriesLimit++
        continue
      }
      const histogram = results.histograms?.get(i)
      const result = histogram
        ? head.appendHistogram(ref, results.timestampMs, histogram, 0)
        : head.appendFloat(ref, results.timestampMs, results.values, i, 0)
      if (result === AppendResult.stored) counters.ruleSamples++
      else counters.samplesNotStored++
    }
  }

  save(): SourceSave[] {
    return [...this.sources].map(([source, { epoch, dictionary, ledger, newestMs, samples }]) => ({
      source,
      epoch,
      refs: dictionary.save(),
      ledger: ledger.save(),
      newestMs,
      samples,
    }))
  }

  restore(saved: SourceSave): void {
    this.sources.set(saved.source, {
      epoch: saved.epoch,
      dictionary: Dictionary.load(saved.refs),
      ledger: Ledger.load(saved.ledger),
      newestMs: saved.newestMs,
      samples: saved.samples,
    })
  }

  #source(name: string, epoch: number): Source {
    let source = this.sources.get(name)
    if (!source) {
      source = { epoch, dictionary: new Dictionary(), ledger: new Ledger(), newestMs: 0, samples: 0 }
      this.sources.set(name, source)
    } else if (source.epoch !== epoch) {
      source.epoch = epoch
      source.dictionary = new Dictionary()
    }
    return source
  }
}

/** What is known of a series' family goes to the head under the family's name. */
export function keepMetadata(head: Pick<Appender, 'setMetadata'>, labels: Labels, metadata: Metadata): void {
  head.setMetadata(metadata.family ?? familyOf(labelValue(labels, METRIC_NAME), metadata.type), metadata)
}
