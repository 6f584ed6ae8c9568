/**
 * What makes the head large: for /api/v1/status/tsdb. Semantics: Prometheus tsdb/index/postings.go, MemPostings.Stats,
 * and model/labels/labels_stringlabels.go, SizeOfLabels.
 */
import { METRIC_NAME } from '../../protocol/labels/mod.ts'
import { C_LIVE_SERIES, K_NEXT, P_COUNT, P_DEAD, P_NAME, P_VALUE, S_FIRST, S_OOO, Y_BYTES } from './layout.ts'
import type { Memory } from './memory.ts'
import type { Index } from './select.ts'
import type { Table } from './table.ts'

export type NamedCount = { readonly name: string; readonly value: number }

export type Cardinality = {
  readonly seriesCountByMetricName: readonly NamedCount[]
  readonly labelValueCountByLabelName: readonly NamedCount[]
  /** Bytes of names and values with their lengths, counted for every series that has them. */
  readonly memoryInBytesByLabelName: readonly NamedCount[]
  /** Named `name=value`. */
  readonly seriesCountByLabelValuePair: readonly NamedCount[]
  readonly labelPairCount: number
  /** With the open run of each series. */
  readonly chunkCount: number
}

/** The `limit` largest of each kind. */
export function cardinalityOf(index: Index, limit: number): Cardinality {
  const { mem, pairs, symbolTable, symbols } = index
  const metricName = symbols.id(METRIC_NAME)
  const metrics = new Top(limit)
  const labelPairs = new Top(limit)
  const valueCounts = new Map<number, number>()
  const valueBytes = new Map<number, number>()
  let labelPairCount = 0
  const stringSize = (id: number): number => {
    const bytes = mem.get(mem.get(symbolTable.addr(id) + Y_BYTES))
    return bytes + (bytes < 255 ? 1 : 4)
  }
  for (let id = 0; id < pairs.count; id++) {
    const record = pairs.addr(id)
    const series = mem.get(record + P_COUNT) - mem.get(record + P_DEAD)
    if (series <= 0) continue
    labelPairCount++
    const name = mem.get(record + P_NAME)
    const value = mem.get(record + P_VALUE)
    if (name === metricName) metrics.add(id, series)
    labelPairs.add(id, series)
    valueCounts.set(name, (valueCounts.get(name) ?? 0) + 1)
    const bytes = stringSize(name) + stringSize(value)
    valueBytes.set(name, (valueBytes.get(name) ?? 0) + bytes * series)
  }
  const pairText = (id: number, field: number) => symbols.text(mem.get(pairs.addr(id) + field))
  return {
    seriesCountByMetricName: metrics.list((id) => pairText(id, P_VALUE)),
    labelValueCountByLabelName: topOf(valueCounts, limit).list((id) => symbols.text(id)),
    memoryInBytesByLabelName: topOf(valueBytes, limit).list((id) => symbols.text(id)),
    seriesCountByLabelValuePair: labelPairs.list((id) => `${pairText(id, P_NAME)}=${pairText(id, P_VALUE)}`),
    labelPairCount,
    chunkCount: chunkCount(mem, index.series) + Atomics.load(mem.control, C_LIVE_SERIES),
  }
}

/** Chunks that are closed, of all series. */
export function chunkCount(mem: Memory, series: Table): number {
  let count = 0
  for (let ref = 0; ref < series.count; ref++) {
    const record = series.addr(ref)
    if (record === 0) continue
    for (const field of [S_FIRST, S_OOO])
      for (let chunk = mem.get(record + field); chunk !== 0; chunk = mem.get(chunk + K_NEXT)) count++
  }
  return count
}

function topOf(counts: ReadonlyMap<number, number>, limit: number): Top {
  const top = new Top(limit)
  for (const [id, value] of counts) top.add(id, value)
  return top
}

/** The largest few, by value. */
class Top {
  readonly #limit: number
  readonly #entries: { readonly id: number; readonly value: number }[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  add(id: number, value: number): void {
    const entries = this.#entries
    if (entries.length >= this.#limit && (this.#limit === 0 || entries[entries.length - 1]!.value >= value)) return
    let at = entries.length
    while (at > 0 && entries[at - 1]!.value < value) at--
    entries.splice(at, 0, { id, value })
    if (entries.length > this.#limit) entries.pop()
  }

  list(name: (id: number) => string): NamedCount[] {
    return this.#entries.map(({ id, value }) => ({ name: name(id), value }))
  }
}
