/**
 * The text that is pushed, read as upstream reads it: other than for scrapes, whole families are wanted, and every
 * refusal has its line and its words. Semantics: prometheus/common expfmt/text_parse.go, TextParser.
 */
import { parseGoFloat } from '../../protocol/exposition/mod.ts'
import { compareStrings, isLegacyLabelName, isLegacyMetricName, METRIC_NAME, quote } from '../../protocol/labels/mod.ts'
import { PushError, type Pushed, type PushedFamily, type PushedMetric, SEPARATOR, tooManySeries } from './families.ts'

type ReadOptions = {
  readonly utf8: boolean
  /** Of families and metrics; what is beyond could not be taken, and is not read either. */
  readonly maxSeries?: number
}
type Part = '' | 'count' | 'sum' | 'bucket'
type Building = {
  readonly name: string
  type: PushedFamily['type'] | null
  help: string | null
  /** Histograms and summaries, by their labels. */
  readonly known: Map<string, PushedMetric>
  readonly metrics: PushedMetric[]
}
type Place = { readonly family: Building; readonly part: Part }

/** A histogram of gauges is shown as one of counters: the text format has no other. */
const TYPES: ReadonlyMap<string, PushedFamily['type']> = new Map([
  ...(['counter', 'gauge', 'summary', 'untyped', 'histogram'] as const).map((type) => [type, type] as const),
  ...['gaugehistogram', 'gauge_histogram'].map((type) => [type, 'histogram'] as const),
])
const NEWLINE = 10
const QUOTE = 34
const HASH = 35
const COMMA = 44
const EQUALS = 61
const BACKSLASH = 92
const OPEN = 123
const CLOSE = 125

/** @throws PushError, PushLimitError */
export function readText(bytes: Uint8Array, options: ReadOptions): Pushed {
  return new TextReader(bytes, options).read()
}

class TextReader {
  readonly #utf8: boolean
  readonly #maxSeries: number
  /** One character a byte. */
  readonly #text: string
  readonly #families = new Map<string, Building>()
  #at = 0
  /** The byte that is looked at. */
  #byte = 0
  #line = 0
  #hasTimestamps = false
  #metrics = 0

  constructor(bytes: Uint8Array, { utf8, maxSeries = Number.POSITIVE_INFINITY }: ReadOptions) {
    this.#text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
    this.#utf8 = utf8
    this.#maxSeries = maxSeries
  }

