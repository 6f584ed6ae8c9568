import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { linePath } from './line-path.ts'

type Call = readonly [op: 'M' | 'L', x: number, y: number]

/** xs are 0, 1, 2, …; pixels are x * factor and the value itself. */
function draw(ys: readonly (number | null | undefined)[], factor = 10, from = 0, to = ys.length - 1): Call[] {
  const calls: Call[] = []
  linePath(
    { moveTo: (x, y) => calls.push(['M', x, y]), lineTo: (x, y) => calls.push(['L', x, y]) },
    {
      xs: ys.map((_, i) => i),
      ys,
      from,
      to,
      x: { factor, offset: 0 },
      y: { factor: 1, offset: 0 },
      dotRadius: 2,
    },
  )
  return calls
}

const ROWS: readonly (readonly [name: string, ys: readonly (number | null | undefined)[], calls: readonly Call[]])[] = [
  ['nothing for no value', [null, null], []],
  [
    'one line',
    [1, 2, 3],
    [
      ['M', 0, 1],
      ['L', 10, 2],
      ['L', 20, 3],
    ],
  ],
  [
    'a break at a null, with moveTo after it',
    [1, 2, null, 4, 5],
    [
      ['M', 0, 1],
      ['L', 10, 2],
      ['M', 30, 4],
      ['L', 40, 5],
    ],
  ],
  [
    'a break at undefined',
    [1, 2, undefined, 4, 5],
    [
      ['M', 0, 1],
      ['L', 10, 2],
      ['M', 30, 4],
      ['L', 40, 5],
    ],
  ],
  [
    'a dash for a lone value between gaps',
    [null, 7, null, 4, 5],
    [
      ['M', 10, 7],
      ['M', 8, 7],
      ['L', 12, 7],
      ['M', 30, 4],
      ['L', 40, 5],
    ],
  ],
  [
    'a dash for a lone last value',
    [1, 2, null, 4],
    [
      ['M', 0, 1],
      ['L', 10, 2],
      ['M', 30, 4],
      ['M', 28, 4],
      ['L', 32, 4],
    ],
  ],
  [
    'a zero as a value',
    [0, 0],
    [
      ['M', 0, 0],
      ['L', 10, 0],
    ],
  ],
]
for (const [name, ys, calls] of ROWS) test(`linePath() draws ${name}`, () => assert.deepEqual(draw(ys), calls))

test('linePath() draws only the asked-for range', () => {
  assert.deepEqual(draw([1, 2, 3, 4], 10, 1, 2), [
    ['M', 10, 2],
    ['L', 20, 3],
  ])
})

test('linePath() keeps extremes and gaps where many steps share a pixel', () => {
  const ys: (number | null)[] = Array.from({ length: 1000 }, (_, i) => (i % 10 === 5 ? 100 : 0))
  for (let i = 400; i < 600; i++) ys[i] = null
  const calls = draw(ys, 0.1)
  assert.ok(calls.length < 500, `${calls.length} calls for 100 pixels`)
  assert.equal(calls.filter(([op]) => op === 'M').length, 2, 'one line on each side of the gap')
  assert.ok(calls.some(([, , y]) => y === 100) && calls.some(([, , y]) => y === 0))
})

/** No segment may reach over a null, whatever the density. */
test('linePath() never draws over a gap', () => {
  fc.assert(
    fc.property(
      fc.array(fc.option(fc.integer({ min: 0, max: 50 })), { minLength: 1, maxLength: 300 }),
      fc.constantFrom(10, 1, 0.2),
      (ys, factor) => {
        let last: Call | null = null
        for (const call of draw(ys, factor)) {
          if (call[0] === 'L' && last && call[1] - last[1] > factor * 1.5 + 1) {
            // Only a lone value's dash is wider than a step.
            assert.equal(call[1] - last[1], 4)
          }
          if (call[0] === 'L' && last && factor === 10 && call[1] - last[1] === 10) {
            assert.notEqual(ys[last[1] / 10], null)
            assert.notEqual(ys[call[1] / 10], null)
          }
          last = call
        }
      },
    ),
  )
})

test('linePath() touches every value where steps are wide', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ min: 0, max: 50 })), { minLength: 1, maxLength: 100 }), (ys) => {
      const touched = new Set(draw(ys).map(([, x, y]) => `${x} ${y}`))
      for (const [i, value] of ys.entries()) if (value !== null) assert.ok(touched.has(`${i * 10} ${value}`))
    }),
  )
})
