import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sharedDelayMs } from './shared-delay.ts'

for (const [everyMs, nowMs, delayMs] of [
  [1000, 5250, 750],
  [5000, 5250, 4750],
  [1000, 5000, 1000],
  [1000, 4999.5, 1001],
  [1000, 5250.7, 750],
  [1000, 4998, 2],
] as const)
  test(`every ${everyMs} ms, at ${nowMs}, is in ${delayMs}`, () => assert.equal(sharedDelayMs(everyMs, nowMs), delayMs))
