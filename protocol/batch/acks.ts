/**
 * Acknowledgements (`helio.v1.ack.<agent>`) and cursor answers (`helio.v1.cursor.<agent>`), in CBOR:
 *
 *     stored           [1, 0, epoch, hub, [first, last, first, last…]]
 *     keyframe-wanted  [1, 1, epoch, hub, base]
 *     refused          [1, 2, epoch, hub, sequence, reason]
 *     cursor           [1, [epoch, [first, last…], epoch, [first, last…]…]]
 *
 * The first item is the version. Everything is bounded, and what cannot be read is a `BatchError`.
 */
import { ByteReader } from './byte-reader.ts'
import { ByteWriter } from './byte-writer.ts'
import { readArray, readText, readUnsigned, writeArray, writeInteger, writeText } from './cbor.ts'
import { BatchError } from './errors.ts'
import type { Ack, SequenceInterval } from './types.ts'

const VERSION = 1
const Kind = { stored: 0, keyframeWanted: 1, refused: 2 } as const
const MAX_HUB_BYTES = 256
const MAX_REASON_BYTES = 4096

/** Which sequences of which epochs a hub has stored. Newest epoch last. */
export type Cursor = readonly {
  readonly epoch: number
  readonly sequences: readonly SequenceInterval[]
}[]

export function encodeAck(ack: Ack): Uint8Array {
  const out = new ByteWriter()
  switch (ack.kind) {
    case 'stored':
      writeStart(out, 5, Kind.stored, ack)
      writeIntervals(out, ack.sequences)
      break
    case 'keyframe-wanted':
      writeStart(out, 5, Kind.keyframeWanted, ack)
      writeInteger(out, ack.base)
      break
    case 'refused':
      writeStart(out, 6, Kind.refused, ack)
      writeInteger(out, ack.sequence)
      writeText(out, ack.reason.slice(0, MAX_REASON_BYTES / 4))
      break
  }
  return out.bytes()
}

/** @throws BatchError bad-payload, unknown-version */
export function decodeAck(bytes: Uint8Array): Ack {
  const input = new ByteReader(bytes, 'acknowledgement')
  const itemCount = readArray(input)
  readVersion(input)
  const kind = readUnsigned(input)
  if (itemCount !== (kind === Kind.refused ? 6 : 5)) input.fail(`${itemCount} items do not make one`)
  const epoch = readUnsigned(input)
  const hub = readText(input, MAX_HUB_BYTES)
  const ack = readRest(input, kind, epoch, hub)
  input.end()
  return ack
}

export function encodeCursor(cursor: Cursor): Uint8Array {
  const out = new ByteWriter()
  writeArray(out, 2)
  writeInteger(out, VERSION)
  writeArray(out, 2 * cursor.length)
  for (const { epoch, sequences } of cursor) {
    writeInteger(out, epoch)
    writeIntervals(out, sequences)
  }
  return out.bytes()
}

/** @throws BatchError bad-payload, unknown-version */
export function decodeCursor(bytes: Uint8Array): Cursor {
  const input = new ByteReader(bytes, 'cursor')
  if (readArray(input) !== 2) input.fail('expected 2 items')
  readVersion(input)
  const itemCount = readArray(input)
  if (itemCount % 2 !== 0) input.fail('expected pairs of epoch and intervals')
  const cursor: { epoch: number; sequences: SequenceInterval[] }[] = []
  for (let i = 0; i < itemCount; i += 2) cursor.push({ epoch: readUnsigned(input), sequences: readIntervals(input) })
  input.end()
  return cursor
}

function writeStart(out: ByteWriter, itemCount: number, kind: number, ack: Ack): void {
  writeArray(out, itemCount)
  writeInteger(out, VERSION)
  writeInteger(out, kind)
  writeInteger(out, ack.epoch)
  writeText(out, ack.hub)
}

function readRest(input: ByteReader, kind: number, epoch: number, hub: string): Ack {
  switch (kind) {
    case Kind.stored:
      return { kind: 'stored', epoch, sequences: readIntervals(input), hub }
    case Kind.keyframeWanted:
      return { kind: 'keyframe-wanted', epoch, base: readUnsigned(input), hub }
    case Kind.refused: {
      const sequence = readUnsigned(input)
      return { kind: 'refused', epoch, sequence, reason: readText(input, MAX_REASON_BYTES), hub }
    }
    default:
      return input.fail(`kind ${kind} is not known`)
  }
}

function readVersion(input: ByteReader): void {
  const version = readUnsigned(input)
  if (version !== VERSION)
    throw new BatchError('unknown-version', `Cannot read ${input.name} of version ${version}: expected ${VERSION}`)
}

function writeIntervals(out: ByteWriter, sequences: readonly SequenceInterval[]): void {
  writeArray(out, 2 * sequences.length)
  for (const [first, last] of sequences) {
    writeInteger(out, first)
    writeInteger(out, last)
  }
}

function readIntervals(input: ByteReader): SequenceInterval[] {
  const itemCount = readArray(input)
  if (itemCount % 2 !== 0) input.fail('expected pairs of first and last')
  const intervals: SequenceInterval[] = []
  for (let i = 0; i < itemCount; i += 2) {
    const first = readUnsigned(input)
    const last = readUnsigned(input)
    if (last < first) input.fail(`interval ${first} to ${last} is reversed`)
    intervals.push([first, last])
  }
  return intervals
}
