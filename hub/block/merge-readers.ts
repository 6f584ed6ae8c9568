/**
 * One reader over many: the first (the head) and others (blocks). Refs and symbol ids of the first stay what they are;
 * series and symbols that only others have get numbers from EXTRA on. So a query whose range no block touches costs
 * what it costs on the head alone.
 *
 * A series may be known by an EXTRA ref from a query of a time when the head did not have it, and by the head's ref
 * from another: a ref never changes its meaning, and one `select` never gives two refs of one series. `read` must stay
 * within the range of a `select` that gave the ref.
 *
 * Shards are by the hash of the labels as soon as the range touches a block, else the first reader's own; both depend
 * on nothing but blocks and range, so all threads that were given the same blocks agree.
 */
import { compareStrings, type Labels } from '../../protocol/labels/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { Exemplar, Metadata } from '../../protocol/samples/mod.ts'
import {
  type ChosenAggregates,
  createSampleBuffer,
  LastTimes,
  type SampleBuffer,
  type SeriesReader,
  type Shard,
  type TimeRange,
  timesKeyAfter,
} from '../tsdb/mod.ts'
import { ChoosingAggregates } from './choose-aggregates.ts'
import type { BlockReader } from './contract.ts'
import type { FirstRefs } from './first-refs.ts'
import { HashedRefs, hasLabelHash, LabelHasher } from './hashed-refs.ts'
import { HASH_START, hashNext, hashText } from './label-hash.ts'
import { LazyBlock } from './lazy-block.ts'
import { MergedAggregates, type Part } from './merge-aggregates.ts'
import { appendSamples, clearSamples, mergeSamples } from './merge-samples.ts'
import { WhenChosen } from './when-chosen.ts'

const EXTRA = 2 ** 30
/** Arrays of so few are the cheapest to make: not all queries need them. */
const FEW = 8

/** @param readers of a time that two have, the one that stands first has the say; blocks do not change their range */
export function mergeReaders(readers: readonly SeriesReader[]): SeriesReader {
  if (readers.length === 0) throw new Error('BUG: nothing to merge')
  return readers.length === 1 ? readers[0]! : new MergedReader(readers)
}

/** One of the readers after the first. */
class Source {
  readonly reader: SeriesReader
  readonly minTime: number
  readonly maxTime: number
  /** Merged symbol ids by own, plus 1; 0 is not known yet. */
  #symbols = new Uint32Array(0)
  /** Merged refs by own, and the reverse. */
  readonly merged = new Map<number, number>()
  readonly own = new Map<number, number>()
  /** Among the sources: a series that the first reader does not have stands where the first of them that has it does. */
  place = 0
  /** Of blocks that are kept from query to query, once there is an identity that they are of. */
  firstRefs: FirstRefs | null = null

  constructor(reader: SeriesReader) {
    this.reader = reader
    const range = reader.timeRange()
    this.minTime = range?.minTime ?? Number.POSITIVE_INFINITY
    this.maxTime = range?.maxTime ?? Number.NEGATIVE_INFINITY
  }

  under(identity: object): void {
    if (!(this.reader instanceof LazyBlock)) return
    this.firstRefs = this.reader.firstRefs
    this.firstRefs.under(identity, this.reader.seriesCount)
  }

  overlaps(range: TimeRange): boolean {
    return this.minTime <= range.maxTime && this.maxTime >= range.minTime
  }

