/**
 * Generated plans over a head and an older part of its series, as a block is. What selectors share, what is fused and what
 * is split over threads gives what it gives when each selector is unlike all others and one thread does it all.
 * `HELIO_LONG=1` asks ten times as many.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { mergeReaders } from '../../hub/block/mod.ts'
import type { QueryRange, QueryResult } from '../../hub/promql/contract.ts'
import { evaluate, evaluatePartial, mergePartials, splitPlan } from '../../hub/promql/engine/mod.ts'
import { ENGINE_OPTIONS } from '../../hub/promql/engine/testing/options.ts'
import { ALL_FEATURES, parseExpr } from '../../hub/promql/parser/mod.ts'
import { DelegatingReader } from '../../hub/query/delegating-reader.ts'
import { createHead, openReader, type SeriesReader } from '../../hub/tsdb/mod.ts'
import { formatLabels, labelsFrom } from '../../protocol/labels/mod.ts'
import { createRandom, type SeededRandom } from '../pipeline/seeded-random.ts'

const COUNT = process.env['HELIO_LONG'] === '1' ? 6000 : 600
const M = 60_000
const BOUNDARY = 60

const pick = <T>(random: SeededRandom, from: readonly T[]): T => from[random.below(from.length)]!

function fill(
  random: SeededRandom,
  series: number,
  [from, to]: readonly [number, number],
): ReturnType<typeof createHead> {
  const head = createHead({ maxBytes: 2 ** 27 })
  for (const name of ['a_total', 'b_total', 'c'])
    for (let i = 0; i < series; i++)
      for (const j of ['x', 'y']) {
        if (random.below(5) === 0) continue
        const ref = head.series(labelsFrom({ __name__: name, i: String(i), j }))
        const end = to - random.below(20)
        for (let minute = from; minute < end; minute++)
          head.appendFloat(ref, minute * M + i * 700, Float64Array.of((minute * (i + 2)) % 23), 0, 0)
      }
  head.publish()
  return head
}

/** A selector stands between § for `written` to make unlike all others. */
function selector(random: SeededRandom): string {
  return `§${pick(random, ['a_total', 'b_total', 'c'])}{${pick(random, ['', 'i="1",', 'i!="2",', 'j="x",', 'i=~"1|3",'])}§`
}

function written(plan: string, isApart: boolean): string {
  let count = 0
  return plan.replace(/§([^§]*)§/g, (_, text: string) => `${text}${isApart ? `apart${count++}=""` : ''}}`)
}

function plan(random: SeededRandom, depth: number): string {
  const inner = (): string => plan(random, depth - 1)
  const by = pick(random, ['', 'by (i)', 'by (j)', 'by (i, j)'])
  const offset = pick(random, ['', '', ' offset 2m', ' @ 3900'])
  const range = pick(random, ['3m', '7m', '20m', '55m'])
  switch (random.below(depth <= 0 ? 2 : 9)) {
    case 0:
      return `${selector(random)}${offset}`
    case 1:
      return `${pick(random, ['rate', 'max_over_time', 'count_over_time', 'delta'])}(${selector(random)}[${range}]${offset})`
    case 2:
      return `${pick(random, ['sum', 'max', 'count', 'avg'])} ${by} (${inner()})`
    case 3:
      return `(${inner()} ${pick(random, ['+', '/', '>', 'and', 'unless', 'or'])} on (i, j) ${inner()})`
    case 4:
      return `(${inner()} * on (i) group_left () sum by (i) (${inner()}))`
    case 5:
      return `max_over_time((${inner()})[10m:2m])`
    case 6:
      return `-(${inner()})`
    case 7: {
      const one = selector(random)
      return `(max_over_time(${one}[3m]) - on (i, j) count_over_time(${one}[${range}]${offset}))`
    }
    default: {
      const twice = inner()
      return `(sum by (i) (${twice}) / ${pick(random, ['sum', 'count'])} by (i) (${twice}))`
    }
  }
}

const random = createRandom(20_265)
const older = fill(random, 7, [0, BOUNDARY + 1])
const head = fill(random, 5, [BOUNDARY, 2 * BOUNDARY])

/** As each thread opens it; `work` is given as many as it asks for. */
function withReaders<T>(work: (opened: () => SeriesReader) => T): T {
  const open: SeriesReader[] = []
  try {
    return work(() => {
      const reader = new DelegatingReader(mergeReaders([openReader(head.share()), openReader(older.share())]))
      open.push(reader)
      return reader
    })
  } finally {
    for (const reader of open) reader.release()
  }
}

function shown(result: QueryResult): readonly string[] {
  assert.ok(result.type === 'matrix' || result.type === 'vector')
  const value = (x: number): string => (Number.isFinite(x) ? x.toPrecision(8) : String(x))
  return result.series
    .map(({ labels, values, present }) => {
      const points = [...present].map((kind, i) => (kind === 0 ? '_' : value(values[i]! + 0)))
      return `${formatLabels(labels)} ${points.join(' ')}`
    })
    .sort()
}

/** An error in the place of an answer. */
function outcome(text: string, range: QueryRange): readonly string[] | Error {
  const query = { expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS }
  try {
    return withReaders((opened) => shown(evaluate({ ...query, reader: opened() })))
  } catch (error) {
    return error as Error
  }
}

function inShards(text: string, range: QueryRange): readonly string[] | null {
  const query = { expr: parseExpr(text, ALL_FEATURES), text, range, options: ENGINE_OPTIONS }
  if (splitPlan(query.expr, range) === null) return null
  return withReaders((opened) => {
    const shard = (index: number) => evaluatePartial({ ...query, reader: opened(), shard: { index, count: 3 } })
    const merged = mergePartials({ ...query, reader: opened() }, [0, 1, 2].map(shard))
    return merged === null ? null : shown(merged)
  })
}

test(`${COUNT} generated plans are what they are with nothing shared, and in shards`, () => {
  let answered = 0
  let split = 0
  for (let n = 0; n < COUNT; n++) {
    const text = plan(random, 3)
    const atMs = (BOUNDARY - 5 + random.below(15)) * M
    const range = pick(random, [
      { startMs: atMs, endMs: atMs, stepMs: 1, instant: true },
      { startMs: atMs - 20 * M, endMs: atMs + 30 * M, stepMs: 90_000, instant: false },
    ])
    const got = outcome(written(text, false), range)
    const apart = outcome(written(text, true), range)
    if (got instanceof Error || apart instanceof Error) {
      assert.ok(
        got instanceof Error && apart instanceof Error,
        `${written(text, false)}: ${String(got)} ${String(apart)}`,
      )
      continue
    }
    assert.deepEqual(got, apart, written(text, false))
    const parts = inShards(written(text, false), range)
    if (parts !== null) assert.deepEqual(parts, got, `in shards: ${written(text, false)}`)
    if (got.length > 0) answered++
    if (parts !== null) split++
  }
  assert.ok(answered > COUNT / 2, `${answered} of ${COUNT} gave series`)
  assert.ok(split > COUNT / 4, `${split} of ${COUNT} were split`)
})
