/**
 * HAProxy's CSV as Go reads it: `#` begins a comment line, every record has as many fields as the first, a broken
 * record is counted and the next is read. Semantics: Go encoding/csv (Reader.Read), as haproxy_exporter sets it up.
 */
export type CsvRecords = {
  readonly records: readonly (readonly string[])[]
  /** One sentence per broken record, with its line. */
  readonly errors: readonly string[]
}

/** @example parseCsv('a,"b,c"\n').records // [['a', 'b,c']] */
export function parseCsv(text: string): CsvRecords {
  const records: string[][] = []
  const errors: string[] = []
  let width = 0
  let at = 0
  let line = 1
  while (at < text.length) {
    const lineEnd = endOfLine(text, at)
    if (text[at] === '#' || isBlank(text, at, lineEnd)) {
      at = lineEnd + 1
      line++
      continue
    }
    const firstLine = line
    const { fields, end, error } = readRecord(text, at)
    line += countNewlines(text, at, end)
    at = end
    if (error !== null) {
      errors.push(`line ${firstLine}: ${error}`)
      continue
    }
    if (width === 0) width = fields.length
    if (fields.length === width) records.push(fields)
    else errors.push(`line ${firstLine}: wrong number of fields: ${fields.length}, the first record has ${width}`)
  }
  return { records, errors }
}

type Reading = {
  readonly fields: string[]
  /** Where the next record begins. */
  readonly end: number
  readonly error: string | null
}

function readRecord(text: string, start: number): Reading {
  const fields: string[] = []
  let at = start
  for (;;) {
    if (text[at] !== '"') {
      const lineEnd = endOfLine(text, at)
      const comma = text.indexOf(',', at)
      const isLast = comma < 0 || comma >= lineEnd
      const field = text.slice(at, isLast ? lineEnd : comma)
      if (field.includes('"')) return { fields, end: lineEnd + 1, error: 'bare " in an unquoted field' }
      fields.push(isLast ? field.replace(/\r$/, '') : field)
      if (isLast) return { fields, end: lineEnd + 1, error: null }
      at = comma + 1
      continue
    }
    const close = closingQuote(text, at + 1)
    if (close < 0) return { fields, end: text.length, error: 'a quoted field does not end' }
    fields.push(text.slice(at + 1, close).replaceAll('""', '"'))
    at = close + 1
    if (text[at] === ',') {
      at++
      continue
    }
    const lineEnd = endOfLine(text, at)
    const isEnd = lineEnd === at || text.slice(at, lineEnd) === '\r'
    return { fields, end: lineEnd + 1, error: isEnd ? null : 'text after the closing " of a field' }
  }
}

/** Index of the quote that ends the field, past doubled ones; -1 when none does. */
function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from)
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2)
  return at
}

function endOfLine(text: string, from: number): number {
  const at = text.indexOf('\n', from)
  return at < 0 ? text.length : at
}

const isBlank = (text: string, from: number, to: number): boolean => from === to || text.slice(from, to) === '\r'

function countNewlines(text: string, from: number, to: number): number {
  let count = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++
  return count
}
