/**
 * Lines seen before, found again by their bytes: everything but the value says which series it is and what becomes of
 * the value, so a line costs a hash and a short parse of its number instead of a decode, a split and a mapping.
 * Only lines whose value is a plain number are here; whatever is odd takes the long way each time, and counts its
 * errors there. Hot: bench/agent/statsd.bench.ts
 */
import type { Series } from './registry.ts'

export type Route = {
  readonly series: Series
  readonly kind: 'counter' | 'gauge' | 'observer'
  /** A counter's sampling rate; 1 for none. */
  readonly rate: number
  /** 1000 for what comes in milliseconds. */
  readonly divisor: number
  /** Of the mapping; 1 without. */
  readonly scale: number
  /** Observations that one stands for. */
  readonly times: number
  readonly hasTags: boolean
  readonly isMapped: boolean
}

/** A line in a packet: `name` is up to `colon`, the value up to `bar`, the rest up to `end`. */
export type LineParts = { start: number; colon: number; bar: number; end: number; value: number }

/** More is a flood of names, for which no cache is of use. */
const MAX_ROUTES = 16_384
const TABLE_SIZE = 4 * MAX_ROUTES
const COLON = 0x3a
const BAR = 0x7c
const POINT = 0x2e
/** Digits that a double holds exactly. */
const MAX_DIGITS = 15
const POWERS = Float64Array.from({ length: MAX_DIGITS + 1 }, (_, i) => 10 ** i)

type Entry = { readonly key: Uint8Array; readonly nameLength: number; readonly route: Route }

export class Routes {
  readonly #table = new Int32Array(TABLE_SIZE)
  #entries: Entry[] = []

  clear(): void {
    this.#table.fill(0)
    this.#entries = []
  }

  find(bytes: Uint8Array, parts: LineParts): Route | null {
    for (let slot = hashOf(bytes, parts); ; slot = (slot + 1) & (TABLE_SIZE - 1)) {
      const index = this.#table[slot]!
      if (index === 0) return null
      const entry = this.#entries[index - 1]!
      if (isSame(entry, bytes, parts)) return entry.route
    }
  }

  /** Replaces what was there; all is forgotten when there are too many. */
  set(bytes: Uint8Array, parts: LineParts, route: Route): void {
    if (this.#entries.length >= MAX_ROUTES) this.clear()
    const { start, colon, bar, end } = parts
    const key = new Uint8Array(colon - start + end - bar)
    key.set(bytes.subarray(start, colon))
    key.set(bytes.subarray(bar, end), colon - start)
    const entry = { key, nameLength: colon - start, route }
    for (let slot = hashOf(bytes, parts); ; slot = (slot + 1) & (TABLE_SIZE - 1)) {
      const index = this.#table[slot]!
      if (index === 0) {
        this.#entries.push(entry)
        this.#table[slot] = this.#entries.length
        return
      }
      if (isSame(this.#entries[index - 1]!, bytes, parts)) {
        this.#entries[index - 1] = entry
        return
      }
    }
  }
}

/** False for a line that is not `name:number|…`: what `parts` then holds is of no use. */
export function readParts(bytes: Uint8Array, start: number, end: number, parts: LineParts): boolean {
  let at = start
  while (at < end && bytes[at] !== COLON) at++
  parts.colon = at
  let mantissa = 0
  let digits = 0
  let decimals = -1
  for (at++; at < end; at++) {
    const byte = bytes[at]!
    if (byte === POINT && decimals < 0 && digits > 0) decimals = 0
    else if (byte >= 0x30 && byte <= 0x39) {
      mantissa = mantissa * 10 + (byte - 0x30)
      digits++
      if (decimals >= 0) decimals++
    } else break
  }
  if (at >= end || bytes[at] !== BAR || digits === 0 || digits > MAX_DIGITS || parts.colon === start) return false
  parts.start = start
  parts.bar = at
  parts.end = end
  parts.value = decimals > 0 ? mantissa / POWERS[decimals]! : mantissa
  return true
}

function hashOf(bytes: Uint8Array, { start, colon, bar, end }: LineParts): number {
  let hash = 0x811c9dc5
  for (let i = start; i < colon; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  for (let i = bar; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return (hash ^ (hash >>> 15)) & (TABLE_SIZE - 1)
}

function isSame({ key, nameLength }: Entry, bytes: Uint8Array, { start, colon, bar, end }: LineParts): boolean {
  if (nameLength !== colon - start || key.length !== nameLength + end - bar) return false
  for (let i = 0; i < nameLength; i++) if (key[i] !== bytes[start + i]) return false
  for (let i = nameLength; i < key.length; i++) if (key[i] !== bytes[bar + i - nameLength]) return false
  return true
}
