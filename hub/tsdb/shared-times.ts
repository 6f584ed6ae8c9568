/**
 * Which group's tick a sample of a remote writer takes. Nothing says there which series were scraped together, but they
 * come with the same millisecond, one after the other, scrape after scrape: who was last in line with the sample before
 * shares its group. Series of two targets that met by chance part again as soon as their times do.
 */
import type { GroupId, GroupWriter } from './groups.ts'
import { COUNT_SHIFT, KIND_MASK, Kind, S_GROUP, S_STATE, S_TICK } from './layout.ts'
import type { Memory } from './memory.ts'
import type { SeriesWriter } from './series-writer.ts'

/** A series whose open run has as many samples stays with its group when it misses ticks: such gaps are rare. */
const RUN_KEPT = 8

export class SharedTimes {
  /** Of the last sample that was placed; -1 before. Its tick, and whether readers know that already. */
  group: GroupId = -1
  tick = -1
  isPublished = false
  readonly #mem: Memory
  readonly #groups: GroupWriter
  readonly #series: SeriesWriter

  constructor(mem: Memory, groups: GroupWriter, series: SeriesWriter) {
    this.#mem = mem
    this.#groups = groups
    this.#series = series
  }

  /** Before each call of appends: ticks may have been published, groups removed. */
  begin(): void {
    this.tick = -1
  }

  /**
   * Finds group and tick for a sample of a live series; false when it is better kept with a time of its own, or is not
   * newer than the series' last.
   * @throws HeadFullError
   */
  place(record: number, time: number, mayCreate: boolean): boolean {
    const mem = this.#mem
    const state = mem.get(record + S_STATE)
    const kind = state & KIND_MASK
    if (kind === Kind.group) {
      const group = mem.get(record + S_GROUP)
      const last = this.#groups.lastTime(group)
      const length = state >>> COUNT_SHIFT
      const next = mem.get(record + S_TICK) + length
      const tick = this.#groups.ticks(group) - (time === last ? 1 : 0)
      // A run that is closed keeps the tick it began at: what the series has, its last time alone tells.
      const isFree = length === 0 ? time > this.#series.lastTime(record) : tick >= next
      const isNewer = time > last || (time === last && isFree)
      if (isNewer && (tick === next || length >= RUN_KEPT || group === this.group)) return this.#take(group, time, last)
    }
    if (time <= this.#series.lastTime(record)) return false
    const isJoinable = kind !== Kind.own && kind !== Kind.ownStart
    if (this.group >= 0 && this.#groups.lastTime(this.group) === time) {
      return (isJoinable || this.#series.mayJoin(record, this.group)) && this.#take(this.group, time, time)
    }
    if (!mayCreate || !(isJoinable || this.#series.mayJoin(record, -1))) return false
    return this.#take(this.#groups.create(), time, Number.NEGATIVE_INFINITY)
  }

  #take(group: GroupId, time: number, last: number): boolean {
    const tick = time > last ? this.#groups.addTick(group, time) : this.#groups.ticks(group) - 1
    this.group = group
    this.tick = tick
    this.isPublished = this.#groups.isPublished(group, tick)
    return true
  }
}
