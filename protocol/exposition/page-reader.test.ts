import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { ExpositionError } from './errors.ts'
import { readFloat } from './fast-float.ts'
import { PageReader } from './page-reader.ts'
import type { PageOptions } from './page-source.ts'
import { parseExposition, type SeriesEntry } from './parse.ts'
import type { ExpositionFormat } from './parser.ts'

const TEXT: PageOptions & { readonly format: 'text' } = {
  format: 'text',
  ignoreTimestamps: false,
  startTimestamps: false,
  typeAndUnitLabels: false,
}
const OPENMETRICS: PageOptions & { readonly format: 'openmetrics' } = { ...TEXT, format: 'openmetrics' }
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

type Sample = { readonly labels: string; readonly value: number; readonly timestampMs: number | null }

/** A reader with the labels of its slots, as a caller keeps them. */
class Harness {
  readonly reader = new PageReader()
  labels: string[] = []

  read(page: string, options: PageOptions): Sample[] {
    const { reader } = this
    try {
      reader.read(bytesOf(page), options)
    } finally {
      for (const { slot, labels } of reader.newSeries) this.labels[slot] = labels.join('\xff')
    }
    const out: Sample[] = []
    for (let i = 0; i < reader.count; i++) {
      const own = reader.timestamps?.[i] ?? Number.NaN
      out.push({
        labels: this.labels[reader.slots[i]!]!,
        value: reader.values[i]!,
        timestampMs: Number.isNaN(own) ? null : own,
      })
    }
    this.compact()
    return out
  }

  compact(): boolean {
    const map = this.reader.compact()
    if (map === null) return false
    const old = this.labels
    this.labels = []
    map.forEach((to, from) => {
      if (to !== 0 && old[from] !== undefined) this.labels[to] = old[from]
    })
    return true
  }
}

/** The event parser's view of the same page, first of duplicates kept. */
function plain(page: string, format: ExpositionFormat): Sample[] {
  const seen = new Set<string>()
  const entries = parseExposition(bytesOf(page), { format, startTimestamps: false })
  return entries
    .filter((entry): entry is SeriesEntry => entry.kind === 'series')
    .filter(({ series, timestampMs }) => {
      if (timestampMs === null && seen.has(series)) return false
      seen.add(series)
      return true
    })
    .map(({ labels, value, timestampMs }) => ({ labels: labels.join('\xff'), value, timestampMs }))
}

function outcome<T>(run: () => T): T | string {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof ExpositionError)) throw error
    return error.message
  }
}

const name = fc.constantFrom('a', 'a_total', 'b', 'some_long_metric_name_seconds_total', 'x_bucket', 'x_sum', 'x')
const value = fc.oneof(
  fc.integer().map(String),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom('NaN', '+Inf', '-Inf', '0', '-0', '1e+06', '7.424100000000001e-05', '.5', '5.', '+3', 'nan'),
)
const labelValue = fc.constantFrom('1', '0.5', 'x y', 'ä', 'a\\"b', '{', '}', 'end\\\\', 'two\\nlines')
const series = fc
  .tuple(name, fc.array(fc.tuple(fc.constantFrom('le', 'quantile', 'code'), labelValue), { maxLength: 2 }))
  .map(([n, pairs]) => (pairs.length === 0 ? n : `${n}{${pairs.map(([k, v]) => `${k}="${v}"`).join(',')}}`))
const meta = fc
  .tuple(fc.constantFrom('HELP', 'TYPE'), name, fc.constantFrom('counter', 'gauge'))
  .map(([word, n, text]) => `# ${word} ${n} ${text}`)
const timestamp = fc.option(fc.integer({ min: 0, max: 2_000_000_000_000 }), { nil: null })
const line = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(series, value, timestamp).map(([s, v, t]) => `${s} ${v}${t === null ? '' : ` ${t}`}`),
  },
  { weight: 1, arbitrary: meta },
)
const pages = (extra: fc.Arbitrary<string>): fc.Arbitrary<string[]> =>
  fc
    .array(fc.array(fc.oneof({ weight: 12, arbitrary: line }, { weight: 1, arbitrary: extra }), { maxLength: 25 }), {
      minLength: 1,
      maxLength: 6,
    })
    .map((all) => all.map((lines) => lines.map((l) => `${l}\n`).join('')))

test('PageReader reads what the event parser reads, scrape after scrape (text)', () => {
  const blank = fc.constantFrom('', '# a comment', 'a 1 ', 'a{code="x" } 2', 'b {code="1"} 3', 'a\t4', 'a  5')
  fc.assert(
    fc.property(pages(blank), (all) => {
      const harness = new Harness()
      for (const page of all) assert.deepEqual(harness.read(page, TEXT), plain(page, 'text'))
    }),
    { numRuns: 300 },
  )
})

