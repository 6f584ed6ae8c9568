/**
 * Memory for columns, many to a slab: an array buffer of its own costs 1 to 2 µs to make and to free, more than computing a
 * column of 200 steps. A slab is given out once, so all of it is zero, and lives as long as one of its columns.
 * Hot: bench/query/in-process.ts
 */

const SLAB_BYTES = 1 << 16
/** Longer columns have buffers of their own, or the ends of slabs would be wasted. */
const SHARED_STEPS_MAX = 1024
/** V8 keeps typed arrays of 64 bytes in its heap, which is cheapest. */
const HEAP_BYTES = 64

/** Of this thread; the rest of it is for the next columns. */
let slab = new ArrayBuffer(0)
let used = 0

export function newFloats(steps: number): Float64Array<ArrayBuffer> {
  if (steps > SHARED_STEPS_MAX || 8 * steps <= HEAP_BYTES) return new Float64Array(steps)
  const from = take(8 * steps)
  return new Float64Array(slab, from, steps)
}

export function newBytes(steps: number): Uint8Array<ArrayBuffer> {
  if (steps > SHARED_STEPS_MAX || steps <= HEAP_BYTES) return new Uint8Array(steps)
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
