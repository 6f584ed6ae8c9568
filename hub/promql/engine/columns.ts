/**
 * Memory for columns, many to a slab: an array buffer of its own costs 1 to 2 µs to make and to free, more than computing a
 * column of 200 steps. A slab is given out once, so all of it is zero, and lives as long as one of its columns. Columns of
 * few steps, which V8 would keep in its heap, come from slabs as well: with their buffers they were twice as large there.
 * Hot: bench/query/in-process.ts
 */

const SLAB_BYTES = 1 << 16
/** Longer columns have buffers of their own, or the ends of slabs would be wasted. */
const SHARED_STEPS_MAX = 1024

/** Of this thread; the rest of it is for the next columns. */
let slab = new ArrayBuffer(0)
let used = 0

export function newFloats(steps: number): Float64Array<ArrayBuffer> {
  if (steps > SHARED_STEPS_MAX) return new Float64Array(steps)
  const from = take(8 * steps)
  return new Float64Array(slab, from, steps)
}

export function newBytes(steps: number): Uint8Array<ArrayBuffer> {
  if (steps > SHARED_STEPS_MAX) return new Uint8Array(steps)
  const from = take(steps)
  return new Uint8Array(slab, from, steps)
}

/** Where in the slab the bytes begin. */
function take(bytes: number): number {
  if (used + bytes > slab.byteLength) {
    slab = new ArrayBuffer(SLAB_BYTES)
    used = 0
  }
  const from = used
  used += (bytes + 7) & ~7
  return from
}

/** Eight presence bytes that say FLOAT, as one double. */
const EIGHT_FLOATS = new Float64Array(new Uint8Array(8).fill(1).buffer)[0]!
/** A view costs as much to make as so many bytes to look at. */
const VIEWED_FROM = 64

/** Of this thread: the column that was asked about last, and the last that was so twice in a row, by eight bytes. */
let lastAsked = new Uint8Array(0)
let viewed = lastAsked
let eights = new Float64Array(0)

/**
 * Whether all that is present is floats (`FLOAT`, which is 1), at every step. Operators that hand out one column again and
 * again ask the most. Hot: bench/query/in-process.ts
 */
export function isFull(present: Uint8Array): boolean {
  const { length } = present
  let at = 0
  if (present === viewed) {
    for (let i = 0; i < eights.length; i++) if (eights[i] !== EIGHT_FLOATS) return false
    at = eights.length << 3
  } else if (length >= VIEWED_FROM) look(present as Uint8Array<ArrayBuffer>)
  for (; at < length; at++) if (present[at] !== 1) return false
  return true
}

function look(present: Uint8Array<ArrayBuffer>): void {
  if (present !== lastAsked) {
    lastAsked = present
    return
  }
  viewed = present
  // Only whole words have a view.
  const { buffer, byteOffset, length } = present
  eights = byteOffset % 8 === 0 ? new Float64Array(buffer, byteOffset, length >> 3) : new Float64Array(0)
}
