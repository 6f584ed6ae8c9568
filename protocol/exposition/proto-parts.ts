/** The small messages inside metrics of the protobuf format: labels, exemplars, timestamps. */
import { compareStrings } from '../labels/mod.ts'
import type { ProtoReader } from '../remote-write/mod.ts'
import type { Exemplar } from '../samples/mod.ts'
import { isValidUtf8 } from './errors.ts'
import { ExemplarTag, LabelTag, TimestampTag } from './proto-fields.ts'
import { sharedText } from './shared-text.ts'

/** Reads a nested message with `read`, which sees its end as the reader's. */
export function inner<T>(reader: ProtoReader, read: (reader: ProtoReader) => T): T {
  const end = reader.lengthEnd()
  const outer = reader.end
  reader.end = end
  const value = read(reader)
  reader.end = outer
  return value
}

/** @throws as the reader does, for what is not UTF-8 */
export function readText(reader: ProtoReader, what: string): string {
  const end = reader.lengthEnd()
  const from = reader.at
  if (!isValidUtf8(reader.bytes, from, end)) reader.fail(`invalid UTF-8 ${what}`)
  reader.at = end
  return sharedText(reader.bytes, from, end)
}

export function readLabel(reader: ProtoReader): [name: string, value: string] {
  let [name, value] = ['', '']
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === LabelTag.name) name = readText(reader, 'label name')
    else if (tag === LabelTag.value) value = readText(reader, 'label value')
    else reader.skip(tag)
  }
  return [name, value]
}

export function readExemplar(reader: ProtoReader): Exemplar {
  const pairs: [string, string][] = []
  let value = 0
  let timestampMs: number | null = null
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === ExemplarTag.label) pairs.push(inner(reader, readLabel))
    else if (tag === ExemplarTag.value) value = reader.double()
    else if (tag === ExemplarTag.timestamp) timestampMs = inner(reader, readTimestampMs)
    else reader.skip(tag)
  }
  pairs.sort((a, b) => compareStrings(a[0], b[0]))
  return { labels: pairs.flat(), value, timestampMs }
}

export function readTimestampMs(reader: ProtoReader): number {
  let [seconds, nanos] = [0, 0]
  while (reader.at < reader.end) {
    const tag = reader.tag()
    if (tag === TimestampTag.seconds) seconds = reader.int64()
    else if (tag === TimestampTag.nanos) nanos = reader.int64()
    else reader.skip(tag)
  }
  return seconds * 1000 + Math.trunc(nanos / 1e6)
}
