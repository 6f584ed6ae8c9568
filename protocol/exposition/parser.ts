/**
 * The event parser: one entry of a page at a time, with upstream's error texts. It allocates nothing for a series
 * until its labels are asked for. The hot path (`page-reader.ts`) sends it only lines that it has not seen before.
 *
 * Semantics: Prometheus model/textparse, promparse.go and openmetricsparse.go (v3).
 */
import type { Labels } from '../labels/mod.ts'
import { compareStrings, labelsFromSorted, METRIC_NAME } from '../labels/mod.ts'
import type { Exemplar, MetricType } from '../samples/mod.ts'
import { decodeUtf8, ExpositionError, isValidUtf8, quoteBytes } from './errors.ts'
import { formatOpenMetricsFloat, parseGoFloat, readGoFloat } from './go-float.ts'
import { lexOpenMetrics } from './lex-openmetrics.ts'
import { lexText } from './lex-text.ts'
import { BACKSLASH, Cursor, Mode, QUOTE, TOKEN_NAMES, Token } from './lexer.ts'
import { sharedText } from './shared-text.ts'

export type ExpositionFormat = 'text' | 'openmetrics'

export const EntryKind = { end: 0, help: 1, type: 2, unit: 3, comment: 4, series: 5 } as const
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind]

export type ParserOptions = {
  readonly format: ExpositionFormat
  /** Adds `__type__` and `__unit__` (upstream's feature flag type-and-unit-labels). Default false. */
  readonly typeAndUnitLabels?: boolean
}

const TEXT_TYPES: Readonly<Record<string, MetricType>> = {
  __proto__: null as never,
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'unknown',
}
const OPENMETRICS_TYPES: Readonly<Record<string, MetricType>> = {
  __proto__: null as never,
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  gaugehistogram: 'gaugehistogram',
  summary: 'summary',
  info: 'info',
  stateset: 'stateset',
  unknown: 'unknown',
}
const MAX_INT64 = 9_223_372_036_854_775_807n

/** What earlier meta lines say about the lines that follow. */
export type ParserContext = {
  /** Of the last TYPE line; null before the first. */
  type: MetricType | null
  /** Name in the last meta line of any kind. */
  family: string
  unit: string
}

export class ExpositionParser {
  readonly format: ExpositionFormat
  readonly context: ParserContext = { type: null, family: '', unit: '' }
  /** Of the last entry: its first byte, and one past its series part. */
  startBytes = 0
  seriesEndBytes = 0
  value = 0
  hasTimestamp = false
  timestampMs = 0
  /** Name of the last meta line's family, and its text (the type's name for TYPE, the whole line for a comment). */
  metaName = ''
  metaText = ''
  exemplar: Exemplar | null = null

  readonly #cursor: Cursor
  readonly #lex: (cursor: Cursor) => Token
  readonly #typeAndUnitLabels: boolean
  /** Name start and end, then label name start, end, value start, end…: offsets into the page; -1 = no name yet. */
  #offsets: number[] = []
  #exemplarOffsets: number[] = []

  constructor(bytes: Uint8Array, options: ParserOptions) {
    this.format = options.format
    this.#cursor = new Cursor(bytes, options.format === 'text')
    this.#lex = options.format === 'text' ? lexText : lexOpenMetrics
    this.#typeAndUnitLabels = options.typeAndUnitLabels ?? false
  }

  /** First byte of the next entry. */
  get atBytes(): number {
    return this.#cursor.at
  }

  /** False while the last line is not fully read: the next call will refuse the rest of it. */
  get atLineStart(): boolean {
    return this.#cursor.mode === Mode.init
  }

  /** Goes on at the start of a line. */
  seek(atBytes: number): void {
    this.#cursor.at = atBytes
    this.#cursor.mode = Mode.init
  }

