/**
 * Bounds of the exponential buckets, to the last bit those of upstream: there they are a literal table, which is what
 * Go's math.Exp2 and repeated multiplication give, up to two units in the last place off the nearest double.
 * Semantics: Prometheus model/histogram/generic.go, exponentialBounds and getBoundExponential (v3.14).
 */

/** One growth factor per schema from 1 on, to the powers in [0.5, 1). */
const tables: (readonly number[])[] = [[0.5]]

/** Upper bound of bucket `index` of an exponential schema: 2^(index * 2^-schema), at most the largest double. */
export function exponentialBound(index: number, schema: number): number {
  if (schema < 0) {
    const exponent = index * 2 ** -schema
    return exponent === 1024 ? Number.MAX_VALUE : 2 ** exponent
  }
  const perOctave = 2 ** schema
  const octave = Math.floor(index / perOctave)
  const fraction = index - octave * perOctave
  if (fraction === 0 && octave === 1024) return Number.MAX_VALUE
  // Two factors: 2^octave alone may overflow or vanish where the product does not.
  const half = Math.trunc(octave / 2)
  return 2 * table(schema)[fraction]! * 2 ** half * 2 ** (octave - half)
}

/** Every other bound is one of the schema below, which keeps the error of the multiplications small. */
function table(schema: number): readonly number[] {
  const known = tables[schema]
  if (known !== undefined) return known
  const below = table(schema - 1)
  const factor = goExp2(goExp2(-schema))
  const bounds = [0.5]
  for (let i = 1; i < 2 ** schema; i++) bounds.push(i % 2 === 0 ? below[i / 2]! : bounds[i - 1]! * factor)
  tables[schema] = bounds
  return bounds
}

/** 2^x for a small x. As exp2 and expmulti in Go's math/exp.go. */
function goExp2(x: number): number {
  const k = Math.trunc(x > 0 ? x + 0.5 : x - 0.5)
  const hi = (x - k) * 6.9314718036912381649e-1
  const lo = -(x - k) * 1.9082149292705877e-10
  const r = hi - lo
  const t = r * r
  const c =
    r -
    t *
      (1.66666666666666657415e-1 +
        t *
          (-2.77777777770155933842e-3 +
            t * (6.61375632143793436117e-5 + t * (-1.6533902205465251539e-6 + t * 4.13813679705723846039e-8))))
  return (1 - (lo - (r * c) / (2 - c) - hi)) * 2 ** k
}
