/**
 * How the kernel steers the clock, from adjtimex(2). Layout: struct timex of a 64-bit Linux. Semantics: node_exporter
 * collector/timex.go (v1.12).
 */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { type Collector, kernelOf, NoDataError, type NodeContext, single } from './collector.ts'

const TIMEX_BYTES = 208
const TIME_ERROR = 5
const STA_NANO = 0x2000
const MICRO = 1e6
const NANO = 1e9
/** Frequencies are parts per million with 16 fractional bits. */
const PPM_16_FRAC = 1e6 * 65536
/** An offset beyond this many seconds is an overflow of some hypervisors' clocks. */
const OFFSET_OVERFLOW_S = 4

/** Offsets of the structure's fields: 64 bits where not told otherwise. */
const OFFSET = { offset: 8, freq: 16, maxerror: 24, esterror: 32, status: 40, constant: 48, tick: 88, ppsfreq: 96 }
const PPS = { jitter: 104, shift: 112, stabil: 120, jitcnt: 128, calcnt: 136, errcnt: 144, stbcnt: 152 }
const TAI = 160

export function timexCollector(context: NodeContext): Collector {
  let overflows = 0
  return {
    name: 'timex',
    update() {
      const bytes = new Uint8Array(TIMEX_BYTES)
      const state = readClock(context, bytes)
      const view = new DataView(bytes.buffer)
      const long = (at: number): number => Number(view.getBigInt64(at, true))
      const status = view.getInt32(OFFSET.status, true)
      const divisor = status & STA_NANO ? NANO : MICRO
      const offset = long(OFFSET.offset) / divisor
      if (Math.abs(offset) > OFFSET_OVERFLOW_S) overflows++
      const one = (type: FamilyType, name: string, help: string, value: number) =>
        single(type, `timex_${name}`, help, value)
      return [
        one('gauge', 'estimated_error_seconds', 'Estimated error in seconds.', long(OFFSET.esterror) / MICRO),
        one(
          'gauge',
          'frequency_adjustment_ratio',
          'Local clock frequency adjustment.',
          1 + long(OFFSET.freq) / PPM_16_FRAC,
        ),
        one('gauge', 'loop_time_constant', 'Phase-locked loop time constant.', long(OFFSET.constant)),
        one('gauge', 'maxerror_seconds', 'Maximum error in seconds.', long(OFFSET.maxerror) / MICRO),
        one(
          'counter',
          'offset_overflow_total',
          'Count of adjtimex() offset readings indicating kernel overflow (|offset| > 4s). See https://github.com/prometheus/node_exporter/issues/3764',
          overflows,
        ),
        one('gauge', 'offset_seconds', 'Time offset in between local system and reference clock.', offset),
        one('counter', 'pps_calibration_total', 'Pulse per second count of calibration intervals.', long(PPS.calcnt)),
        one('counter', 'pps_error_total', 'Pulse per second count of calibration errors.', long(PPS.errcnt)),
        one('gauge', 'pps_frequency_hertz', 'Pulse per second frequency.', long(OFFSET.ppsfreq) / PPM_16_FRAC),
        one('gauge', 'pps_jitter_seconds', 'Pulse per second jitter.', long(PPS.jitter) / divisor),
        one('counter', 'pps_jitter_total', 'Pulse per second count of jitter limit exceeded events.', long(PPS.jitcnt)),
        one('gauge', 'pps_shift_seconds', 'Pulse per second interval duration.', view.getInt32(PPS.shift, true)),
        one(
          'counter',
          'pps_stability_exceeded_total',
          'Pulse per second count of stability limit exceeded events.',
          long(PPS.stbcnt),
        ),
        one(
          'gauge',
          'pps_stability_hertz',
          'Pulse per second stability, average of recent frequency changes.',
          long(PPS.stabil) / PPM_16_FRAC,
        ),
        one('gauge', 'status', 'Value of the status array bits.', status),
        one(
          'gauge',
          'sync_status',
          'Is clock synchronized to a reliable server (1 = yes, 0 = no).',
          state === TIME_ERROR ? 0 : 1,
        ),
        one('gauge', 'tai_offset_seconds', 'International Atomic Time (TAI) offset.', view.getInt32(TAI, true)),
        one('gauge', 'tick_seconds', 'Seconds between clock ticks.', long(OFFSET.tick) / MICRO),
      ]
    },
  }
}

/** @returns the clock's state, with the structure filled in */
function readClock(context: NodeContext, bytes: Uint8Array): number {
  try {
    return kernelOf(context).adjtimex(bytes)
  } catch (error) {
    const { code } = error as { code?: string }
    if (code === 'EPERM' || code === 'EACCES') throw new NoDataError(`adjtimex may not be called: ${code}`)
    throw error
  }
}
