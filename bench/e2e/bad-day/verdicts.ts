/** What the crash tests hold against an export: of drivers sample for sample, of agents slot for slot. */

import { oracleValue } from '../oracle.ts'
import type { MatrixRow } from '../world.ts'
import { Driver } from './driver.ts'
import type { Gap } from './kit.ts'

export type DriverVerdict = {
  readonly storedSamples: number
  readonly ackedSamples: number
  readonly sentSamples: number
  /** Acknowledged samples that are not stored, and the batches they are missing from. */
  readonly lost: number
  readonly lostBatches: readonly number[]
  /** Samples stored that were never sent, with another value, twice, or out of order. */
  readonly problems: readonly string[]
}

/** What of a sender the verdict needs: its samples are `oracleValue(number, series)`, in batches of `samplesOf`. */
export type Sender = Pick<Driver, 'seriesCount' | 'sentCount' | 'numberAt'>

/**
 * @param acked sequences that were acknowledged before the export
 * @param forgottenBefore numbers below it may be missing: retention was asked to remove them
 */
export function judgeDriver(
  driver: Sender,
  rows: readonly MatrixRow[],
  acked: ReadonlySet<number>,
  forgottenBefore = 0,
): DriverVerdict {
  const problems: string[] = []
  if (rows.length !== driver.seriesCount)
    problems.push(`${rows.length} series are stored instead of ${driver.seriesCount}`)
  let storedSamples = 0
  let lost = 0
  const lostBatches = new Set<number>()
  for (const { metric, values } of rows) {
    const series = Number(metric['series'])
    const stored = new Uint8Array(driver.sentCount)
    let lastMs = Number.NEGATIVE_INFINITY
    for (const [seconds, text] of values) {
      const timeMs = Math.round(seconds * 1000)
      const n = driver.numberAt(timeMs)
      if (timeMs <= lastMs) problems.push(`series ${series} has ${timeMs} after ${lastMs}`)
      lastMs = timeMs
      if (!(Number.isInteger(n) && n >= 0 && n < driver.sentCount)) {
        problems.push(`series ${series} has a sample at ${timeMs} that was never sent`)
        continue
      }
      stored[n] = 1
      if (!Object.is(Number(text), oracleValue(n, series)))
        problems.push(`series ${series} holds ${text} for sample ${n} instead of ${oracleValue(n, series)}`)
    }
    storedSamples += values.length
    for (const sequence of acked) {
      const [from, to] = Driver.samplesOf(sequence)
      for (let n = from; n < to; n++) {
        if (stored[n] === 1 || n < forgottenBefore) continue
        lost++
        lostBatches.add(sequence)
      }
    }
  }
  return {
    storedSamples,
    ackedSamples: acked.size * (Driver.samplesOf(0)[1] - Driver.samplesOf(0)[0]) * driver.seriesCount,
    sentSamples: driver.sentCount * driver.seriesCount,
    lost,
    lostBatches: [...lostBatches].sort((a, b) => a - b),
    problems: problems.slice(0, 20),
  }
}

export type SlotVerdict = {
  readonly slots: number
  /** Slots without a sample, all of them in the ledger. */
  readonly missing: number
  readonly reasons: Readonly<Record<string, number>>
  readonly problems: readonly string[]
}

/**
 * Every slot between the first and the last stored scrape is either stored or in the ledger with a reason, never both.
 * @param timesMs of the stored scrapes, ascending
 */
export function judgeSlots(timesMs: readonly number[], gaps: readonly Gap[], intervalMs: number): SlotVerdict {
  const problems: string[] = []
  const offset = commonest(timesMs.map((timeMs) => timeMs % intervalMs))
  const slotOf = (timeMs: number): number => Math.floor((timeMs - offset) / intervalMs)
  const stored = new Set<number>()
  for (const timeMs of timesMs) {
    const slot = slotOf(timeMs)
    if (stored.has(slot)) problems.push(`slot ${slot} holds two scrapes, the second at ${timeMs}`)
    stored.add(slot)
  }
  const first = slotOf(timesMs[0] ?? 0)
  const last = slotOf(timesMs.at(-1) ?? 0)
  const listed = new Map<number, string>()
  const reasons: Record<string, number> = {}
  for (const gap of gaps) {
    if ((gap.fromMs - offset) % intervalMs !== 0 || gap.intervalMs !== intervalMs)
      problems.push(`a gap is not on the grid of the slots: ${JSON.stringify(gap)}`)
    for (let timeMs = gap.fromMs; timeMs <= gap.toMs; timeMs += intervalMs) {
      const slot = slotOf(timeMs)
      if (slot < first || slot > last) continue
      if (listed.has(slot)) problems.push(`slot ${slot} is listed twice`)
      listed.set(slot, gap.reason)
      reasons[gap.reason] = (reasons[gap.reason] ?? 0) + 1
      if (stored.has(slot))
        problems.push(
          `slot ${slot} is stored and listed as ${gap.reason}; stored around it: ${around(timesMs, timeMs)}`,
        )
    }
  }
  for (let slot = first; slot <= last; slot++)
    if (!stored.has(slot) && !listed.has(slot))
      problems.push(`slot ${slot} is nowhere; stored around it: ${around(timesMs, slot * intervalMs + offset)}`)
  return { slots: last - first + 1, missing: listed.size, reasons, problems: problems.slice(0, 20) }
}

/** Times near `timeMs`, as distances from it. */
function around(timesMs: readonly number[], timeMs: number): string {
  const near = timesMs.filter((each) => Math.abs(each - timeMs) < 4000)
  return `${timeMs} ${near.map((each) => `${each < timeMs ? '' : '+'}${each - timeMs}`).join(' ')}`
}

function commonest(numbers: readonly number[]): number {
  const counts = new Map<number, number>()
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1)
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 0
}