test('PageReader reads what the event parser reads, scrape after scrape (OpenMetrics)', () => {
  const extra = fc.constantFrom('a 1 # {id="1"} 4', 'b 2 1.5 # {id="2"} 3 1.25', 'c_created 1')
  fc.assert(
    fc.property(pages(extra), (all) => {
      const harness = new Harness()
      for (const page of all) {
        const text = `${page}# EOF\n`
        assert.deepEqual(
          outcome(() => harness.read(text, OPENMETRICS)),
          outcome(() => plain(text, 'openmetrics')),
        )
      }
    }),
    { numRuns: 300 },
  )
})

test('PageReader refuses damaged pages with the parser’s words, and reads the next good one', () => {
  const damage = fc.tuple(fc.nat(), fc.constantFrom('', '"', '{', '}', '\n', ' ', '\x00', 'é', '#', '\\', '1'))
  fc.assert(
    fc.property(pages(fc.constant('')), damage, ([good = '', ...rest], [where, what]) => {
      const harness = new Harness()
      harness.read(good, TEXT)
      for (const page of rest) {
        const at = where % (page.length + 1)
        const bad = page.slice(0, at) + what + page.slice(at + 1)
        assert.deepEqual(
          outcome(() => harness.read(bad, TEXT)),
          outcome(() => plain(bad, 'text')),
        )
        assert.deepEqual(harness.read(good, TEXT), plain(good, 'text'))
      }
    }),
    { numRuns: 500 },
  )
})

