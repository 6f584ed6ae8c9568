/** A small head with counters and gauges, from a seed. */
import { labelsFrom } from '../../../protocol/labels/mod.ts'
import { setStaleAt } from '../../../protocol/samples/mod.ts'
import { createHead, type Head } from '../../tsdb/mod.ts'

export const INTERVAL_MS = 15_000

/** `x_total{g,i}` with resets, gaps and stale markers, and the gauge `y{g,i}`; samples at 0, 15 s, 30 s… */
export function seededHead(options: {
  readonly seed: number
  readonly series: number
  readonly samples: number
}): Head {
  const { series, samples } = options
  let state = options.seed
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const head = createHead({ maxBytes: 2 ** 30 })
  const refs: number[] = []
  for (const name of ['x_total', 'y'])
    for (let i = 0; i < series; i++)
      refs.push(head.series(labelsFrom({ __name__: name, g: `g${i % 5}`, i: String(i), job: 'test' })))
  const totals = new Float64Array(series)
  const values = new Float64Array(1)
  const words = new Uint32Array(values.buffer)
  for (let t = 0; t < samples; t++) {
    for (let i = 0; i < series; i++) {
      if (random() < 0.05) continue
      totals[i] = random() < 0.02 ? 0 : totals[i]! + Math.round(random() * 40) / 4
      values[0] = totals[i]!
      if (random() < 0.01) setStaleAt(words, 0)
      head.appendFloat(refs[i]!, t * INTERVAL_MS, values, 0, 0)
      values[0] = random() * 10 - 5
      head.appendFloat(refs[series + i]!, t * INTERVAL_MS, values, 0, 0)
    }
  }
  head.publish()
  return head
}
