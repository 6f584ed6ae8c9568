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

/** A line in a packet: its name is up to `colon`, the value up to `bar`, the rest up to `end`; `hash` is of all but the value. */
export type LineParts = { start: number; colon: number; bar: number; end: number; value: number; hash: number }

/** More is a flood of names, for which no cache is of use. */
const MAX_ROUTES = 16_384
const TABLE_SIZE = 4 * MAX_ROUTES
const NEWLINE = 0x0a
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
    for (let slot = slotOf(parts.hash); ; slot = (slot + 1) & (TABLE_SIZE - 1)) {
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
    for (let slot = slotOf(parts.hash); ; slot = (slot + 1) & (TABLE_SIZE - 1)) {
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

/**
 * Reads a line that ends with a newline or at `limit`, each byte once; `parts.end` is where it ends.
 * @returns false for a line that is not `name:number|…`: what `parts` then holds beside its end is of no use
 */
export function readParts(bytes: Uint8Array, start: number, limit: number, parts: LineParts): boolean {
  let at = start
  let byte = NEWLINE
  // FNV-1a, of all that is not the value.
  let hash = 0x811c9dc5
  for (; at < limit; at++) {
    byte = bytes[at]!
    if (byte === COLON || byte === NEWLINE) break
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  const colon = at
  let mantissa = 0
  let digits = 0
  let decimals = -1
  if (at < limit && byte === COLON)
    for (at++; at < limit; at++) {
      byte = bytes[at]!
      if (byte >= 0x30 && byte <= 0x39) {
        mantissa = mantissa * 10 + (byte - 0x30)
        digits++
        if (decimals >= 0) decimals++
      } else if (byte === POINT && decimals < 0 && digits > 0) decimals = 0
      else break
    }
  const bar = at
  for (; at < limit; at++) {
    const rest = bytes[at]!
    if (rest === NEWLINE) break
    hash = Math.imul(hash ^ rest, 0x01000193)
  }
  parts.end = at
  if (bar >= at || bytes[bar] !== BAR || digits === 0 || digits > MAX_DIGITS || colon === start) return false
  parts.start = start
  parts.colon = colon
  parts.bar = bar
  parts.hash = hash
  parts.value = decimals > 0 ? mantissa / POWERS[decimals]! : mantissa
  return true
}

const slotOf = (hash: number): number => (hash ^ (hash >>> 15)) & (TABLE_SIZE - 1)

function isSame({ key, nameLength }: Entry, bytes: Uint8Array, { start, colon, bar, end }: LineParts): boolean {
  if (nameLength !== colon - start || key.length !== nameLength + end - bar) return false
  for (let i = 0; i < nameLength; i++) if (key[i] !== bytes[start + i]) return false
  for (let i = nameLength; i < key.length; i++) if (key[i] !== bytes[bar + i - nameLength]) return false
  return true
}
