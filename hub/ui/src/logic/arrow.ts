/**
 * Reads the Arrow IPC stream in which a hub answers a range query: a column of times, then a column of floats a series
 * (null where it has no point), whose metadata carries its labels; native histograms are text columns. Only that
 * layout is read (hub/query/arrow.ts): one batch, not compressed, no dictionaries. Format: Apache Arrow,
 * format/Message.fbs and Schema.fbs; flatbuffers keep a table's fields behind a table of offsets.
 *
 *     FFFFFFFF | metadata length (u32) | flatbuffer Message, padded to 8 | body    … FFFFFFFF | 00000000
 */
import type { LabelSet } from './labels.ts'

export const ARROW_TYPE = 'application/vnd.apache.arrow.stream'

export type FloatColumn = {
  readonly labels: LabelSet
  readonly values: Float64Array
  /** Bit i is set where row i has a value; null = all have. */
  readonly validity: Uint8Array | null
}
export type RangeColumns = {
  /** Milliseconds, ascending. */
  readonly times: Float64Array
  readonly floats: readonly FloatColumn[]
  /** Labels of the series that hold native histograms. */
  readonly histograms: readonly LabelSet[]
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
}

const CONTINUATION = 0xffffffff
const HEADER = { schema: 1, recordBatch: 3 } as const
const TYPE = { floatingPoint: 3, utf8: 5 } as const
const BYTES_PER_FLOAT = 8

type Field = { readonly isFloat: boolean; readonly labels: LabelSet | null }

/** @throws Error for bytes that are no such stream */
export function readRangeColumns(bytes: ArrayBuffer): RangeColumns {
  const view = new DataView(bytes)
  let fields: readonly Field[] = []
  let notes = new Map<string, string>()
  let columns: Omit<RangeColumns, 'warnings' | 'infos'> | null = null
  let at = 0
  while (at + 8 <= view.byteLength) {
    if (view.getUint32(at, true) !== CONTINUATION) throw new Error('The Arrow stream has no message where one is due')
    const length = view.getUint32(at + 4, true)
    if (length === 0) break
    const body = at + 8 + length
    const message = root(view, at + 8)
    const header = message.table(2)
    const kind = message.u8(1)
    if (kind === HEADER.schema && header) {
      fields = header.tables(1).map(fieldOf)
      notes = keyValues(header, 2)
    } else if (kind === HEADER.recordBatch && header) {
      if (columns !== null) throw new Error('The Arrow stream has a second batch')
      columns = batchColumns(header, fields, bytes, body)
    } else throw new Error(`The Arrow stream has a message of kind ${kind}, which this page does not read`)
    at = body + message.i64(3)
  }
  if (columns === null) throw new Error('The Arrow stream ends before its data')
  return { ...columns, warnings: textList(notes.get('warnings')), infos: textList(notes.get('infos')) }
}

function fieldOf(field: Table): Field {
  const type = field.u8(2)
  if (type !== TYPE.floatingPoint && type !== TYPE.utf8)
    throw new Error(`The Arrow stream has a column of type ${type}`)
  const labels = keyValues(field, 6).get('labels')
  return { isFloat: type === TYPE.floatingPoint, labels: labels === undefined ? null : JSON.parse(labels) }
}

function batchColumns(
  batch: Table,
  fields: readonly Field[],
  bytes: ArrayBuffer,
  body: number,
): Omit<RangeColumns, 'warnings' | 'infos'> {
  if (batch.table(3) !== null) throw new Error('The Arrow stream is compressed')
  const rows = batch.i64(0)
  const nodes = batch.structs(1, 16)
  const buffers = batch.structs(2, 16)
  const bufferAt = (index: number): { at: number; length: number } => ({
    at: body + buffers.i64(index, 0),
    length: buffers.i64(index, 8),
  })
  let times: Float64Array | null = null
  const floats: FloatColumn[] = []
  const histograms: LabelSet[] = []
  let next = 0
  for (const [index, { isFloat, labels }] of fields.entries()) {
    const validity = bufferAt(next)
    const data = bufferAt(next + 1)
    // Text has its offsets between the two.
    next += isFloat ? 2 : 3
    if (!isFloat) {
      if (labels) histograms.push(labels)
      continue
    }
    if (data.length < rows * BYTES_PER_FLOAT) throw new Error('The Arrow stream has a column that is too short')
    const values = floatsAt(bytes, data.at, rows)
    const nulls = nodes.i64(index, 8)
    if (labels === null) times ??= values
    // The hub's plan may keep a series without any point, which JSON leaves out.
    else if (nulls < rows)
      floats.push({
        labels,
        values,
        validity: nulls === 0 ? null : new Uint8Array(bytes, validity.at, (rows + 7) >> 3),
      })
  }
  if (times === null) throw new Error('The Arrow stream has no column of times')
  return { times, floats, histograms }
}

/** Borrowed from the answer where it is aligned, as Arrow's writers see to. */
function floatsAt(bytes: ArrayBuffer, at: number, count: number): Float64Array {
  return at % BYTES_PER_FLOAT === 0
    ? new Float64Array(bytes, at, count)
    : new Float64Array(bytes.slice(at, at + count * BYTES_PER_FLOAT))
}

function keyValues(table: Table, field: number): Map<string, string> {
  return new Map(table.tables(field).map((pair) => [pair.text(0), pair.text(1)]))
}

function textList(json: string | undefined): string[] {
  const value: unknown = JSON.parse(json ?? '[]')
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

/** A flatbuffer's table; reads past the end throw a RangeError. */
type Table = {
  u8(field: number): number
  i64(field: number): number
  text(field: number): string
  table(field: number): Table | null
  tables(field: number): Table[]
  structs(field: number, sizeBytes: number): { i64(index: number, offset: number): number }
}

const utf8 = new TextDecoder()

function root(view: DataView, at: number): Table {
  return tableAt(view, at + view.getUint32(at, true))
}

function tableAt(view: DataView, at: number): Table {
  const offsets = at - view.getInt32(at, true)
  const offsetsLength = view.getUint16(offsets, true)
  /** 0 where the field is left out. */
  const place = (field: number): number => {
    const slot = 4 + 2 * field
    const offset = slot < offsetsLength ? view.getUint16(offsets + slot, true) : 0
    return offset === 0 ? 0 : at + offset
  }
  const follow = (from: number): number => from + view.getUint32(from, true)
  const vector = (field: number): { start: number; count: number } => {
    const from = place(field)
    if (from === 0) return { start: 0, count: 0 }
    const start = follow(from)
    return { start: start + 4, count: view.getUint32(start, true) }
  }
  return {
    u8: (field) => (place(field) === 0 ? 0 : view.getUint8(place(field))),
    i64: (field) => (place(field) === 0 ? 0 : Number(view.getBigInt64(place(field), true))),
    text: (field) => {
      const { start, count } = vector(field)
      return utf8.decode(new Uint8Array(view.buffer, start, count))
    },
    table: (field) => (place(field) === 0 ? null : tableAt(view, follow(place(field)))),
    tables: (field) => {
      const { start, count } = vector(field)
      return Array.from({ length: count }, (_, i) => tableAt(view, follow(start + 4 * i)))
    },
    structs: (field, sizeBytes) => {
      const { start, count } = vector(field)
      return {
        i64: (index, offset) => {
          if (index >= count) throw new Error('The Arrow stream has fewer buffers than its columns need')
          return Number(view.getBigInt64(start + index * sizeBytes + offset, true))
        },
      }
    },
  }
}
