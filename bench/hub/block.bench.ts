/**
 * How small are blocks, and how fast are they written and read? Bytes a sample of a two-hour block of series shaped as
 * a node exporter's (two in three rarely change), or of real scrapes when a folder of them (`1.txt`, `2.txt`…) is given.
 *
 * Run: node_modules/.bin/node --expose-gc bench/hub/block.bench.ts [targets=20] [scrapes=480] [folder of scrapes]
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { nodeDisk } from '../../agent/env/mod.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { openBlock, writeBlock } from '../../hub/block/mod.ts'
import { createHead, createSampleBuffer, openReader } from '../../hub/tsdb/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { nextValues, nodeRandom } from './node-values.ts'

const targets = Number(process.argv[2] ?? 20)
const scrapes = Number(process.argv[3] ?? 480)
const folder = process.argv[4]
const PER_TARGET = 1000
const random = nodeRandom()
const ALL = { minTime: -Infinity, maxTime: Infinity }
const START = 7_200_000 * 236_111

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(46)} ${figure}`)
}

type Column = { readonly names: readonly string[]; readonly values: Float64Array }

/** Of a real exporter: the text of every series, and a column of values a scrape. */
function* realScrapes(path: string): Generator<Column> {
  for (let i = 1; i <= Math.min(scrapes, readdirSync(path).length); i++) {
    let lines: string[]
    try {
      lines = readFileSync(`${path}/${i}.txt`, 'utf8').trim().split('\n')
    } catch {
      return
    }
    const names = lines.map((line) => line.slice(0, line.lastIndexOf(' ')))
    yield { names, values: Float64Array.from(lines, (line) => Number(line.slice(line.lastIndexOf(' ') + 1))) }
  }
}

function* madeScrapes(): Generator<Column> {
  const values = new Float64Array(PER_TARGET)
  const names = Array.from(
    { length: PER_TARGET },
    (_, i) => `node_metric_${i % 250}_total{cpu="${i % 40}",device="dev${i >> 8}",mode="m${i % 7}"}`,
  )
  for (let s = 0; s < scrapes; s++) {
    nextValues(values, s === 0, random)
    yield { names, values: values.slice() }
  }
}

const head = createHead()
const refsOf = new Map<string, number>()
let samples = 0
for (let t = 0; t < targets; t++) {
  let scrape = 0
  for (const { names, values } of folder ? realScrapes(folder) : madeScrapes()) {
    const refs = Uint32Array.from(names, (name) => {
      const key = `${t} ${name}`
      let ref = refsOf.get(key)
      if (ref === undefined) {
        const pairs: [string, string][] = [
          ['__name__', /^[^{]*/.exec(name)![0]],
          ['instance', `host-${t}.example.org:9100`],
          ['job', 'node'],
        ]
        for (const [, label, value] of name.matchAll(/(\w+)="([^"]*)"/g)) pairs.push([label!, value!])
        refsOf.set(key, (ref = head.series(labelsFrom(pairs))))
      }
      return ref
    })
    // A scrape is some milliseconds early or late.
    const time = START + scrape * 15_000 + 37 * t + Math.floor(random.next() * 4)
    samples += head.appendColumn(time, refs, values, refs.length)
    scrape++
  }
}
head.publish()
const directory = mkdtempSync(`${tmpdir()}/block-bench-`)
const env = { disk: nodeDisk, compressor: runtimeZstd }
try {
  const reader = openReader(head.share())
  let from = performance.now()
  const range = { minTime: START, maxTime: START + 7_200_000 + 60_000 }
  const meta = writeBlock(env, directory, reader, { range, sequence: 1, level: 1, sources: [] })!
  const spent = performance.now() - from
  if (meta.stats.samples !== samples) throw new Error('BUG: samples are missing')
  print('series, samples', `${meta.stats.series}, ${samples}`)
  print('write', `${(samples / spent / 1000).toFixed(1)} M samples/s`)
  print(
    'index',
    `${(meta.indexBytes / samples).toFixed(3)} B/sample, ${(meta.indexBytes / meta.stats.series).toFixed(1)} B/series`,
  )
  print('chunks', `${(meta.chunksBytes / samples).toFixed(3)} B/sample`)
  print('block', `${((meta.indexBytes + meta.chunksBytes) / samples).toFixed(3)} B/sample`)
  from = performance.now()
  const block = openBlock(env, `${directory}/${meta.id}`)
  print('open', `${(performance.now() - from).toFixed(1)} ms`)
  const out = createSampleBuffer()
  const expected = createSampleBuffer()
  const refs = block.select([], ALL)
  let sink = 0
  for (const what of ['read, first', 'read, again']) {
    from = performance.now()
    for (const ref of refs) {
      block.read(ref, ALL, out)
      sink += out.values[out.count - 1]!
    }
    print(what, `${(samples / (performance.now() - from) / 1000).toFixed(0)} M samples/s`)
  }
  const byLabels = new Map([...reader.select([], ALL)].map((ref) => [reader.labels(ref).join('\0'), ref]))
  for (const ref of refs) {
    block.read(ref, ALL, out)
    reader.read(byLabels.get(block.labels(ref).join('\0'))!, ALL, expected)
    for (let i = 0; i < expected.count; i++)
      if (!Object.is(out.values[i], expected.values[i]) || out.times[i] !== expected.times[i])
        throw new Error('BUG: wrong answer')
  }
  if (Number.isNaN(sink)) print('NaN met', '')
} finally {
  rmSync(directory, { recursive: true })
}
