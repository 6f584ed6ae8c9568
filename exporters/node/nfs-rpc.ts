/**
 * Lines `KEY numbers…` of /proc/net/rpc. Each must be known and have the numbers that it always has.
 * Semantics: prometheus/procfs nfs/parse.go.
 */
import { scanLines, uintOf, words } from './files.ts'

/** Whether a line may have these numbers. */
export type Counts = (numbers: readonly number[]) => boolean

export const exactly =
  (count: number): Counts =>
  ({ length }) =>
    length === count

/** How many there are stands before them. */
export const procedures =
  (least: number): Counts =>
  ([count = -1, ...rest]) =>
    rest.length === count && count >= least

/** @throws Error naming the file for a line that cannot be read */
export function rpcRows(text: string, file: string, known: Readonly<Record<string, Counts>>): Map<string, number[]> {
  const out = new Map<string, number[]>()
  for (const line of scanLines(text)) {
    const [key = '', ...values] = words(line)
    const mayHave = Object.hasOwn(known, key) ? known[key]! : null
    // What follows the number of threads is a histogram that kernels no longer fill.
    const numbers = (key === 'th' ? values.slice(0, 2) : values).map((value) => uintOf(value, file))
    if (numbers.length === 0 || mayHave?.(numbers) !== true)
      throw new Error(`Cannot read ${file}: unexpected line ${JSON.stringify(line)}`)
    out.set(key, numbers)
  }
  return out
}
