import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExposition } from '../../protocol/exposition/mod.ts'
import { SimulatedHost } from './host-model.ts'

const dec = new TextDecoder()

test('a seed and the number of the scrape fix the page', () => {
  const [a, b, other] = [7, 7, 8].map((seed) => new SimulatedHost({ seed, series: 600 }))
  for (let i = 0; i < 60; i++) {
    const page = a!.next()
    assert.deepEqual(page, b!.next())
    assert.notDeepEqual(page, other!.next())
  }
})

for (const series of [500, 1000, 3000])
  test(`a page of ${series} series parses, and holds what it says`, () => {
    const host = new SimulatedHost({ seed: 1, series, gapEvery: 0 })
    const { body, families } = host.next()
    const totals = new Map<string, { samples: number; sum: number }>()
    for (const [name, value] of valuesOf(body!)) {
      const family = name.split('{')[0]!
      const { samples, sum } = totals.get(family) ?? { samples: 0, sum: 0 }
      totals.set(family, { samples: samples + 1, sum: sum + value })
    }
    assert.deepEqual(totals, new Map(families.map(({ name, samples, sum }) => [name, { samples, sum }])))
    assert.equal(
      families.reduce((total, { samples }) => total + samples, 0),
      series,
    )
  })

test('between two scrapes a fifth to a third of the series change, and counters never fall', () => {
  const host = new SimulatedHost({ seed: 3, series: 1000, gapEvery: 0 })
  let before = valuesOf(host.next().body!)
  for (let i = 0; i < 10; i++) {
    const after = valuesOf(host.next().body!)
    let changed = 0
    for (const [name, value] of after) {
      const old = before.get(name)
      if (old !== undefined && old !== value) changed++
      if (old !== undefined && /_total[{ ]?/.test(name)) assert.ok(value >= old, `${name} fell from ${old} to ${value}`)
    }
    assert.ok(changed > after.size / 5 && changed < after.size / 3, `${changed} of ${after.size} changed`)
    before = after
  }
})

test('containers come and go, and some scrapes are not answered', () => {
  const host = new SimulatedHost({ seed: 5, series: 1000, containerLife: 20, gapEvery: 50 })
  const names = new Set<string>()
  const sizes = new Set<number>()
  let gaps = 0
  for (let i = 0; i < 150; i++) {
    const { body, families } = host.next()
    if (body === null) gaps++
    else {
      sizes.add(families.reduce((total, { samples }) => total + samples, 0))
      for (const match of dec.decode(body).matchAll(/device="(veth[0-9a-f]+)"/g)) names.add(match[1]!)
    }
  }
  assert.equal(gaps, 3)
  assert.ok(names.size >= 12 && names.size <= 18, `${names.size} containers`)
  assert.ok(sizes.size >= 2)
})

function valuesOf(body: Uint8Array): Map<string, number> {
  const values = new Map<string, number>()
  for (const entry of parseExposition(body, { format: 'text' }))
    if (entry.kind === 'series') values.set(entry.series, entry.value)
  return values
}
