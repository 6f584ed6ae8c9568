/**
 * Compensated (Neumaier) summation, one step at a time, with the sum and its compensation in a caller's pair.
 * Semantics: Prometheus util/kahansum, Inc.
 */
export type Kahan = { sum: number; c: number }

export function kahanAdd(k: Kahan, value: number): void {
  const { sum } = k
  const next = sum + value
  if (next === Infinity || next === -Infinity) k.c = 0
  else if (Math.abs(sum) >= Math.abs(value)) k.c += sum - next + value
  else k.c += value - next + sum
  k.sum = next
}