  read(): Pushed {
    while (this.#startLine()) {
      if (this.#byte === HASH) this.#comment()
      else if (this.#byte !== NEWLINE) this.#sample()
    }
    const families = new Map<string, PushedFamily>()
    for (const { name, type, help, metrics } of this.#families.values()) {
      if (metrics.length === 0) continue
      families.set(name, { name, type: type ?? 'untyped', help: help ?? '', metrics })
      // Differs: upstream shows both, and no scraper takes the page.
      if (metrics.some(({ points }) => new Set(points.map(([bound]) => bound)).size < points.length))
        throw new PushError(`a bucket or quantile is there twice in metric name ${quote(name)}`)
    }
    return { families, hasTimestamps: this.#hasTimestamps, nativeDropped: 0 }
  }

  #startLine(): boolean {
    this.#line++
    do {
      if (this.#at >= this.#text.length) return false
      this.#next()
    } while (isBlank(this.#byte))
    return true
  }

  #comment(): void {
    this.#skipBlanks()
    if (this.#byte === NEWLINE) return
    const keyword = this.#untilWhitespace()
    if (this.#byte === NEWLINE) return
    if (keyword !== 'HELP' && keyword !== 'TYPE') {
      while (this.#byte !== NEWLINE) this.#next()
      return
    }
    this.#skipBlanks()
    const name = this.#name('metric')
    if (this.#byte === NEWLINE) return
    if (!isBlank(this.#byte)) this.#fail('invalid metric name in comment')
    const { family } = this.#family(name)
    this.#skipBlanks()
    if (this.#byte === NEWLINE) return
    if (keyword === 'HELP') this.#help(family)
    else this.#type(family)
  }

  #help(family: Building): void {
    if (family.help !== null) this.#fail(`second HELP line for metric name ${quote(family.name)}`)
    family.help = new TextDecoder().decode(Buffer.from(this.#untilNewline(true), 'latin1'))
  }

  #type(family: Building): void {
    if (family.type !== null)
      this.#fail(`second TYPE line for metric name ${quote(family.name)}, or TYPE reported after samples`)
    const text = this.#untilNewline(false)
    const type = TYPES.get(text.toLowerCase())
    if (type === undefined) this.#fail(`unknown metric type ${shownBytes(text)}`)
    family.type = type
  }

  #sample(): void {
    let place: Place | null = null
    if (this.#byte !== OPEN) {
      const name = this.#name('metric')
      if (name === '') this.#fail('invalid metric name')
      place = this.#typed(name)
      this.#skipBlanksIfAny()
    }
    const found = this.#byte === OPEN ? this.#labels(place) : { place: place!, labels: new Map<string, string>() }
    this.#value(found.place, found.labels)
  }

  /** From the brace to the byte after the blanks behind the closing one. The name may be among the labels. */
  #labels(outside: Place | null): { readonly place: Place; readonly labels: Map<string, string> } {
    const labels = new Map<string, string>()
    const isInside = outside === null
    let place = outside
    for (;;) {
      this.#skipBlanks()
      if (this.#byte === CLOSE) break
      const name = this.#name('label')
      if (name === '') this.#fail(`invalid label name for metric ${quote(place?.family.name ?? '')}`)
      this.#skipBlanksIfAny()
      if (this.#byte !== EQUALS) {
        if (!isInside) this.#fail(`expected '=' after label name, found ${quotedByte(this.#byte)}`)
        if (place !== null) this.#fail(`multiple metric names for metric ${quote(place.family.name)}`)
        if (!this.#endsLabel()) this.#fail(`unexpected end of metric name ${quotedByte(this.#byte)}`)
        place = this.#typed(name)
      } else this.#label(name, labels, place)
      if (this.#byte === CLOSE) break
    }
    // Differs: upstream takes the family of the line before.
    if (place === null) this.#fail('invalid metric name')
    this.#skipBlanks()
    return { place, labels }
  }

  /** From the equals sign to the comma or brace behind the value. */
  #label(name: string, labels: Map<string, string>, place: Place | null): void {
    if (name === METRIC_NAME) this.#fail(`label name ${quote(name)} is reserved`)
    if (this.#utf8 ? !isText(name) : !isLegacyLabelName(name)) this.#fail(`invalid label name ${shownBytes(name)}`)
    if (labels.has(name)) this.#fail(`duplicate label names for metric ${quote(place?.family.name ?? '')}`)
    this.#skipBlanks()
    if (this.#byte !== QUOTE) this.#fail(`expected '"' at start of label value, found ${quotedByte(this.#byte)}`)
    const raw = this.#labelValue()
    if (!isText(raw)) this.#fail(`invalid label value ${shownBytes(raw)}`)
    const value = decoded(raw)
    if (name === boundLabel(place) && typeof goFloat(value) !== 'number')
      this.#fail(`expected float as value for '${name}' label, got ${quote(value)}`)
    labels.set(decoded(name), value)
    this.#skipBlanks()
    if (!this.#endsLabel()) this.#fail(`unexpected end of label value ${quote(value)}`)
  }

  #value(place: Place, labels: Map<string, string>): void {
    const { family } = place
    const name = boundLabel(place)
    const bound = labels.get(name)
    if (name !== '') labels.delete(name)
    const before = family.metrics.length
    const metric = metricOf(family, labels)
    if (family.metrics.length > before && ++this.#metrics > this.#maxSeries) throw tooManySeries(this.#maxSeries)
    const text = this.#untilWhitespace()
    const value = goFloat(text)
    if (typeof value !== 'number') this.#fail(`expected float as value, got ${shownBytes(text)}`)
    this.#put(metric, place, value, bound === undefined ? Number.NaN : (goFloat(bound) as number))
    if (this.#byte === NEWLINE) return
    this.#skipBlanks()
    const timestamp = this.#untilWhitespace()
    if (!/^[+-]?\d{1,19}$/.test(timestamp)) this.#fail(`expected integer as timestamp, got ${shownBytes(timestamp)}`)
    this.#hasTimestamps = true
    const rest = this.#untilNewline(false)
    if (rest !== '') this.#fail(`spurious string after timestamp: ${shownBytes(rest)}`)
  }

  #put(metric: PushedMetric, { family, part }: Place, value: number, bound: number): void {
    const isHistogram = family.type === 'histogram'
    if (!isHistogram && family.type !== 'summary') metric.value = value
    else if (part === 'count') {
      if (isHistogram && value < 0) this.#fail(`negative count for histogram ${quote(family.name)}`)
      metric.count = isHistogram ? value : asUint64(value)
    } else if (part === 'sum') metric.sum = value
    else if (!Number.isNaN(bound)) {
      if (isHistogram && value < 0) this.#fail(`negative bucket population for histogram ${quote(family.name)}`)
      metric.points.push([bound, value])
    }
  }

  #typed(name: string): Place {
    const place = this.#family(name)
    place.family.type ??= 'untyped'
    return place
  }

  #family(raw: string): Place {
    if (raw === '' || (this.#utf8 ? !isText(raw) : !isLegacyMetricName(raw)))
      this.#fail(`invalid metric name ${shownBytes(raw)}`)
    const name = decoded(raw)
    const known = this.#families.get(name)
    if (known) return { family: known, part: '' }
    for (const part of ['count', 'sum', 'bucket'] as const) {
      const base = name.endsWith(`_${part}`) ? this.#families.get(name.slice(0, -part.length - 1)) : undefined
      if (base && (base.type === 'histogram' || (base.type === 'summary' && part !== 'bucket')))
        return { family: base, part }
    }
    if (this.#families.size >= this.#maxSeries) throw tooManySeries(this.#maxSeries)
    const family: Building = { name, type: null, help: null, known: new Map(), metrics: [] }
    this.#families.set(name, family)
    return { family, part: '' }
  }

  /** @throws PushError at the end of the input */
  #next(): void {
    if (this.#at >= this.#text.length) this.#fail('unexpected end of input stream')
    this.#byte = this.#text.charCodeAt(this.#at++)
  }

  #endsLabel(): boolean {
    return this.#byte === COMMA || this.#byte === CLOSE
  }

  /** To the next byte that is no blank. */
  #skipBlanks(): void {
    do this.#next()
    while (isBlank(this.#byte))
  }

  #skipBlanksIfAny(): void {
    if (isBlank(this.#byte)) this.#skipBlanks()
  }

  #untilWhitespace(): string {
    const from = this.#at - 1
    while (!isBlank(this.#byte) && this.#byte !== NEWLINE) this.#next()
    return this.#text.slice(from, this.#at - 1)
  }

  /** Backslashes are left out also where they say nothing. */
  #untilNewline(hasEscapes: boolean): string {
    const from = this.#at - 1
    const end = this.#text.indexOf('\n', from)
    const quick = end < 0 ? null : this.#text.slice(from, end)
    // At one go where there is nothing to leave out.
    if (quick !== null && !quick.includes('\\')) {
      this.#at = end + 1
      this.#byte = NEWLINE
      return quick
    }
    let out = ''
    for (; this.#byte !== NEWLINE; this.#next())
      if (this.#byte !== BACKSLASH) out += String.fromCharCode(this.#byte)
      else if (hasEscapes) out += this.#escape()
    return out
  }

  /** Of a metric or label, quoted or not, and the byte behind it; '' where none begins. */
  #name(kind: 'metric' | 'label'): string {
    const colon = kind === 'metric'
    if (this.#byte !== QUOTE) {
      const from = this.#at - 1
      if (!isNameByte(this.#byte, colon) || isDigit(this.#byte)) return ''
      do this.#next()
      while (isNameByte(this.#byte, colon))
      const bare = this.#text.slice(from, this.#at - 1)
      if (this.#byte !== QUOTE) return bare
      // Upstream takes a quote for a part of the name.
      const rest = this.#quoted(`${kind} name`)
      this.#next()
      return bare + rest
    }
    const name = this.#quoted(`${kind} name`)
    this.#next()
    return name
  }

  #labelValue(): string {
    return this.#quoted('label value')
  }

  /** To the closing quote. */
  #quoted(what: string): string {
    const { QUICK } = TextReader
    QUICK.lastIndex = this.#at
    const quick = QUICK.exec(this.#text)
    if (quick) {
      this.#at = QUICK.lastIndex
      this.#byte = QUOTE
      return quick[1]!
    }
    let out = ''
    for (this.#next(); this.#byte !== QUOTE; this.#next()) {
      if (this.#byte === NEWLINE) this.#fail(`${what} ${shownBytes(out)} contains unescaped new-line`)
      out += this.#byte === BACKSLASH ? this.#escape() : String.fromCharCode(this.#byte)
    }
    return out
  }
  /** Without escapes, at one go. */
  static readonly QUICK = /([^"\\\n]*)"/y

  #escape(): string {
    this.#next()
    const char = String.fromCharCode(this.#byte)
    if (char === 'n') return '\n'
    if (char === '\\' || char === '"') return char
    return this.#fail(`invalid escape sequence '\\${char}'`)
  }

  #fail(problem: string): never {
    throw new PushError(`text format parsing error in line ${this.#line}: ${problem}`)
  }
}

/** Plain metrics may repeat here: that is told when the group is checked. Labels are sorted with those of the group. */
function metricOf(family: Building, labels: ReadonlyMap<string, string>): PushedMetric {
  const flat: string[] = []
  for (const [name, value] of labels) flat.push(name, value)
  const metric: PushedMetric = { labels: flat, value: 0, points: [], sum: 0, count: 0 }
  if (family.type === 'histogram' || family.type === 'summary') {
    const key = [...labels]
      .sort(([a], [b]) => compareStrings(a, b))
      .flat()
      .join(SEPARATOR)
    const known = family.known.get(key)
    if (known) return known
    family.known.set(key, metric)
  }
  family.metrics.push(metric)
  return metric
}

function boundLabel(place: Place | null): string {
  if (place?.family.type === 'summary') return 'quantile'
  return place?.family.type === 'histogram' ? 'le' : ''
}

const goFloat = (text: string): number | string => parseGoFloat(text, quote)
const isBlank = (byte: number): boolean => byte === 32 || byte === 9
const isDigit = (byte: number): boolean => byte >= 48 && byte <= 57
const isNameByte = (byte: number, colon: boolean): boolean =>
  (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || isDigit(byte) || byte === 95 || (colon && byte === 58)

const isAscii = (raw: string): boolean => /^[\x00-\x7f]*$/.test(raw)

function isText(raw: string): boolean {
  if (raw === '') return true
  if (isAscii(raw)) return true
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(raw, 'latin1'))
    return true
  } catch {
    return false
  }
}

const decoded = (raw: string): string => (isAscii(raw) ? raw : Buffer.from(raw, 'latin1').toString('utf8'))

/** As Go shows bytes that may be no text. */
function shownBytes(raw: string): string {
  if (isText(raw)) return quote(decoded(raw))
  // See `quote`: a lone surrogate is a byte.
  return quote(raw.replace(/[\x80-\xff]/g, (char) => String.fromCharCode(0xdc00 + char.charCodeAt(0))))
}

/** A byte as Go shows a character. */
function quotedByte(byte: number): string {
  const char = String.fromCharCode(byte)
  return char === "'" ? "'\\''" : `'${char === '"' ? '"' : quote(char).slice(1, -1)}'`
}

/** As Go on amd64 converts a float to a uint64: what is no such number wraps, or becomes 2^63. */
function asUint64(value: number): number {
  const whole = Math.trunc(value)
  if (Math.abs(whole) < 2 ** 63) return Number(BigInt.asUintN(64, BigInt(whole)))
  return whole >= 2 ** 63 && whole < 2 ** 64 ? whole : 2 ** 63
}
