/**
 * A payload (before zstd) is seven sections, their byte lengths first, each read by its own reader, so that like stands
 * beside like:
 *
 *     0 definitions   series new in this batch, or all of them in a keyframe      definitions.ts
 *     1 structure     targets, their series, the table of scrapes                 structure.ts
 *     2 modes         a byte a column: how its values are coded                   column-modes.ts
 *     3 bitmaps       of sparse columns
 *     4 numbers       varints of differences
 *     5 planes        XOR bytes
 *     6 extras        stale markers, histograms, exemplars, missed slots          extras.ts
 */
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'

const NAMES = ['definitions', 'structure', 'modes', 'bitmaps', 'numbers', 'planes', 'extras'] as const
export type SectionName = (typeof NAMES)[number]

export function joinSections(sections: Readonly<Record<SectionName, Uint8Array>>): Uint8Array {
  const out = new ByteWriter(64 + NAMES.reduce((sum, name) => sum + sections[name].length, 0))
  for (const name of NAMES) out.varint(sections[name].length)
  for (const name of NAMES) out.raw(sections[name])
  return out.bytes()
}

/** @throws BatchError bad-payload */
export function splitSections(payload: Uint8Array): Record<SectionName, ByteReader> {
  const input = new ByteReader(payload, 'payload')
  const lengths = NAMES.map(() => input.varint())
  const readers = NAMES.map((name, i) => [name, new ByteReader(input.raw(lengths[i]!), `payload section "${name}"`)])
  input.end()
  return Object.fromEntries(readers) as Record<SectionName, ByteReader>
}