  /** Merged ids of the labels, into `out`; returns how many. */
  labelIds(ref: number, out: { ids: Uint32Array }, intern: (text: string) => number): number {
    const ids = this.reader.labelIds(ref)
    if (out.ids.length < ids.length) out.ids = new Uint32Array(2 * ids.length)
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      if (id >= this.#symbols.length) {
        const grown = new Uint32Array(Math.max(id + 1, this.#symbols.length * 2, 1024))
        grown.set(this.#symbols)
        this.#symbols = grown
      }
      let known = this.#symbols[id]!
      if (known === 0) this.#symbols[id] = known = intern(this.reader.symbol(id)) + 1
      out.ids[i] = known - 1
    }
    return ids.length
  }
}

/** A series that the first reader does not have: a source that has it, or its labels alone. */
type Extra = { readonly source: Source; readonly ref: number } | { readonly source: null; readonly labels: Labels }

class MergedReader implements SeriesReader {
  readonly #first: SeriesReader
  /** In the order of time; then the weaker first. */
  readonly #sources: readonly Source[]
  readonly #hasher: LabelHasher
  readonly #extraTexts: string[] = []
  readonly #extraIds = new Map<string, number>()
  /** Texts of blocks under the first reader's ids: it may give a text up during this query, and the id must stay. */
  readonly #firstIds = new Map<string, number>()
  /** By the first reader's symbol id: 1 is itself, 2 has another id because it came to the first during this query. */
  #checked = new Uint8Array(0)
  readonly #aliases = new Map<number, number>()
  readonly #extraOf: Extra[] = []
  /** By hash of the labels: merged refs that series of sources have, the first reader's and extra ones. */
  readonly #knownByHash = new Map<number, number[]>()
  readonly #ids = { ids: new Uint32Array(64) }
  readonly #otherIds = { ids: new Uint32Array(64) }
  readonly #cluster = createSampleBuffer(FEW)
  readonly #part = createSampleBuffer(FEW)
  readonly #scratch = createSampleBuffer(FEW)
  readonly #firstTimes = new LastTimes()
  /** Of the first's refs, since the last `select`. */
  #identity: object | null = null
  #stored: MergedAggregates | null = null
  #chosen: ChosenAggregates | null = null

  constructor(readers: readonly SeriesReader[]) {
    this.#first = readers[0]!
    this.#hasher = new LabelHasher(this.#first)
    this.#sources = readers
      .slice(1)
      .map((reader, rank) => ({ source: new Source(reader), rank }))
      .sort((a, b) => a.source.minTime - b.source.minTime || b.rank - a.rank)
      .map(({ source }) => source)
    for (const [place, source] of this.#sources.entries()) source.place = place
    this.#ranks = new Map(this.#sources.map((source) => [source, readers.indexOf(source.reader)]))
  }

  /** Place in the list that was given: the smaller has the say. */
  readonly #ranks: ReadonlyMap<Source, number>

  /** Of the first too: it may be a block. */
  get stored(): MergedAggregates {
    const first = this.#first.timeRange() ?? { minTime: Number.POSITIVE_INFINITY, maxTime: Number.NEGATIVE_INFINITY }
    const own: Part = { reader: this.#first, ...first, rank: 0, refOf: (ref) => (ref < EXTRA ? ref : undefined) }
    return (this.#stored ??= new MergedAggregates([own, ...this.#parts()]))
  }

  /** The first is the head, which has no windows. */
  get chosen(): ChosenAggregates {
    if (this.#chosen !== null) return this.#chosen
    const parts = this.#parts()
    return (this.#chosen = new WhenChosen(parts, () => new ChoosingAggregates(this.#first, EXTRA, parts)))
  }

  select(matchers: readonly Matcher[], range: TimeRange, shard?: Shard): Uint32Array {
    const sources = this.#sources.filter((source) => source.overlaps(range))
    if (sources.length === 0) return this.#first.select(matchers, range, shard)
    const firsts = this.#selectFirst(matchers, range, shard)
    if (this.#identity !== null) for (const source of sources) source.under(this.#identity)
    const more = new Set<number>()
    for (const source of sources) {
      for (const ref of source.reader.select(matchers, range)) {
        const hash = this.#sourceHash(source, ref)
        if (shard && shard.count > 1 && hash % shard.count !== shard.index) continue
        const merged = this.#resolve(source, ref, hash, firsts)
        if (merged >= EXTRA || !firsts.has(merged)) more.add(merged)
      }
    }
    const out = new Uint32Array(firsts.refs.length + more.size)
    out.set(firsts.refs)
    let count = firsts.refs.length
    for (const ref of more) out[count++] = ref
    return more.size > 0 ? out.sort() : out
  }

  labels(ref: number): Labels {
    if (ref < EXTRA) return this.#first.labels(ref)
    const extra = this.#extraOf[ref - EXTRA]!
    return extra.source === null ? extra.labels : extra.source.reader.labels(extra.ref)
  }

  isOwnRef(ref: number): boolean {
    return ref >= EXTRA
  }

  orderOf(ref: number): number {
    if (ref < EXTRA) return ref
    const extra = this.#extraOf[ref - EXTRA]!
    return extra.source === null ? Number.MAX_SAFE_INTEGER : (1 + extra.source.place) * 2 ** 32 + extra.ref
  }

  refFor(labels: Labels): number {
    this.#extraOf.push({ source: null, labels })
    return EXTRA + this.#extraOf.length - 1
  }

  /** Borrowed. */
  labelIds(ref: number): Uint32Array {
    if (ref < EXTRA) return this.#firstLabelIds(ref)
    const extra = this.#extraOf[ref - EXTRA]!
    if (extra.source === null) return Uint32Array.from(extra.labels, this.#intern)
    // First this: it may replace the array.
    const count = extra.source.labelIds(extra.ref, this.#ids, this.#intern)
    return this.#ids.ids.subarray(0, count)
  }

  valueId(ref: number, name: number): number {
    if (ref < EXTRA && this.#extraTexts.length === 0 && this.#first.valueId !== undefined)
      return this.#first.valueId(ref, name)
    const ids = this.labelIds(ref)
    for (let i = 0; i < ids.length; i += 2) if (ids[i] === name) return ids[i + 1]!
    return -1
  }

  symbol(id: number): string {
    return id < EXTRA ? this.#first.symbol(id) : (this.#extraTexts[id - EXTRA] ?? '')
  }

  symbolId(text: string): number {
    const known = this.#extraIds.get(text) ?? this.#firstIds.get(text)
    if (known !== undefined) return known
    const id = this.#first.symbolId(text)
    if (id >= 0) return id
    return this.#sources.some(({ reader }) => reader.symbolId(text) >= 0) ? this.#intern(text) : -1
  }

  read(ref: number, range: TimeRange, out: SampleBuffer): void {
    let found = false
    clearSamples(out)
    // Sources that overlap each other make a cluster; clusters follow one another.
    const { length } = this.#sources
    for (let i = 0; i < length; ) {
      let end = i + 1
      let maxTime = this.#sources[i]!.maxTime
      while (end < length && this.#sources[end]!.minTime <= maxTime)
        maxTime = Math.max(maxTime, this.#sources[end++]!.maxTime)
      if (this.#sources[i]!.minTime <= range.maxTime && maxTime >= range.minTime)
        found = this.#readCluster(ref, range, i, end, out, found)
      i = end
    }
    if (ref >= EXTRA) return
    if (!found) this.#first.read(ref, range, out)
    else this.#addFirst(ref, range, out)
  }

  /** The head alone knows how: where a block has a part of the range, all of it is read. */
  readNewest(ref: number, range: TimeRange, out: SampleBuffer): void {
    const first = this.#first
    if (ref >= EXTRA || first.readNewest === undefined || this.#sources.some((source) => source.overlaps(range))) {
      this.read(ref, range, out)
      return
    }
    clearSamples(out)
    first.readNewest(ref, range, out)
  }

  #addFirst(ref: number, range: TimeRange, out: SampleBuffer): void {
    const part = this.#part
    clearSamples(part)
    this.#first.read(ref, range, part)
    if (part.count === 0) return
    if (out.times[out.count - 1]! >= part.times[0]!) {
      mergeSamples(out, part, this.#scratch)
      return
    }
    const key = timesKeyAfter(out.timesKey ?? 0, this.#firstTimes.columnOf(part, 0, part.timesKey), 0, part.count)
    appendSamples(out, part)
    out.timesKey = key
  }

  labelNames(matchers: readonly Matcher[], range: TimeRange): string[] {
    return this.#union(range, (reader) => reader.labelNames(matchers, range))
  }

  labelValues(name: string, matchers: readonly Matcher[], range: TimeRange): readonly string[] {
    return this.#union(range, (reader) => reader.labelValues(name, matchers, range))
  }

  exemplars(ref: number, range: TimeRange): Exemplar[] {
    return ref < EXTRA ? this.#first.exemplars(ref, range) : []
  }

  metadata(): ReadonlyMap<string, readonly Metadata[]> {
    return this.#first.metadata()
  }

  /** Of the first reader: the live ones. */
  get seriesCount(): number {
    return this.#first.seriesCount
  }

  timeRange(): TimeRange | null {
    const first = this.#first.timeRange()
    let minTime = first?.minTime ?? Number.POSITIVE_INFINITY
    let maxTime = first?.maxTime ?? Number.NEGATIVE_INFINITY
    for (const source of this.#sources) {
      minTime = Math.min(minTime, source.minTime)
      maxTime = Math.max(maxTime, source.maxTime)
    }
    return minTime <= maxTime ? { minTime, maxTime } : null
  }

  release(): void {
    this.#first.release()
    for (const { reader } of this.#sources) reader.release()
  }

  #parts(): Part[] {
    return this.#sources.map((source) => ({
      reader: source.reader,
      minTime: source.minTime,
      maxTime: source.maxTime,
      rank: this.#ranks.get(source)!,
      refOf: (ref) => source.own.get(ref),
    }))
  }

  #readCluster(ref: number, range: TimeRange, from: number, to: number, out: SampleBuffer, found: boolean): boolean {
    const members: Source[] = []
    for (let i = from; i < to; i++) {
      const source = this.#sources[i]!
      if (source.own.has(ref) && source.overlaps(range)) members.push(source)
    }
    if (members.length === 0) return found
    if (members.length === 1) {
      const [{ reader, own }] = members as [Source]
      if (!found) reader.read(own.get(ref)!, range, out)
      else if (canAppend(reader)) reader.append(own.get(ref)!, range, out)
      else {
        reader.read(own.get(ref)!, range, this.#cluster)
        appendSamples(out, this.#cluster)
      }
      return true
    }
    // The strongest last.
    members.sort((a, b) => this.#ranks.get(b)! - this.#ranks.get(a)!)
    const target = found ? this.#cluster : out
    members[0]!.reader.read(members[0]!.own.get(ref)!, range, target)
    for (let i = 1; i < members.length; i++) {
      clearSamples(this.#part)
      members[i]!.reader.read(members[i]!.own.get(ref)!, range, this.#part)
      mergeSamples(target, this.#part, this.#scratch)
    }
    if (found) appendSamples(out, target)
    return true
  }

  #selectFirst(matchers: readonly Matcher[], range: TimeRange, shard: Shard | undefined): HashedRefs {
    const refs = this.#first.select(matchers, range)
    this.#identity = this.#first.refIdentity?.() ?? null
    if (this.#identity !== null) this.#hasher.under(this.#identity)
    const hashes = new Uint32Array(refs.length)
    let count = 0
    for (let i = 0; i < refs.length; i++) {
      const hash = this.#hasher.hash(refs[i]!)
      if (shard && shard.count > 1 && hash % shard.count !== shard.index) continue
      refs[count] = refs[i]!
      hashes[count++] = hash
    }
    return new HashedRefs(refs.subarray(0, count), hashes)
  }

  #sourceHash(source: Source, ref: number): number {
    const { reader } = source
    if (hasLabelHash(reader)) return reader.labelHash(ref)
    let hash = HASH_START
    for (const text of reader.labels(ref)) hash = hashNext(hash, hashText(text))
    return hash
  }

  #resolve(source: Source, ref: number, hash: number, firsts: HashedRefs): number {
    const known = source.merged.get(ref)
    if (known !== undefined && (known < EXTRA || firsts.refs.length === 0)) return known
    const first = known === undefined ? (source.firstRefs?.find(ref) ?? -1) : -1
    if (first >= 0 && firsts.has(first)) return this.#adopt(source, ref, hash, first)
    for (let i = firsts.find(hash); i >= 0; i = firsts.next(i, hash)) {
      const candidate = firsts.refs[i]!
      if (!this.#isSame(this.#firstLabelIds(candidate), source, ref)) continue
      if (this.#identity !== null) source.firstRefs?.set(ref, candidate)
      return this.#adopt(source, ref, hash, candidate)
    }
    if (known !== undefined) return known
    let chain = this.#knownByHash.get(hash)
    if (!chain) this.#knownByHash.set(hash, (chain = []))
    for (const merged of chain)
      if (this.#isSame(this.labelIds(merged), source, ref)) return this.#bind(source, ref, merged)
    const extra = EXTRA + this.#extraOf.length
    this.#extraOf.push({ source, ref })
    chain.push(extra)
    return this.#bind(source, ref, extra)
  }

  /** The first reader has the series, too: from now on every source's has that ref. */
  #adopt(source: Source, ref: number, hash: number, first: number): number {
    let chain = this.#knownByHash.get(hash)
    if (!chain) this.#knownByHash.set(hash, (chain = []))
    const at = chain.findIndex((merged) => merged === first || this.#isSame(this.labelIds(merged), source, ref))
    const before = chain[at]
    if (before === undefined) chain.push(first)
    else if (before !== first) {
      chain[at] = first
      for (const other of this.#sources) {
        const own = other.own.get(before)
        if (own !== undefined) this.#bind(other, own, first)
      }
    }
    return this.#bind(source, ref, first)
  }

  #bind(source: Source, ref: number, merged: number): number {
    source.merged.set(ref, merged)
    source.own.set(merged, ref)
    return merged
  }

  #isSame(ids: Uint32Array, source: Source, ref: number): boolean {
    const count = source.labelIds(ref, this.#otherIds, this.#intern)
    if (count !== ids.length) return false
    for (let i = 0; i < count; i++) {
      const other = this.#otherIds.ids[i]!
      // Their hashes are the same: ids differ where the first gave a text up and learnt it again meanwhile.
      if (ids[i] !== other && this.symbol(ids[i]!) !== this.symbol(other)) return false
    }
    return true
  }

  readonly #intern = (text: string): number => {
    const known = this.#extraIds.get(text) ?? this.#firstIds.get(text)
    if (known !== undefined) return known
    const id = this.#first.symbolId(text)
    if (id >= 0) {
      this.#firstIds.set(text, id)
      return id
    }
    const extra = EXTRA + this.#extraTexts.length
    this.#extraTexts.push(text)
    this.#extraIds.set(text, extra)
    return extra
  }

  /** The first reader's own, but for texts that it learnt after they had been given an extra id. */
  #firstLabelIds(ref: number): Uint32Array {
    const ids = this.#first.labelIds(ref)
    if (this.#extraTexts.length === 0) return ids
    let isAliased = false
    for (let i = 0; i < ids.length; i++) if (this.#check(ids[i]!) === 2) isAliased = true
    return isAliased ? ids.map((id) => this.#aliases.get(id) ?? id) : ids
  }

  #check(id: number): number {
    if (id >= this.#checked.length) {
      const grown = new Uint8Array(Math.max(id + 1, this.#checked.length * 2, 1024))
      grown.set(this.#checked)
      this.#checked = grown
    }
    if (this.#checked[id] !== 0) return this.#checked[id]!
    const text = this.#first.symbol(id)
    const known = this.#extraIds.get(text) ?? this.#firstIds.get(text) ?? id
    if (known !== id) this.#aliases.set(id, known)
    return (this.#checked[id] = known === id ? 1 : 2)
  }

  #union<List extends readonly string[]>(range: TimeRange, ask: (reader: SeriesReader) => List): List | string[] {
    const sources = this.#sources.filter((source) => source.overlaps(range))
    const first = ask(this.#first)
    if (sources.length === 0) return first
    const lists = [first, ...sources.map(({ reader }) => ask(reader))].filter((list) => list.length > 0)
    // They are sorted and without duplicates, each of them.
    if (lists.length < 2) return lists[0] ?? []
    return [...new Set(lists.flat())].sort(compareStrings)
  }
}

function canAppend(reader: SeriesReader): reader is SeriesReader & Pick<BlockReader, 'append'> {
  return 'append' in reader
}
