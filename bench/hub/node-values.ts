/** Values as a node exporter's series have them, scrape by scrape. */
import { createRandom, type SeededRandom } from '../pipeline/seeded-random.ts'

/** The same run each time. */
export function nodeRandom(): SeededRandom {
  return createRandom(42)
}

/** Kinds of series in about the exporter's proportions: `values` of one scrape become those of the next. */
export function nextValues(values: Float64Array, isFirst: boolean, { next }: SeededRandom): void {
  for (let i = 0; i < values.length; i++) {
    const kind = i % 20
    if (isFirst) values[i] = kind < 13 ? i : kind < 17 ? 1000 * i : i / 100
    else if (kind < 12) continue
    else if (kind === 12) values[i]! += next() < 0.05 ? 1 : 0
    else if (kind < 15) values[i]! += Math.floor(1000 + next() * 60)
    else if (kind === 15) values[i] = 4096 * Math.floor(1e5 + next() * 1000)
    else if (kind < 18) values[i] = Math.round((values[i]! + next() * 0.2 * 15) * 100) / 100
    else if (kind === 18) values[i] = Math.round(next() * 400) / 100
    else values[i] = 0.01 + next() * 1e-3
  }
}
