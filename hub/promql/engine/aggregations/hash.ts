/**
 * xxHash64 of a label set, as Prometheus hashes it, so that limit_ratio picks the same series.
 * Semantics: Prometheus model/labels/labels_stringlabels.go, Labels.Hash: names and values in turn, each after its
 * length (one byte below 255, else 255 and three bytes, little end first).
 */
import type { Labels } from '../../../../protocol/labels/mod.ts'

const P1 = 0x9e3779b185ebca87n
const P2 = 0xc2b2ae3d27d4eb4fn
const P3 = 0x165667b19e3779f9n
const P4 = 0x85ebca77c2b2ae63n
const P5 = 0x27d4eb2f165667c5n
const MASK = 0xffffffffffffffffn

export function hashLabels(labels: Labels): bigint {
  const encoder = new TextEncoder()
  const parts: number[] = []
  for (const text of labels) {
    const bytes = encoder.encode(text)
    const { length } = bytes
    if (length < 255) parts.push(length)
    else parts.push(255, length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff)
    for (const byte of bytes) parts.push(byte)
  }
  return xxHash64(Uint8Array.from(parts))
}

/** Seed 0. */
export function xxHash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let hash: bigint
  if (bytes.length >= 32) {
    let v1 = (P1 + P2) & MASK
    let v2 = P2
    let v3 = 0n
    let v4 = -P1 & MASK
    for (; at + 32 <= bytes.length; at += 32) {
      v1 = round(v1, view.getBigUint64(at, true))
      v2 = round(v2, view.getBigUint64(at + 8, true))
      v3 = round(v3, view.getBigUint64(at + 16, true))
      v4 = round(v4, view.getBigUint64(at + 24, true))
    }
    hash = (rotate(v1, 1n) + rotate(v2, 7n) + rotate(v3, 12n) + rotate(v4, 18n)) & MASK
    for (const v of [v1, v2, v3, v4]) hash = ((hash ^ round(0n, v)) * P1 + P4) & MASK
  } else hash = P5
  hash = (hash + BigInt(bytes.length)) & MASK
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, view.getBigUint64(at, true)), 27n) * P1 + P4) & MASK
  }
  if (at + 4 <= bytes.length) {
    hash = (rotate(hash ^ ((BigInt(view.getUint32(at, true)) * P1) & MASK), 23n) * P2 + P3) & MASK
    at += 4
  }
  for (; at < bytes.length; at++) hash = (rotate(hash ^ ((BigInt(bytes[at]!) * P5) & MASK), 11n) * P1) & MASK
  hash = ((hash ^ (hash >> 33n)) * P2) & MASK
  hash = ((hash ^ (hash >> 29n)) * P3) & MASK
  return hash ^ (hash >> 32n)
}

function round(acc: bigint, input: bigint): bigint {
  return (rotate((acc + input * P2) & MASK, 31n) * P1) & MASK
}

function rotate(x: bigint, bits: bigint): bigint {
  return ((x << bits) | (x >> (64n - bits))) & MASK
}
