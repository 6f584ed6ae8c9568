/** An empty buffer for `SeriesReader.read`, which grows it. */
import type { SampleBuffer } from '../tsdb/contract.ts'

export function newSampleBuffer(capacity = 256): SampleBuffer {
  return {
    count: 0,
    times: new Float64Array(capacity),
    values: new Float64Array(capacity),
    flags: new Uint8Array(capacity),
    mixed: false,
    histograms: null,
    startTimes: null,
  }
}