  /** @throws ExpositionError */
  next(): EntryKind {
    const cursor = this.#cursor
    this.exemplar = null
    for (;;) {
      this.startBytes = cursor.at
      this.#offsets.length = 0
      const token = this.#next()
      switch (token) {
        case Token.end:
          if (this.format === 'openmetrics') throw this.#error('data does not end with # EOF')
          return EntryKind.end
        case Token.eofWord:
          if (this.#next() !== Token.end) throw this.#error('unexpected data after # EOF')
          return EntryKind.end
        case Token.linebreak:
          if (this.format === 'openmetrics') throw this.#unexpected('expected a valid start token', token)
          continue
        case Token.help:
        case Token.type:
        case Token.unit:
          return this.#meta(token)
        case Token.comment:
          // OpenMetrics has none of their own; the token is an exemplar's `#`, left over from the line before.
          if (this.format === 'openmetrics') throw this.#unexpected('expected a valid start token', token)
          this.metaText = decodeUtf8(cursor.slice(cursor.start, cursor.at))
          this.#expect(Token.linebreak, 'linebreak expected after comment')
          return EntryKind.comment
        case Token.braceOpen:
          this.#offsets.push(-1, -1)
          this.#labelPairs(this.#offsets, false)
          this.seriesEndBytes = cursor.at
          this.#series(this.#next())
          return EntryKind.series
        case Token.metricName: {
          this.#offsets.push(this.startBytes, cursor.at)
          this.seriesEndBytes = cursor.at
          let after = this.#next()
          if (after === Token.braceOpen) {
            this.#labelPairs(this.#offsets, false)
            this.seriesEndBytes = cursor.at
            after = this.#next()
          }
          this.#series(after)
          return EntryKind.series
        }
        default:
          throw this.#unexpected('expected a valid start token', token)
      }
    }
  }

  /** The series part of the line as it stands in the page. */
  seriesText(): string {
    return decodeUtf8(this.#cursor.slice(this.startBytes, this.seriesEndBytes))
  }

  metricName(): string {
    return this.#unescaped(this.#offsets[0]!, this.#offsets[1]!)
  }

  /** Sorted by name; may hold empty values and repeated names, as exposed. Valid until the next `next()`. */
  labels(): Labels {
    const { type: metaType, unit } = this.context
    const withMeta = this.#typeAndUnitLabels
    // Upstream (v3.14) gives them to every series that follows, of the family or not.
    const type = withMeta && metaType !== null && metaType !== 'unknown' ? metaType : ''
    const flat: string[] = [METRIC_NAME, this.metricName()]
    if (type !== '') insertSorted(flat, '__type__', type)
    if (withMeta && unit !== '') insertSorted(flat, '__unit__', unit)
    const offsets = this.#offsets
    for (let i = 2; i < offsets.length; i += 4) {
      const label = this.#unescaped(offsets[i]!, offsets[i + 1]!)
      // What the meta lines say wins over what the series says of itself.
      if (withMeta && (label === METRIC_NAME || (label === '__type__' && type !== ''))) continue
      if (withMeta && label === '__unit__' && unit !== '') continue
      insertSorted(flat, label, normalizeBound(metaType, label, this.#unescaped(offsets[i + 2]!, offsets[i + 3]!)))
    }
    return labelsFromSorted(flat)
  }

  /**
   * What the series shares with its `_created` line: the family's name and all labels but the bucket's or quantile's;
   * '' for types that have no start timestamp. `created` says that this is such a line.
   * Semantics: Prometheus model/textparse/openmetricsparse.go, seriesHash, isCreatedSeries.
   */
  startTimestampKey(): { readonly key: string; readonly created: boolean } {
    const { type, family } = this.context
    if (type !== 'counter' && type !== 'summary' && type !== 'histogram') return { key: '', created: false }
    const name = decodeUtf8(this.#cursor.slice(this.#offsets[0]!, this.#offsets[1]!))
    const created = name.endsWith('_created')
    const parts = [created ? name.slice(0, -'_created'.length) : name.slice(0, family.length)]
    const offsets = this.#offsets
    const skipped = type === 'summary' ? 'quantile' : type === 'histogram' ? 'le' : ''
    for (let i = 2; i < offsets.length; i += 4) {
      const label = decodeUtf8(this.#cursor.slice(offsets[i]!, offsets[i + 1]!))
      if (label === skipped) continue
      parts.push(label, decodeUtf8(this.#cursor.slice(offsets[i + 2]!, offsets[i + 3]!)))
    }
    return { key: parts.join('\xff'), created }
  }

  #meta(token: Token): EntryKind {
    const cursor = this.#cursor
    const what = TOKEN_NAMES[token]!
    const nameToken = this.#next()
    if (nameToken !== Token.metricName) throw this.#unexpected(`expected metric name after ${what}`, nameToken)
    const quoted = cursor.bytes[cursor.start] === QUOTE
    const name = decodeUtf8(cursor.slice(cursor.start + (quoted ? 1 : 0), cursor.at - (quoted ? 1 : 0)))
    const textToken = this.#next()
    const isText = this.format === 'text'
    if (textToken !== Token.text) {
      throw this.#error(`expected text in ${what}${isText ? `, got ${TOKEN_NAMES[textToken]!}` : ''}`)
    }
    // The text's first byte is the blank before it; in OpenMetrics its last is the newline.
    const from = cursor.start + 1
    const raw = cursor.at > from ? cursor.slice(from, cursor.at - (isText ? 0 : 1)) : new Uint8Array(0)
    const text = decodeUtf8(raw)
    this.metaName = name
    if (token === Token.type) {
      const type = (isText ? TEXT_TYPES : OPENMETRICS_TYPES)[text]
      if (type === undefined) throw this.#error(`invalid metric type ${quoteBytes(raw)}`)
      this.context.type = type
      this.metaText = type
    } else if (token === Token.help) {
      if (!isValidUtf8(raw, 0, raw.length)) {
        throw this.#error(`help text ${quoteBytes(raw)} is not a valid utf8 string`)
      }
      this.metaText = unescapeText(text, !isText)
    } else {
      if (text !== '' && !name.endsWith(`_${text}`)) {
        throw this.#error(
          `unit ${quoteBytes(raw)} not a suffix of metric ${quoteBytes(new TextEncoder().encode(name))}`,
        )
      }
      this.context.unit = text
      this.metaText = text
    }
    this.context.family = name
    if (isText) this.#expect(Token.linebreak, 'linebreak expected after metadata')
    return token === Token.help ? EntryKind.help : token === Token.type ? EntryKind.type : EntryKind.unit
  }

  /** The pairs between braces, the opening one read. In OpenMetrics the comma between pairs is required. */
  #labelPairs(offsets: number[], isExemplar: boolean): void {
    const cursor = this.#cursor
    const isText = this.format === 'text'
    let token = this.#next()
    for (;;) {
      if (token === Token.braceClose) return
      let start = cursor.start
      let end = cursor.at
      const quoted = token === Token.quotedString
      if (token !== Token.labelName && !quoted) throw this.#unexpected('expected label name', token)
      token = this.#next()
      if (quoted && (token === Token.comma || token === Token.braceClose)) {
        // A quoted string of its own is the metric's name, which an exemplar has not.
        if (isExemplar) throw this.#unexpected('expected label name', token)
        if (offsets[0] !== -1) throw this.#whileParsing('metric name already set')
        offsets[0] = start + 1
        offsets[1] = end - 1
        if (token === Token.braceClose) return
        token = this.#next()
        continue
      }
      if (quoted) {
        start++
        end--
      }
      if (token !== Token.equal) throw this.#unexpected('expected equal', token)
      this.#expect(Token.labelValue, 'expected label value')
      const value = cursor.slice(cursor.start, cursor.at)
      if (!isValidUtf8(value, 0, value.length)) {
        throw this.#error(`invalid UTF-8 label value: ${quoteBytes(value)}`)
      }
      offsets.push(start, end, cursor.start + 1, cursor.at - 1)
      token = this.#next()
      if (token === Token.comma) token = this.#next()
      else if (!isText && token !== Token.braceClose) throw this.#unexpected('expected comma or brace close', token)
    }
  }

  /** Value, timestamp and exemplar, from `token` on. */
  #series(token: Token): void {
    const isText = this.format === 'text'
    if (this.#offsets[0] === -1) throw this.#whileParsing('metric name not set')
    this.value = this.#float(token, 'metric')
    this.hasTimestamp = false
    const after = this.#next()
    if (isText) {
      if (after === Token.linebreak) return
      if (after !== Token.timestamp) throw this.#unexpected('expected timestamp or new record', after)
      this.hasTimestamp = true
      this.timestampMs = this.#integerTimestamp()
      this.#expect(Token.linebreak, 'expected next entry after timestamp')
      return
    }
    if (after === Token.end) throw this.#error('data does not end with # EOF')
    if (after === Token.comment) {
      this.#readExemplar()
      return
    }
    // Anything else that is wrong here is found by the next call, at the rest of the line, as upstream.
    if (after !== Token.timestamp) return
    this.hasTimestamp = true
    this.timestampMs = this.#floatTimestamp('timestamp')
    const last = this.#next()
    if (last === Token.comment) this.#readExemplar()
    else if (last !== Token.linebreak) throw this.#unexpected('expected next entry after timestamp', last)
  }

  #readExemplar(): void {
    const offsets = this.#exemplarOffsets
    offsets.length = 0
    this.#labelPairs(offsets, true)
    const value = this.#float(this.#next(), 'exemplar labels')
    const labels: string[] = []
    const pairs: [string, string][] = []
    for (let i = 0; i < offsets.length; i += 4) {
      const name = decodeUtf8(this.#cursor.slice(offsets[i]!, offsets[i + 1]!))
      // Differs: upstream (v3) leaves the escapes in.
      pairs.push([name, this.#unescaped(offsets[i + 2]!, offsets[i + 3]!)])
    }
    pairs.sort((a, b) => compareStrings(a[0], b[0]))
    for (const [name, text] of pairs) labels.push(name, text)
    const after = this.#next()
    if (after === Token.end) throw this.#error('data does not end with # EOF')
    let timestampMs: number | null = null
    if (after === Token.timestamp) {
      timestampMs = this.#floatTimestamp('exemplar timestamp')
      this.#expect(Token.linebreak, 'expected next entry after exemplar timestamp')
    } else if (after !== Token.linebreak) throw this.#unexpected('expected timestamp or comment', after)
    this.exemplar = { labels, value, timestampMs }
  }

  #float(token: Token, after: string): number {
    if (token !== Token.value) throw this.#unexpected(`expected value after ${after}`, token)
    return this.#number()
  }

  /** The number in the present token; OpenMetrics tokens begin with their space. */
  #number(): number {
    const cursor = this.#cursor
    const raw = cursor.slice(cursor.start + (this.format === 'text' ? 0 : 1), cursor.at)
    const value = parseGoFloat(decodeUtf8(raw), () => quoteBytes(raw))
    if (typeof value === 'string') throw this.#whileParsing(value)
    return value
  }

  /** Seconds with a fraction, to whole milliseconds towards zero. */
  #floatTimestamp(what: string): number {
    const seconds = this.#number()
    if (Number.isFinite(seconds)) return millisecondsOf(seconds)
    const text = Number.isNaN(seconds) ? 'NaN' : seconds > 0 ? '+Inf' : '-Inf'
    throw this.#error(`invalid ${what} ${text}`)
  }

  #integerTimestamp(): number {
    const text = decodeUtf8(this.#cursor.slice(this.#cursor.start, this.#cursor.at))
    if (text.length > 18 && BigInt(text) > MAX_INT64) {
      throw this.#whileParsing(`strconv.ParseInt: parsing "${text}": value out of range`)
    }
    return Number(text)
  }

  #next(): Token {
    const lex = this.#lex
    for (;;) {
      const token = lex(this.#cursor)
      if (token !== Token.whitespace) return token
    }
  }

  #expect(expected: Token, message: string): void {
    const token = this.#next()
    if (token !== expected) throw this.#unexpected(message, token)
  }

  #unescaped(from: number, to: number): string {
    const { bytes } = this.#cursor
    for (let i = from; i < to; i++) {
      if (bytes[i] === BACKSLASH) return unescapeText(decodeUtf8(this.#cursor.slice(from, to)), true)
    }
    return sharedText(bytes, from, to)
  }

  #error(message: string): ExpositionError {
    return new ExpositionError(message, this.startBytes)
  }

  #whileParsing(message: string): ExpositionError {
    const line = this.#cursor.slice(this.startBytes, this.#cursor.at)
    return this.#error(`${message} while parsing: ${quoteBytes(line)}`)
  }

  /** Upstream shows one byte more than was read: the one that did not fit. */
  #unexpected(expected: string, token: Token): ExpositionError {
    const cursor = this.#cursor
    const end = Math.min(cursor.lengthBytes, cursor.at + 1)
    const got = quoteBytes(cursor.slice(cursor.start, end))
    const line = quoteBytes(cursor.slice(this.startBytes, end))
    return this.#error(`${expected}, got ${got} ("${TOKEN_NAMES[token]!}") while parsing: ${line}`)
  }
}

/** Whole milliseconds; as Go's conversion on amd64, what no int64 holds becomes the smallest. */
function millisecondsOf(seconds: number): number {
  const ms = Math.trunc(seconds * 1000)
  return Math.abs(ms) < 2 ** 63 ? ms : -(2 ** 63)
}

/** Adds a pair where its name belongs, after those of the same name. Labels come sorted nearly always. */
function insertSorted(flat: string[], name: string, value: string): void {
  let at = flat.length
  while (at > 0 && compareStrings(flat[at - 2]!, name) > 0) at -= 2
  if (at === flat.length) flat.push(name, value)
  else flat.splice(at, 0, name, value)
}

/** Backslash, newline and, where `quotes`, quote; any other escape stays as it is. */
function unescapeText(text: string, quotes: boolean): string {
  if (!text.includes('\\')) return text
  return text.replace(quotes ? /\\["\\n]/g : /\\[\\n]/g, (pair) => (pair[1] === 'n' ? '\n' : pair[1]!))
}

/** Bounds and quantiles in one spelling, whatever the exporter's. As normalizeFloatsInLabelValues upstream. */
function normalizeBound(type: MetricType | null, label: string, value: string): string {
  const isBound = (type === 'summary' && label === 'quantile') || (type === 'histogram' && label === 'le')
  if (!isBound) return value
  const parsed = readGoFloat(value)
  return typeof parsed === 'string' ? value : formatOpenMetricsFloat(parsed)
}
