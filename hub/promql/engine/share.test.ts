import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_FEATURES, parseExpr } from '../parser/mod.ts'
import { printExpr } from '../printer/mod.ts'
import { shareRepeated } from './share.ts'
import { operators } from './trace.ts'

const rows: readonly (readonly [text: string, shared: readonly string[]])[] = [
  ['sum(a)', []],
  ['sum(a) / sum(b)', []],
  ['(sum(a) - sum(b)) / sum(a)', ['sum(a)']],
  ['sum by (x) (a) / sum by (y) (a)', []],
  ['max(sum by (x) (a)) / max(sum by (x) (a))', ['max(sum by (x) (a))']],
  ['max(sum by (x) (a)) / (max(sum by (x) (a)) - sum by (x) (a))', ['max(sum by (x) (a))', 'sum by (x) (a)']],
  ['topk(scalar(count(a)), b) and count(a) > 1', ['count(a)']],
  ['sum(a offset 5m) - sum(a)', []],
  ['rate(a[5m]) / rate(a[5m])', ['rate(a[5m])']],
  ['rate(a[5m]) / rate(a[6m])', []],
  ['sum(rate(a[5m])) / count(rate(a[5m]))', ['rate(a[5m])']],
  ['sum(rate(a[5m])) / sum(rate(a[5m]))', ['sum(rate(a[5m]))']],
  ['abs(a) / abs(a)', []],
]
for (const [text, wanted] of rows) {
  test(`${text}: ${wanted.length === 0 ? 'nothing is shared' : `shared: ${wanted.join(', ')}`}`, () => {
    const { expr, shared } = shareRepeated(parseExpr(text, ALL_FEATURES))
    assert.equal(printExpr(expr), text)
    assert.deepEqual([...shared].map(printExpr).sort(), [...wanted].sort())
    const nodes = operators(expr)
    for (const one of shared) {
      const same = nodes.filter((node) => printExpr(node) === printExpr(one))
      assert.ok(same.length > 1 && same.every((node) => node === one), 'one object in all places')
    }
  })
}

test('the last occurrence stays: annotations point there', () => {
  const text = 'sum(a) / sum(a)'
  const [one] = shareRepeated(parseExpr(text, ALL_FEATURES)).shared
  assert.equal(one!.pos.start, text.lastIndexOf('sum'))
})

test('huge queries are left as they are', () => {
  const text = Array.from({ length: 400 }, () => 'sum(a)').join(' + ')
  assert.equal(shareRepeated(parseExpr(text, ALL_FEATURES)).shared.size, 0)
})
