/** Pushed text is read, or refused, as by Pushgateway 1.11.2 itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readText } from './text.ts'

const words: readonly (readonly [what: string, body: string, problem: string])[] = [
  ['a value that is none', 'ok 1\na 1_0\n', 'line 2: expected float as value, got "1_0"'],
  ['a timestamp that is none', 'a 1 x\n', 'line 1: expected integer as timestamp, got "x"'],
  ['more than a timestamp', 'a 1 2 3\n', 'line 1: spurious string after timestamp: " 3"'],
  ['an unknown escape', 'a{x="\\q"} 1\n', "line 1: invalid escape sequence '\\q'"],
  ['an unquoted value', 'a{x=1} 1\n', `line 1: expected '"' at start of label value, found '1'`],
  ['an open brace', 'a{x="1" 1\n', 'line 1: unexpected end of label value "1"'],
  ['no equals sign', 'a{x} 1\n', "line 1: expected '=' after label name, found '}'"],
  ['a quote within a name', 'a{x"1",y="2"} 1\n', "line 1: expected '=' after label name, found ','"],
  ['a label that is a number', 'a{1="x"} 1\n', 'line 1: invalid label name for metric "a"'],
  ['a name that is a number', '1a 1\n', 'line 1: invalid metric name'],
  ['an unknown type', '# TYPE a foo\na 1\n', 'line 1: unknown metric type "foo"'],
  [
    'a bound that is none',
    '# TYPE h histogram\nh_bucket{le="x"} 1\n',
    `line 2: expected float as value for 'le' label, got "x"`,
  ],
  ['a count below none', '# TYPE h histogram\nh_count -1\n', 'line 2: negative count for histogram "h"'],
  ['two names', '{"a","b"} 1\n', 'line 1: multiple metric names for metric "a"'],
  ['no name', '{x="1"} 1\n', 'line 1: invalid metric name'],
  ['a line within a value', 'a{x="1\n"} 1\n', 'line 1: label value "1" contains unescaped new-line'],
]
for (const [what, body, problem] of words)
  test(`text with ${what} is refused in upstream’s words`, () => {
    assert.throws(() => readText(new TextEncoder().encode(body), { utf8: false }), {
      message: `text format parsing error in ${problem}`,
    })
  })

test('a name ends with what is quoted within it', () => {
  const { families } = readText(new TextEncoder().encode('a"b c"{x" y"="1"} 1\n'), { utf8: true })
  assert.deepEqual(families.get('ab c')?.metrics[0]?.labels, ['x y', '1'])
})

for (const type of ['gaugehistogram', 'gauge_histogram', 'GaugeHistogram'])
  test(`a ${type} is a histogram`, () => {
    const text = `# TYPE h ${type}\nh_bucket{le="1"} 1\nh_sum 3\nh_count 2\nh_gsum 4\n`
    const { families } = readText(new TextEncoder().encode(text), { utf8: false })
    assert.deepEqual(
      [...families].map(([name, { type }]) => [name, type]),
      [
        ['h', 'histogram'],
        ['h_gsum', 'untyped'],
      ],
    )
  })
