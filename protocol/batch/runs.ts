/** Ascending integers as runs of neighbours: (gap, length) pairs in varints. One run is what most lists come to. */
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'

/** @param list strictly ascending */
export function writeRuns(out: ByteWriter, list: ArrayLike<number>): void {
  let runCount = 0
  for (let i = 0; i < list.length; i++) if (i === 0 || list[i] !== list[i - 1]! + 1) runCount++
  out.varint(runCount)
  let end = 0
  for (let i = 0; i < list.length; ) {
    const first = list[i]!
    let next = i + 1
    while (next < list.length && list[next] === list[next - 1]! + 1) next++
    out.varint(first - end)
    out.varint(next - i - 1)
    end = first + next - i
    i = next
  }
}

/**
 * @param bound every number is below it
 * @param maxCount of numbers in all: checked before they are laid out
 */
export function readRuns(input: ByteReader, bound: number, maxCount: number): Uint32Array {
  const runCount = input.count(2)
  const start = input.offset
  let total = 0
  let end = 0
  for (let i = 0; i < runCount; i++) {
    const first = end + input.varint()
    const length = input.varint() + 1
    end = first + length
    total += length
    if (end > bound) input.fail(`an index of ${end - 1} is out of range, there are ${bound}`)
    if (total > maxCount) input.fail(`a list has more than the ${maxCount} items that are left of the declared ones`)
  }
  const after = input.offset
  input.offset = start
  const list = new Uint32Array(total)
  let at = 0
  end = 0
  for (let i = 0; i < runCount; i++) {
    const first = end + input.varint()
    end = first + input.varint() + 1
    for (let value = first; value < end; value++) list[at++] = value
  }
  input.offset = after
  return list
}
