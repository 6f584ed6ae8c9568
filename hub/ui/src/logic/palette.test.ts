import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LabelSet } from './labels.ts'
import { assignSlots, DASHES, PALETTES } from './palette.ts'

const series = (count: number): LabelSet[] =>
  Array.from({ length: count }, (_, i) => ({ __name__: 'up', instance: `host-${i}:9100` }))

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(hex.slice(at, at + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

for (const [theme, ground] of [
  ['light', '#ffffff'],
  ['dark', '#111418'],
] as const)
  for (const color of PALETTES[theme])
    test(`${color} stands out from the ${theme} ground by 2.9:1 or more`, () =>
      // 3:1 (WCAG 1.4.11) within the rounding of the search that found them.
      assert.ok(contrast(color, ground) >= 2.9, `${contrast(color, ground)}`))

test('assignSlots() gives a series the same slot in any order', () => {
  const all = series(20)
  const slots = assignSlots(all)
  assert.deepEqual(assignSlots([...all].reverse()).reverse(), slots)
})

test('assignSlots() repeats no slot among the first 32, and no colour among the first eight', () => {
  assert.equal(new Set(assignSlots(series(8)).map((slot) => slot.color)).size, 8)
  assert.ok(assignSlots(series(8)).every((slot) => slot.dash === 0))
  const slots = assignSlots(series(32)).map((slot) => `${slot.color}/${slot.dash}`)
  assert.equal(new Set(slots).size, 8 * DASHES.length)
  const many = assignSlots(series(1000))
  assert.ok(many.length === 1000 && many.every(({ dash }) => dash === 0), 'no dashes where they tell nothing apart')
  for (let color = 0; color < 8; color++) assert.ok(many.filter((slot) => slot.color === color).length > 80)
})
