/** The short way of lines seen before must come to the same as the long one, whatever the lines are. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Clock } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { temporaryFolder, testClock, testEnv } from '../testing/env.ts'
import { createStatsdExporter, type StatsdExporter } from './mod.ts'
import { type LineParts, readParts } from './routes.ts'

const folder = temporaryFolder()
const mappings = path.join(folder, 'mapping.yml')
fs.writeFileSync(
  mappings,
  `defaults: {ttl: 5s, observer_type: histogram}
mappings:
- {match: "a.*.b", name: a_b, labels: {xx: $1}, scale: 2}
- {match: "drop.*", name: x, action: drop}
- {match: "down.*", name: down, scale: -1}
- {match: "sum.*", name: "sum_$1", observer_type: summary, ttl: 0s}
`,
)

function exporterAt(time: { ms: number }): StatsdExporter {
  const clock: Clock = { ...testClock, monotonic: () => time.ms }
  return createStatsdExporter({ ...testEnv, clock, flags: { 'statsd.mapping-config': mappings } })
}

const encoder = new TextEncoder()
const oneOf = fc.constantFrom
const line = fc
  .tuple(
    oneOf(
      'a.1.b',
      'a.2.b',
      'drop.x',
      'down.y',
      'sum.q',
      'plain',
      'tagged,k=v',
      'lib#a=b',
      'sfx[a=b]c',
      '',
      'ünï',
      'bad-name',
      '9x',
    ),
    oneOf(
      '1',
      '0',
      '-3',
      '+4',
      '2.5',
      '.5',
      '5.',
      '1e3',
      '12345678901234567890',
      '0.1',
      'NaN',
      'x',
      '',
      '1:2',
      '007',
      '1.2.3',
    ),
    oneOf(
      'c',
      'g',
      'ms',
      'h',
      'd',
      's',
      '',
      'c|@0.1',
      'ms|@0.5',
      'g|@0.5',
      'c|@x',
      'c|@0',
      'c|@-1',
      'h|@2',
      'c|#t:1',
      'c|#t:1|@0.5',
    ),
    oneOf('', '|#t:1,u', '|T123', '|Tx', '|c:abc', '|c:', '|', '|@0.1', '|#'),
  )
  .map(([name, value, type, rest]) => `${name}:${value}|${type}${rest}`)
const packet = fc.array(fc.oneof({ weight: 9, arbitrary: line }, { weight: 1, arbitrary: fc.string() }), {
  minLength: 1,
  maxLength: 4,
})
const steps = fc.array(fc.tuple(packet, fc.nat(4000)), { minLength: 1, maxLength: 40 })

/** But for the cache of mappings, which counts otherwise, and how many batches there were. */
const shown = async (exporter: StatsdExporter): Promise<string> =>
  formatExposition(await exporter.collect()).replace(/^(?:# \w+ )?statsd_metric_mapper_cache.*\n/gm, '')

test('lines seen before come to what they came to at first', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const time = { ms: 0 }
      const [learning, forgetful] = [exporterAt(time), exporterAt(time)]
      for (const [lines, ms] of all) {
        time.ms += ms
        const bytes = encoder.encode(lines.join('\n'))
        learning.handlePacket(bytes, 'udp')
        // A reload forgets every way, and keeps the series.
        forgetful.reload()
        forgetful.handlePacket(bytes, 'udp')
        if (ms % 7 === 0) await learning.collect().then(() => forgetful.collect())
      }
      const withoutReloads = (page: string): string => page.replace(/^.*config_reloads_total.*\n/gm, '')
      assert.equal(withoutReloads(await shown(learning)), withoutReloads(await shown(forgetful)))
    }),
    { numRuns: 300 },
  )
})

const noParts = (): LineParts => ({ start: 0, colon: 0, bar: 0, end: 0, value: 0, hash: 0 })

test('a line ends with the first newline, and is read as it is alone', () => {
  fc.assert(
    fc.property(fc.oneof(line, fc.string()), fc.string(), (text, more) => {
      const [alone, first] = [noParts(), noParts()]
      const bytes = encoder.encode(`${text}\n${more}`)
      const end = bytes.indexOf(0x0a)
      const isPlain = readParts(bytes.slice(0, end), 0, end, alone)
      assert.equal(readParts(bytes, 0, bytes.length, first), isPlain)
      assert.deepEqual(first, alone)
      assert.equal(first.end, end)
    }),
  )
})

test('plain numbers are read as JavaScript reads them', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^\d{1,10}(\.\d{0,5})?$/), (text) => {
      const bytes = encoder.encode(`n:${text}|c`)
      const parts = noParts()
      assert.ok(readParts(bytes, 0, bytes.length, parts))
      assert.equal(parts.value, Number(text))
    }),
  )
})

test('a flood of names is forgotten in time, and nothing is lost', async () => {
  const exporter = exporterAt({ ms: 0 })
  for (let i = 0; i < 40_000; i++) exporter.handlePacket(encoder.encode(`flood.n${i % 20_000}:1|c`), 'udp')
  const page = await shown(exporter)
  assert.equal(page.match(/^flood_n\d+ 2$/gm)!.length, 20_000)
})
