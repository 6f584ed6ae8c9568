/** What regular expressions matched is kept, within a bound, whatever is asked. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { PAIRS, SERIES, SYMBOLS } from './layout.ts'
import { MatchedPairs } from './matched-pairs.ts'
import { Memory } from './memory.ts'
import { createHead } from './mod.ts'
import { type Index, selectRefs } from './select.ts'
import { SymbolReader } from './symbols.ts'
import { Table } from './table.ts'

const HELD_MAX = 500_000

function indexOf(pods: number): Index {
  const head = createHead({ maxBytes: 2 ** 28 })
  for (let i = 0; i < pods; i++) head.series(labelsFrom({ __name__: 'x', pod: `p${i}` }))
  head.publish()
  const { control, pages } = head.share()
  const mem = new Memory(control, pages)
  const symbolTable = new Table(mem, SYMBOLS)
  return {
    mem,
    series: new Table(mem, SERIES),
    pairs: new Table(mem, PAIRS),
    symbolTable,
    symbols: new SymbolReader(mem, symbolTable),
    matched: new MatchedPairs(),
  }
}

const found = (index: Index, value: string): number =>
  selectRefs(index, [{ name: 'pod', op: '=~', value }], undefined).length

test('expressions that match nothing are not kept without end', () => {
  const index = indexOf(3)
  for (let i = 0; i < 50_000; i++) assert.equal(found(index, `.*-${i}`), 0)
  assert.ok(index.matched.held > 0 && index.matched.held <= HELD_MAX, `${index.matched.held} pairs`)
})

test('long expressions count by their text', () => {
  const index = indexOf(3)
  for (let i = 0; i < 300; i++) assert.equal(found(index, `${'abcdefgh'.repeat(2000)}.*${i}`), 0)
  assert.ok(index.matched.held > 10_000 && index.matched.held <= HELD_MAX, `${index.matched.held} pairs`)
})

test('what is forgotten for others is found again', () => {
  const index = indexOf(2000)
  for (let i = 0; i < 500; i++) assert.equal(found(index, `p.*${i % 10}|no-${i}.*`), 200)
  assert.ok(index.matched.held <= HELD_MAX, `${index.matched.held} pairs`)
  for (let i = 0; i < 400; i++) assert.equal(found(index, `p[0-9]+|no-${i}.*`), 2000)
  assert.ok(index.matched.held >= 2000 && index.matched.held <= HELD_MAX, `${index.matched.held} pairs`)
})
