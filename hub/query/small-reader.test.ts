/** Readers that end what would hold the thread: before it is read, where that can be told. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { EMPTY_HISTOGRAM } from '../../protocol/samples/mod.ts'
import { createHead, createSampleBuffer, openReader } from '../tsdb/mod.ts'
import { DelegatingReader } from './delegating-reader.ts'
import { BoundedReader, NewestReader, TooLarge } from './small-reader.ts'

const INTERVAL_MS = 1000
const SAMPLES = 4000
const head = createHead({ maxBytes: 2 ** 28 })
const floats = head.series(labelsFrom({ __name__: 'floats' }))
const histograms = head.series(labelsFrom({ __name__: 'histograms' }))
for (let t = 0; t < SAMPLES; t++) {
  head.appendFloat(floats, t * INTERVAL_MS, Float64Array.of(t), 0, 0)
  head.appendHistogram(histograms, t * INTERVAL_MS, { ...EMPTY_HISTOGRAM, count: t, sum: t }, 0)
}
head.publish()

class Spy extends DelegatingReader {
  reads = 0
  override read(...args: Parameters<DelegatingReader['read']>): void {
    this.reads++
    super.read(...args)
  }
}

function withSpy(test: (spy: Spy, reader: BoundedReader) => void): void {
  const spy = new Spy(openReader(head.share()))
  try {
    test(spy, new BoundedReader(spy, () => false))
  } finally {
    spy.release()
  }
}

const whole = { minTime: 0, maxTime: SAMPLES * INTERVAL_MS }

test('readWeight() is about what a read decodes, histograms counting as many', () =>
  withSpy((spy) => {
    const of = (ref: number, maxTime: number): number => spy.readWeight(ref, { minTime: 0, maxTime })
    assert.ok(of(floats, whole.maxTime) >= SAMPLES && of(floats, whole.maxTime) < 2 * SAMPLES)
    assert.ok(of(floats, 10_000) < SAMPLES)
    assert.ok(of(histograms, whole.maxTime) > 10 * SAMPLES)
    assert.equal(spy.readWeight(999, whole), 0)
  }))

test('a series of many samples is read, one of as many histograms is not', () =>
  withSpy((spy, reader) => {
    const out = createSampleBuffer(16)
    reader.read(floats, whole, out)
    assert.equal(out.count, SAMPLES)
    assert.throws(() => reader.read(histograms, whole, out), TooLarge)
    assert.equal(spy.reads, 1)
  }))

test('short ranges are read until they are too many together', () =>
  withSpy((spy, reader) => {
    const out = createSampleBuffer(16)
    const range = { minTime: 0, maxTime: 60_000 }
    assert.throws(() => {
      for (;;) reader.read(histograms, range, out)
    }, TooLarge)
    assert.ok(spy.reads > 2 && spy.reads < 20, `${spy.reads} reads`)
  }))

test('labels of many series end when it is late', () =>
  withSpy((spy) => {
    let looks = 0
    const reader = new BoundedReader(spy, () => ++looks === 3)
    let labels = 0
    assert.throws(() => {
      for (; ; labels++) reader.labels(floats)
    }, TooLarge)
    assert.ok(labels > 2 && labels < 1000)
  }))

test('what may be in blocks is not selected', () =>
  withSpy((spy) => {
    const reader = new NewestReader(spy, 1000)
    const matchers = [{ name: '__name__', op: '=', value: 'floats' }] as const
    const after = { minTime: 1001, maxTime: 5000 }
    const before = { minTime: 1000, maxTime: 5000 }
    assert.equal(reader.select(matchers, after).length, 1)
    assert.deepEqual(reader.labelNames(matchers, after), ['__name__'])
    assert.deepEqual(reader.labelValues('__name__', matchers, after), ['floats'])
    assert.throws(() => reader.select(matchers, before), TooLarge)
    assert.throws(() => reader.labelNames(matchers, before), TooLarge)
    assert.throws(() => reader.labelValues('__name__', matchers, before), TooLarge)
  }))
