/**
 * Remote write 1.0 and 2.0 beside a real Prometheus, one request after the other to each: the same status, the same text,
 * the same counts. What differs on purpose says why.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Request1, Request2 } from '../../hub/ingest/testing/write-messages.ts'
import { snappyCompress } from '../../protocol/remote-write/mod.ts'
import { lacks, type Server, withWorld } from './world.ts'

const NOW = Date.now()
const at = (ms: number, value = 1): object => ({ timestamp: NOW + ms, value })
const histogram = (ms: number, sum = 1): object => ({
  timestamp: NOW + ms,
  countInt: 3,
  sum,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveDeltas: [1, 1],
})
const SYMBOLS = ['', '__name__', 'a', 'b', 'x', 'y z', 'ü "q"\n']
const [A, B] = [
  [1, 2, 4, 5],
  [1, 3, 5, 6],
]
const labels = (name: string): object[] => [
  { name: '__name__', value: name },
  { name: 'x', value: 'y z' },
]

type Row = {
  readonly what: string
  readonly version: 1 | 2
  readonly series?: readonly object[]
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
  readonly differs?: { readonly because: string; readonly ignore: readonly ('text' | 'written')[] }
}

const v1 = (what: string, ...series: object[]): Row => ({ what, version: 1, series })
const v2 = (what: string, ...series: object[]): Row => ({ what, version: 2, series })
const UNREAD = { because: 'what a decoder says of bytes that are none is its own', ignore: ['text'] } as const

// One after the other, so that what was stored before has its say. Not here: references that lead nowhere end 3.5's handler.
const ROWS: readonly Row[] = [
  v1('samples', { labels: labels('one'), samples: [at(0), at(1)] }),
  v1('the newest again', { labels: labels('one'), samples: [at(1)] }),
  v1('another value', { labels: labels('one'), samples: [at(1, 2.5)] }),
  v1('an older one', { labels: labels('one'), samples: [at(-1)] }),
  v1(
    'two faults',
    { labels: labels('one'), samples: [at(-1)] },
    { labels: labels('two'), samples: [at(0), at(0, 1e6)] },
  ),
  v1('no name', { labels: [{ name: 'x', value: 'y' }], samples: [at(0)] }),
  v1('a label twice', { labels: [...labels('three'), { name: 'x', value: 'y' }], samples: [at(0)] }),
  v1('the far future', { labels: labels('four'), samples: [at(3_600_000)] }),
  v1('a histogram', { labels: labels('five'), histograms: [histogram(0)] }),
  v1('the histogram again', { labels: labels('five'), histograms: [histogram(0)] }),
  v1('another histogram', { labels: labels('five'), histograms: [histogram(0, 2)] }),
  v1('a float where a histogram is', { labels: labels('five'), samples: [at(0, -0.00001)] }),
  v1('a histogram of before', { labels: labels('five'), histograms: [histogram(-5)] }),
  v1('nothing'),
  v2('samples and histograms', { labelsRefs: A, samples: [at(0)] }, { labelsRefs: B, histograms: [histogram(0)] }),
  v2('the same again', { labelsRefs: A, samples: [at(0)] }, { labelsRefs: B, histograms: [histogram(0)] }),
  v2(
    'other values, and good ones',
    { labelsRefs: A, samples: [at(0, 123456789), at(1, 0.1)] },
    { labelsRefs: B, histograms: [histogram(0, 5), histogram(1)] },
  ),
  v2('floats and histograms in one', { labelsRefs: [1, 4], samples: [at(0)], histograms: [histogram(1)] }),
  v2(
    'several faults',
    { labelsRefs: A, samples: [at(-1), at(2), at(3_600_000)] },
    { labelsRefs: [4, 5], samples: [at(0)] },
    { labelsRefs: [1, 0], samples: [at(0)] },
    { labelsRefs: [1, 2, 4, 5, 4, 5], samples: [at(0)] },
    { labelsRefs: B, histograms: [histogram(-1)], samples: [at(1)] },
  ),
  v2('nothing'),
  { what: 'no protobuf', version: 1, body: snappyCompress(Uint8Array.of(10, 200)), differs: UNREAD },
  { what: 'no snappy', version: 1, body: Uint8Array.of(255, 255, 255, 255, 255), differs: UNREAD },
  {
    what: 'no protobuf',
    version: 2,
    body: snappyCompress(Uint8Array.of(42, 200)),
    differs: { because: '3.14 says that nothing is written, 3.5 said nothing', ignore: ['text', 'written'] },
  },
  { ...v1('another type'), headers: { 'content-type': 'text/plain' } },
  { ...v1('a bare type'), headers: { 'content-type': 'application/x-protobuf;version=1;x' } },
  {
    ...v1('another message'),
    headers: { 'content-type': 'application/x-protobuf;proto=yolo' },
    differs: { because: '3.14 says "unknown type for remote write protobuf message"', ignore: ['text'] },
  },
  {
    ...v1('another encoding'),
    headers: { 'content-encoding': 'gzip' },
    differs: { because: 'zstd is taken as well, and named', ignore: ['text'] },
  },
]

const TYPES = { 1: 'application/x-protobuf', 2: 'application/x-protobuf;proto=io.prometheus.write.v2.Request' } as const

function bodyOf({ version, series, body }: Row): Uint8Array {
  if (body) return body
  const Request = version === 1 ? Request1 : Request2
  const message = version === 1 ? { timeseries: series } : { symbols: SYMBOLS, timeseries: series }
  return snappyCompress(Request.encode(Request.fromObject(message)).finish())
}

async function post({ url }: Server, row: Row): Promise<object> {
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': TYPES[row.version], 'content-encoding': 'snappy', ...row.headers },
    body: bodyOf(row) as Uint8Array<ArrayBuffer>,
  })
  const text = await response.text()
  const ignores = (what: 'text' | 'written'): boolean => row.differs?.ignore.includes(what) ?? false
  const written = ['samples', 'histograms', 'exemplars'].map((what) =>
    response.headers.get(`x-prometheus-remote-write-${what}-written`),
  )
  return {
    status: response.status,
    text: ignores('text') ? '' : text,
    // 1.0 has none of them.
    written: row.version === 1 || ignores('written') ? null : written,
  }
}

test('the receiver of remote write answers as Prometheus', { skip: lacks('prometheus') }, async (t) => {
  await withWorld(async (world) => {
    const config = 'storage: { tsdb: { out_of_order_time_window: 0s } }\n'
    const flags = ['--web.enable-remote-write-receiver', '--enable-feature=native-histograms']
    const [hub, prometheus] = await Promise.all([
      world.startHub({ config, flags }),
      world.startPrometheus({ config, flags }),
    ])
    for (const row of ROWS) {
      await t.test(`${row.version}.0: ${row.what}`, async () => {
        const [ours, theirs] = [await post(hub, row), await post(prometheus, row)]
        assert.deepEqual(ours, theirs)
      })
    }
  })
})
