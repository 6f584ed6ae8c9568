/** Runs a generator to its end. */
export function steps<T>(slices: Generator<void, T>, onStep: () => void): T {
  for (;;) {
    const { done, value } = slices.next()
    if (done) return value
    onStep()
  }
}