test('parsers answer any bytes with entries or an ExpositionError', () => {
  const soup = fc.array(
    fc.oneof(
      fc.constantFrom(...'a_:{}=",\\ \n\t#\x001.e+-'.split(''), '# HELP ', '# TYPE a counter', '# EOF', ' # {', 'NaN'),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(soup, fc.constantFrom<ExpositionFormat>('text', 'openmetrics'), (parts, format) => {
      const page = parts.join('')
      const harness = new Harness()
      const options = { ...TEXT, format }
      for (let scrape = 0; scrape < 2; scrape++) {
        assert.deepEqual(
          outcome(() => harness.read(page, options)),
          outcome(() => plain(page, format)),
        )
      }
    }),
    { numRuns: 3000 },
  )
})

test('readFloat() agrees with Number() bit for bit', () => {
  const out = new Float64Array(1)
  const decimal = fc
    .tuple(
      fc.constantFrom('', '-'),
      fc.bigInt({ min: 0n, max: 10n ** 19n }),
      fc.nat(19),
      fc.integer({ min: -30, max: 30 }),
    )
    .map(([sign, digits, point, exponent]) => {
      const text = String(digits).padStart(point + 1, '0')
      const cut = text.length - point
      return `${sign}${text.slice(0, cut)}${point > 0 ? `.${text.slice(cut)}` : ''}${exponent === 0 ? '' : `e${exponent}`}`
    })
  const text = fc.oneof(decimal, fc.double({ noNaN: true, noDefaultInfinity: true }).map(String))
  fc.assert(
    fc.property(text, (number) => {
      const page = bytesOf(`${number}\n`)
      assert.equal(readFloat(page, 0, out, 0), page.length - 1)
      assert.ok(Object.is(out[0], Number(number)), `${number} gives ${out[0]}`)
    }),
    { numRuns: 5000 },
  )
})

test('NaN is stored with the bits that Prometheus stores', () => {
  const harness = new Harness()
  for (let scrape = 0; scrape < 2; scrape++) {
    harness.read('a NaN\nb nan\n', TEXT)
    const words = new Uint32Array(harness.reader.values.buffer)
    assert.deepEqual([...words.subarray(0, 4)], [1, 0x7ff80000, 1, 0x7ff80000])
  }
})

test('a known page brings no new series; a new line brings one, with its family', () => {
  const harness = new Harness()
  harness.read('# TYPE a histogram\na_bucket{le="1"} 1\nother 2\n', TEXT)
  assert.deepEqual(
    harness.reader.newSeries.map(({ labels, family }) => [labels.join(), family]),
    [
      ['__name__,a_bucket,le,1.0', 'a'],
      ['__name__,other', ''],
    ],
  )
  harness.read('# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="2"} 1\nother 2\n', TEXT)
  assert.deepEqual(
    harness.reader.newSeries.map(({ labels }) => labels.join()),
    ['__name__,a_bucket,le,2.0'],
  )
  assert.equal(harness.reader.metadata.get('a')?.type, 'histogram')
})

test('a page with the order reversed is found by hash, then predicted', () => {
  const harness = new Harness()
  const lines = Array.from({ length: 50 }, (_, i) => `m{i="${i}"} ${i}\n`)
  harness.read(lines.join(''), TEXT)
  const reversed = lines.toReversed().join('')
  for (let scrape = 0; scrape < 2; scrape++) {
    assert.deepEqual(harness.read(reversed, TEXT), plain(reversed, 'text'))
    assert.equal(harness.reader.newSeries.length, 0)
  }
})

test('duplicates are counted and the first is kept; samples with timestamps of their own all count', () => {
  const harness = new Harness()
  const samples = harness.read('a 1\na 2\na 3 1000\na 4 2000\n', TEXT)
  assert.deepEqual(
    samples.map(({ value: v, timestampMs }) => [v, timestampMs]),
    [
      [1, null],
      [3, 1000],
      [4, 2000],
    ],
  )
  assert.deepEqual([harness.reader.scraped, harness.reader.duplicates, harness.reader.repeats], [4, 1, 2])
})

test('_created lines become start timestamps of their series', () => {
  const options = { ...OPENMETRICS, startTimestamps: true }
  const page = '# TYPE a counter\na_total{x="1"} 5\na_created{x="1"} 1.5\na_total{x="2"} 6\n# EOF\n'
  const harness = new Harness()
  for (let scrape = 0; scrape < 2; scrape++) {
    harness.read(page, options)
    assert.deepEqual([...(harness.reader.startTimestamps ?? [])], [1500, 0])
    assert.equal(harness.reader.scraped, 2)
  }
})

test('churn cannot grow the reader: forgotten lines are compacted, failed scrapes included', () => {
  const harness = new Harness()
  const stable = Array.from({ length: 200 }, (_, i) => `stable{i="${i}"} 1\n`).join('')
  let largest = 0
  for (let scrape = 0; scrape < 60; scrape++) {
    const churn = Array.from({ length: 500 }, (_, i) => `churn{i="${scrape}-${i}"} 1\n`).join('')
    const page = scrape % 3 === 2 ? `${stable}${churn}broken\n` : stable + churn
    const result = outcome(() => harness.read(page, TEXT))
    if (typeof result === 'string') harness.compact()
    else assert.deepEqual(result, plain(page, 'text'))
    largest = Math.max(largest, harness.reader.slotCount)
  }
  assert.ok(largest < 4000, `${largest} slots`)
})

const FIXTURES = path.join(
  process.env['HELIO_CONFORMANCE'] ?? path.resolve(import.meta.dirname, '../../../shared/conformance'),
  'exposition/fixtures',
)
const skip = existsSync(FIXTURES) ? false : `no conformance data at ${FIXTURES}`
for (const [file, options] of [
  ['alltypes.237mfs.prom.txt', TEXT],
  ['alltypes.237mfs.nometa.prom.txt', TEXT],
  ['alltypes.5mfs.om.txt', OPENMETRICS],
  ['1histogram.om.txt', OPENMETRICS],
] as const) {
  test(`PageReader reads the real page ${file} twice as the parser does`, { skip }, () => {
    const page = readFileSync(path.join(FIXTURES, file), 'utf8')
    const harness = new Harness()
    const wanted = plain(page, options.format)
    assert.ok(wanted.length > 10)
    for (let scrape = 0; scrape < 2; scrape++) assert.deepEqual(harness.read(page, options), wanted)
  })
}

test('a line of more than 256 KiB is refused, whether it ends or not', () => {
  const long = `x{a="${'y'.repeat(300_000)}"} 1`
  for (const page of [`${long}\n`, long, `# ${'y'.repeat(300_000)}\n`])
    assert.throws(
      () => new Harness().read(`a 1\n${page}`, TEXT),
      /^ExpositionError: a line of 300\d{3} bytes is longer than 262144 bytes$/,
    )
})

test('beyond maxLines new series are read over and counted, known ones are not', () => {
  const harness = new Harness()
  const page = (from: number): string => Array.from({ length: 50 }, (_, i) => `a{i="${from + i}"} ${i}\n`).join('')
  harness.read(page(0), TEXT)
  const got = harness.read(`b 1\n${page(100)}${page(0)}`, { ...TEXT, maxLines: 60 })
  assert.equal(harness.reader.scraped, 101)
  assert.ok(got.length >= 59 && got.length <= 61, `${got.length} samples`)
  assert.equal(got.filter(({ labels }) => /^__name__\xffa\xffi\xff\d{1,2}$/.test(labels)).length, 50)
  assert.deepEqual([...harness.reader.unread.keys()], ['a'])
})

test('a line whose rest is wrong has been scraped, and lines before it too', () => {
  const reader = new PageReader()
  const page = new TextEncoder().encode('a 1\nb 2  # {} 1\n# EOF\n')
  const options = { format: 'openmetrics', ignoreTimestamps: false, startTimestamps: false, typeAndUnitLabels: false }
  assert.throws(() => reader.read(page, options as Parameters<PageReader['read']>[1]), /valid start token/)
  assert.deepEqual([reader.scraped, reader.count], [2, 2])
})
