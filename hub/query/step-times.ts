/** The times of all steps as they stand in an answer: encoded once, copied for every series. */
import { formatTimestamp } from './json.ts'

export type StepTimes = {
  readonly bytes: Uint8Array
  /** Where the text of each step begins, and, as one more, where the last ends. */
  readonly starts: Uint32Array
}

export function stepTimes(startMs: number, stepMs: number, steps: number): StepTimes {
  const starts = new Uint32Array(steps + 1)
  let bytes = new Uint8Array(16 * steps + 32)
  let at = 0
  for (let i = 0; i < steps; i++) {
    starts[i] = at
    const text = formatTimestamp(startMs + i * stepMs)
    if (at + text.length > bytes.length) {
      const grown = new Uint8Array(bytes.length * 2)
      grown.set(bytes)
      bytes = grown
    }
    for (let k = 0; k < text.length; k++) bytes[at++] = text.charCodeAt(k)
  }
  starts[steps] = at
  return { bytes, starts }
}
