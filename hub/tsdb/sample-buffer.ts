/** Growth of the caller's sample buffers. */
import type { SampleBuffer } from './contract.ts'

export function createSampleBuffer(capacity = 256): SampleBuffer {
  return {
    count: 0,
    times: new Float64Array(capacity),
    values: new Float64Array(capacity),
    flags: new Uint8Array(capacity),
    mixed: false,
    histograms: null,
    startTimes: null,
    timesKey: 0,
    rising: 0,
  }
}

/** Makes room for `capacity` samples; the first `count` are kept. */
export function ensureCapacity(out: SampleBuffer, capacity: number): void {
  if (capacity <= out.times.length) return
  const size = Math.max(capacity, out.times.length * 2)
  out.times = grown(out.times, size)
  out.values = grown(out.values, size)
  const flags = new Uint8Array(size)
  flags.set(out.flags)
  out.flags = flags
  if (out.startTimes) out.startTimes = grown(out.startTimes, size)
}

function grown(from: Float64Array, size: number): Float64Array {
  const to = new Float64Array(size)
  to.set(from)
  return to
}

/** To a read that has found nothing yet. */
export function reset(out: SampleBuffer): void {
  out.count = 0
  out.mixed = false
  out.histograms = null
  out.before = undefined
  out.startTimes = null
  out.timesKey = 0
  out.rising = 0
}
