/**
 * How fast does a remote write become columns: snappy alone, and protobuf with and without label strings?
 *
 *     node_modules/.bin/node bench/protocol/remote-write.bench.ts
 *
 * 2,000 series of ten labels, one sample each, as Prometheus sends them. Median and spread of nine rounds.
 */
import { labelsFrom } from '../../protocol/labels/mod.ts'
import {
  encodeWriteRequest,
  snappyCompress,
  snappyDecompress,
  WriteRequestDecoder,
} from '../../protocol/remote-write/mod.ts'

const SERIES_COUNT = 2000
const ROUNDS = 9
const REPEATS = 50

function main(): void {
  const series = Array.from({ length: SERIES_COUNT }, (_, i) => ({
    labels: labelsFrom({
      __name__: `http_requests_total_${i % 50}`,
      instance: `host-${i % 100}:9100`,
      job: 'node',
      region: 'eu-central-1',
      zone: `eu-central-1${'abc'[i % 3]}`,
      service: `service-${i % 20}`,
      method: i % 2 ? 'GET' : 'POST',
      code: String(200 + (i % 7)),
      handler: `/api/v1/handler/${i % 40}`,
      pod: `pod-${i}`,
    }),
    timestamps: [1_700_000_000_000 + i],
    values: Float64Array.of(i * 1.5),
  }))
  const body = encodeWriteRequest(series)
  const block = snappyCompress(body)
  const decoder = new WriteRequestDecoder()
  const request = decoder.decode(snappyDecompress(block))
  if (request.values[7] !== 10.5 || request.labels(7).labels?.length !== 20) throw new Error('BUG: wrong answer')
  console.log(`${SERIES_COUNT} series, ${body.length} bytes, snappy ${block.length} bytes`)
  row('snappy compress, MB/s', body.length / 1e6, () => snappyCompress(body).length)
  row('snappy decompress, MB/s', body.length / 1e6, () => snappyDecompress(block).length)
  row('encode, M samples/s', SERIES_COUNT / 1e6, () => encodeWriteRequest(series).length)
  row('decode to columns, M samples/s', SERIES_COUNT / 1e6, () => decoder.decode(body).values[1]!)
  row('decode with label strings, M samples/s', SERIES_COUNT / 1e6, () => {
    const decoded = decoder.decode(body)
    let count = 0
    for (let s = 0; s < decoded.seriesCount; s++) count += decoded.labels(s).labels!.length
    return count
  })
}

function row(name: string, amount: number, run: () => number): void {
  const speeds: number[] = []
  let sink = 0
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    for (let i = 0; i < REPEATS; i++) sink += run()
    speeds.push((amount * REPEATS * 1000) / (performance.now() - start))
  }
  speeds.sort((a, b) => a - b)
  if (sink === Number.NEGATIVE_INFINITY) console.log(sink)
  const at = (i: number): string => speeds[i]!.toFixed(2)
  console.log(`${name.padEnd(40)} ${at(ROUNDS >> 1)} [${at(0)}-${at(ROUNDS - 1)}]`)
}

main()
