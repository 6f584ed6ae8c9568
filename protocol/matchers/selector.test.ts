import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseSelector, SelectorError } from './selector.ts'

const rows: readonly (readonly [text: string, want: unknown])[] = [
  ['up', [[['__name__', '=', 'up']], null, 0]],
  [
    ' up { job = "a" , x != \'b\', } ',
    [
      [
        ['__name__', '=', 'up'],
        ['job', '=', 'a'],
        ['x', '!=', 'b'],
      ],
      null,
      0,
    ],
  ],
  ['{__name__=~"node_.*"}[5m] offset 1h', [[['__name__', '=~', 'node_.*']], 300_000, 3_600_000]],
  [
    '{"my.metric", `a b`!~"c\\n"}',
    [
      [
        ['__name__', '=', 'my.metric'],
        ['a b', '!~', 'c\n'],
      ],
      null,
      0,
    ],
  ],
  ['up offset -5m', [[['__name__', '=', 'up']], null, -300_000]],
  [
    'job:x:rate5m{a="\\u00e9"}',
    [
      [
        ['__name__', '=', 'job:x:rate5m'],
        ['a', '=', 'é'],
      ],
      null,
      0,
    ],
  ],
]
for (const [text, want] of rows)
  test(`reads ${text}`, () => {
    const { matchers, rangeMs, offsetMs } = parseSelector(text)
    assert.deepEqual([matchers.map(({ name, op, value }) => [name, op, value]), rangeMs, offsetMs], want)
  })

for (const text of [
  '',
  '{}',
  'rate(up[5m])',
  'up + 1',
  'up{a=}',
  'up{a="b"',
  'up[',
  'up[5x]',
  '{a=~".*"}',
  '{a=~"("}',
  'up up',
])
  test(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseSelector(text), SelectorError))

test('any text is read or refused with a SelectorError', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'up{}[]"=~!,5m\\ `\'(') }), (text) => {
      try {
        parseSelector(text)
      } catch (error) {
        assert.ok(error instanceof SelectorError, String(error))
      }
    }),
  )
})
