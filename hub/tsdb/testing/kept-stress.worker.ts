/**
 * A reading thread for kept-stress.test.ts. Each series is read as queries read it, with what was decoded before, and by
 * a decoder that keeps nothing; where the writer did not change it in between, both have the same. Whatever the writer
 * does, a value is that of its labels and its time.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { labelValue } from '../../../protocol/labels/mod.ts'
import { C_DROPS, C_EVICTED_F64, C_FLOOR_F64, GROUPS, S_LABELS, S_STATE, S_VERSION, SERIES } from '../layout.ts'
import { Memory } from '../memory.ts'
import { createSampleBuffer, openReader, type ReaderShare, StalePagesError } from '../mod.ts'
import { SeriesDecoder } from '../series-reader.ts'
import { Table } from '../table.ts'
import { bitsAt } from './kept-stress.ts'

const { flag, owner } = workerData as { flag: Int32Array; owner: number; share: ReaderShare }
let { share } = workerData as { share: ReaderShare }
const [kept, plain] = [createSampleBuffer(), createSampleBuffer()]
const wanted = new Uint32Array(2)
const errors: string[] = []
const counts = { reads: 0, samples: 0, compared: 0, stalePages: 0, drops: 0 }
const timesOf = new Map<number, string>()
let seed = owner

parentPort!.on('message', (message: ReaderShare) => {
  share = message
})

function random(n: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((seed / 2 ** 32) * n)
}

function wordsOf({ values, count }: { values: Float64Array; count: number }): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, 2 * count)
}

function checkValues(name: string): void {
  const id = Number(name)
  const words = wordsOf(kept)
  for (let i = 0; i < kept.count; i++) {
    const time = kept.times[i]!
    if (i > 0 && time <= kept.times[i - 1]!) errors.push(`series ${name}: ${time} after ${kept.times[i - 1]}`)
    if (kept.flags[i] === 2) {
      if (kept.histograms?.[i]?.sum !== time) errors.push(`series ${name}: another's histogram at ${time}`)
      continue
    }
    bitsAt(id, time, wanted)
    if (words[2 * i] !== wanted[0] || words[2 * i + 1] !== wanted[1])
      errors.push(`series ${name} at ${time}: ${kept.values[i]} (${words[2 * i]}, ${words[2 * i + 1]})`)
    if (errors.length > 3) return
  }
  const { timesKey = 0, rising = 0 } = kept
  for (let i = 0; i < rising; i++)
    if (kept.flags[i] !== 0 || !(kept.values[i]! >= (kept.values[i - 1] ?? -Infinity)))
      errors.push(`series ${name}: not rising at ${i} of ${rising}`)
  if (timesKey === 0 || timesOf.size > 20_000) return
  const text = kept.times.subarray(0, kept.count).join()
  if ((timesOf.get(timesKey) ?? text) !== text) errors.push(`series ${name}: other times under key ${timesKey}`)
  timesOf.set(timesKey, text)
}

function compare(name: string): void {
  const n = kept.count
  const [a, b] = [wordsOf(kept), wordsOf(plain)]
  // The decoder that keeps nothing sees what is not published yet.
  if (plain.count < n) errors.push(`series ${name}: ${n} samples where ${plain.count} are stored`)
  if (plain.count > n + 1) errors.push(`series ${name}: ${n} samples of ${plain.count}`)
  for (let i = 0; i < n; i++) {
    if (
      kept.times[i] !== plain.times[i] ||
      a[2 * i] !== b[2 * i] ||
      a[2 * i + 1] !== b[2 * i + 1] ||
      kept.flags[i] !== plain.flags[i] ||
      (kept.startTimes?.[i] ?? 0) !== (plain.startTimes?.[i] ?? 0)
    ) {
      errors.push(`series ${name}: sample ${i} of ${n} is another`)
      return
    }
  }
  counts.compared++
}

function round(mem: Memory, series: Table, decoder: SeriesDecoder, hasLeft: boolean): void {
  const reader = openReader(share, { owner })
  try {
    const end = reader.timeRange()?.maxTime ?? 0
    const isAll = random(2) === 0
    const minTime = isAll ? -Infinity : end - random(4_000_000)
    const range = { minTime, maxTime: isAll || random(2) === 0 ? Infinity : minTime + random(3_000_000) }
    const state = (record: number): string =>
      [
        mem.load(record + S_VERSION),
        mem.load(record + S_STATE),
        mem.load(record + S_LABELS),
        Atomics.load(mem.control, C_DROPS),
        mem.controlF64[C_FLOOR_F64],
        mem.controlF64[C_EVICTED_F64],
      ].join()
    for (const ref of reader.select([{ name: '__name__', op: '=', value: 'x' }], range)) {
      const record = series.addr(ref)
      const name = labelValue(reader.labels(ref), 'id')
      for (let again = random(3); again >= 0; again--) {
        const before = record === 0 ? '' : state(record)
        reader.read(ref, range, kept)
        if (name === '') {
          if (kept.count > 0) errors.push(`series ${ref} has samples and no labels`)
          continue
        }
        checkValues(name)
        counts.reads++
        counts.samples += kept.count
        if (hasLeft || record === 0) continue
        decoder.read(record, range.minTime, range.maxTime, plain)
        if (state(record) === before) compare(name)
      }
      if (errors.length > 0) return
    }
  } catch (error) {
    if (!(error instanceof StalePagesError)) throw error
    counts.stalePages++
  } finally {
    reader.release()
  }
}

function loop(): void {
  for (let i = 0; i < 4 && errors.length === 0; i++) {
    // Anew each time: it remembers nothing of ids.
    const mem = new Memory(share.control, share.pages)
    round(mem, new Table(mem, SERIES), new SeriesDecoder(mem, new Table(mem, GROUPS), true), false)
  }
  Atomics.store(flag, owner, counts.compared)
  if (errors.length > 0) Atomics.store(flag, 0, 1)
  if (Atomics.load(flag, 0) === 0) {
    setImmediate(loop)
    return
  }
  parentPort!.postMessage({ counts, errors })
  parentPort!.close()
}
loop()
