/**
 * YAML into plain typed data, by decoders that know where they are: every complaint carries file, line, column, the
 * path of the key and what was wrong with it. The parser is the `yaml` package (aliases bounded, so that a
 * billion-laughs file is refused); what is here is the walk over its tree.
 */
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  parseDocument,
  type Scalar,
  type YAMLMap,
} from 'yaml'

export class ConfigError extends Error {
  readonly file: string
  readonly line: number
  readonly column: number
  /** Like `scrape_configs[0].scrape_interval`; '' for the whole file. */
  readonly key: string
  /** What is wrong, without the place. */
  readonly problem: string
  constructor(place: Place, problem: string, options?: ErrorOptions) {
    const key = place.key === '' ? '' : `, key ${place.key}`
    super(`parsing YAML file ${place.file}: ${problem} (at ${place.file}:${place.line}:${place.column}${key})`, options)
    this.name = 'ConfigError'
    this.file = place.file
    this.line = place.line
    this.column = place.column
    this.key = place.key
    this.problem = problem
  }
}

export type Place = { readonly file: string; readonly line: number; readonly column: number; readonly key: string }

/** A value that never shows itself: printing, JSON and inspection all give `<secret>`. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '<secret>'
  }
  toJSON(): string {
    return '<secret>'
  }
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '<secret>'
  }
}

type YamlNode = Node | null

/** Where a decoder stands; `at` goes one key deeper. */
export class Cursor {
  readonly node: YamlNode
  readonly key: string
  readonly source: Source
  constructor(node: YamlNode, key: string, source: Source) {
    this.source = source
    this.node = isAlias(node) ? ((node as Alias).resolve(source.document) ?? null) : node
    this.key = key
  }

  child(node: YamlNode, name: string | number): Cursor {
    const key = typeof name === 'number' ? `${this.key}[${name}]` : this.key === '' ? name : `${this.key}.${name}`
    return new Cursor(node, key, this.source)
  }

  get isNull(): boolean {
    return this.node === null || (isScalar(this.node) && (this.node.value === null || this.node.value === undefined))
  }

  /** From whoever looks at the configuration, who sees this instead. */
  hide(shown: string): void {
    if (isScalar(this.node)) this.source.secrets.set(this.node, shown)
  }

  fail(problem: string, cause?: unknown): never {
    throw new ConfigError(this.place(), problem, cause === undefined ? undefined : { cause })
  }

  /** A value of the wrong kind, in the words of Go's YAML library. */
  mismatch(wanted: string): never {
    const { line } = this.place()
    this.fail(`yaml: unmarshal errors: line ${line}: cannot unmarshal ${describe(this.node)} into ${wanted}`)
  }

  place(): Place {
    const offset = this.node?.range?.[0] ?? 0
    const { line, col } = this.source.lines.linePos(offset)
    return { file: this.source.file, line: Math.max(1, line), column: Math.max(1, col), key: this.key }
  }
}

export type Source = {
  readonly file: string
  readonly text: string
  readonly lines: LineCounter
  readonly document: Document
  /** What is shown instead of each. */
  readonly secrets: Map<Scalar, string>
  /** Keys that nobody knows are passed over instead of refused. */
  readonly ignoreUnknown: boolean
  /** Takes every complaint, and reading goes on after each; null: the first ends it. */
  readonly problems: ConfigError[] | null
}

export type Decoder<T> = (at: Cursor) => T

const MAX_ALIASES = 100

export type DecodeOptions = { readonly ignoreUnknown?: boolean; readonly problems?: ConfigError[] }

/**
 * Parses the text and decodes its root.
 * @param options.problems gets every complaint, the one that is thrown included, as far as reading can go on
 * @throws ConfigError the first
 */
export function decodeYaml<T>(
  text: string,
  file: string,
  decoder: Decoder<T>,
  { ignoreUnknown = false, problems }: DecodeOptions = {},
): { readonly value: T; readonly source: Source } {
  const lines = new LineCounter()
  const document = firstDocument(text, lines)
  const source: Source = { file, text, lines, document, secrets: new Map(), ignoreUnknown, problems: problems ?? null }
  const reading = new Reading(source)
  for (const broken of document.errors)
    reading.attempt(() => {
      const { line, col } = lines.linePos(broken.pos[0])
      throw new ConfigError({ file, line, column: col, key: '' }, `yaml: line ${line}: ${broken.message}`)
    })
  reading.end()
  reading.attempt(() => countAliases(document, file))
  reading.end()
  let value: { readonly of: T } | null = null
  reading.attempt(() => {
    value = { of: decoder(new Cursor(document.contents as YamlNode, '', source)) }
  })
  reading.end()
  return { value: value!.of, source }
}

/** Resolves every alias once, counted: a small file must not grow into a large tree. @throws ConfigError */
function countAliases(document: Document, file: string): void {
  try {
    document.toJS({ maxAliasCount: MAX_ALIASES })
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    // Values that JavaScript cannot make (bad !!binary) are the decoders' to report, with their place.
    if (/alias/i.test(text)) throw new ConfigError({ file, line: 1, column: 1, key: '' }, `yaml: ${text}`)
  }
}

/** The parts of something, each read for itself: where all complaints are wanted, one costs its part alone. */
class Reading {
  readonly #source: Source
  #first: ConfigError | null = null
  constructor(source: Source) {
    this.#source = source
  }

  attempt(read: () => void): void {
    const { problems } = this.#source
    try {
      read()
    } catch (error) {
      if (problems === null || !(error instanceof ConfigError)) throw error
      if (!problems.includes(error)) problems.push(error)
      this.#first ??= error
    }
  }

  /** What has bad parts is bad. @throws ConfigError the first */
  end(): void {
    if (this.#first) throw this.#first
  }
}

/** The place of a key, or of the last one on the way to it that is there. @param path as in `exporters`, `node` */
export function placeOf(text: string, file: string, path: readonly (string | number)[]): Place {
  const lines = new LineCounter()
  const document = firstDocument(text, lines)
  let node = document.contents as YamlNode
  let offset = node?.range?.[0] ?? 0
  for (const step of path) {
    if (isAlias(node)) node = (node as Alias).resolve(document) ?? null
    if (isMap(node)) {
      const pair = (node as YAMLMap<Node, YamlNode>).items.find(
        ({ key }) => isScalar(key) && String(key.value) === step,
      )
      if (!pair) break
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      node = (node.items[Number(step)] as YamlNode | undefined) ?? null
      offset = node?.range?.[0] ?? offset
    } else break
  }
  const { line, col } = lines.linePos(offset)
  const key = path.reduce<string>(
    (so, step) => (typeof step === 'number' ? `${so}[${step}]` : so === '' ? step : `${so}.${step}`),
    '',
  )
  return { file, line: Math.max(1, line), column: Math.max(1, col), key }
}

/** Go's libraries read one document and look at none that follow. */
function firstDocument(text: string, lineCounter: LineCounter): Document {
  const options = { lineCounter, uniqueKeys: false, version: '1.2', prettyErrors: false, logLevel: 'error' } as const
  const all = parseAllDocuments(text, options)
  // A stream without documents is a list of its own kind.
  return 'empty' in all ? parseDocument(text, options) : (all[0] ?? parseDocument(text, options))
}

/** The text with every secret replaced by `<secret>`, and passwords of URLs by `xxxxx`, for `/api/v1/status/config`. */
export function redactedYaml({ document, secrets }: Source): string {
  const saved = [...secrets].map(([node, shown]) => [node, node.value, shown] as const)
  for (const [node, , shown] of saved) node.value = shown
  const text = document.toString()
  for (const [node, value] of saved) node.value = value
  return text
}

// Scalars.

export const string: Decoder<string> = (at) => {
  if (at.isNull) return ''
  const { node } = at
  if (!isScalar(node)) return at.mismatch('string')
  if (node.tag === 'tag:yaml.org,2002:binary' || node.tag === '!!binary') return binary(at, node)
  // Go's library reads any plain scalar into a string field as it was written.
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value))
}

function binary(at: Cursor, node: Scalar): string {
  // The parser decodes leniently, so the text is taken from the file.
  const [start, end] = node.range ?? [0, 0]
  const text = at.source.text.slice(start, end).replace(/[\s'"|]/g, '')
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text)) {
    return at.fail('yaml: !!binary value contains invalid base64 data')
  }
  return bytesToString(Uint8Array.from(atob(text), (char) => char.charCodeAt(0)))
}

/** Bytes that are no UTF-8 become lone surrogates U+DC80…U+DCFF, so that `isWellFormed` tells them. */
function bytesToString(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return Array.from(bytes, (byte) => String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte)).join('')
  }
}

/** For messages: the escaped bytes of what `bytesToString` could not decode. */
export function quoteBytes(text: string): string {
  return JSON.stringify(text).replace(/\\udc([89a-f][0-9a-f])/g, '\\x$1')
}

export const secret: Decoder<Secret> = (at) => {
  const value = string(at)
  if (value !== '') at.hide('<secret>')
  return new Secret(value)
}

export const boolean: Decoder<boolean> = (at) => {
  if (at.isNull) return false
  // What stands in quotes is a string.
  if (isScalar(at.node) && at.node.type === 'PLAIN') {
    const text = String(at.node.source ?? at.node.value)
    // YAML 1.1 words, which Go's library still takes for a boolean field.
    if (/^(?:true|yes|on|y)$/i.test(text)) return true
    if (/^(?:false|no|off|n)$/i.test(text)) return false
  }
  return at.mismatch('bool')
}

export const number: Decoder<number> = (at) => {
  if (at.isNull) return 0
  if (isScalar(at.node) && typeof at.node.value === 'number') return at.node.value
  return at.mismatch('float64')
}

export const integer: Decoder<number> = (at) => wholeNumber(at, 'int')

export const natural: Decoder<number> = (at) => {
  const value = wholeNumber(at, 'uint')
  return value < 0 ? at.mismatch('uint') : value
}

/** Go's library passes over `_` between the digits of a number. */
function numberOf({ value, type, source = '' }: Scalar): unknown {
  const isSpaced = typeof value === 'string' && type === 'PLAIN' && /^[-+]?\d[\d_]*$/.test(source)
  return isSpaced ? Number(source.replaceAll('_', '')) : value
}

/** Go's library cuts fractions off. */
function wholeNumber(at: Cursor, wanted: string): number {
  const value = at.isNull ? 0 : isScalar(at.node) ? numberOf(at.node) : null
  if (typeof value === 'number' && Number.isSafeInteger(Math.trunc(value))) return Math.trunc(value) + 0
  return at.mismatch(wanted)
}

/** Go's names of types, for messages about lists and mappings of them. */
const TYPE_NAMES = new WeakMap<Decoder<unknown>, string>([
  [string, 'string'],
  [secret, 'string'],
  [boolean, 'bool'],
  [number, 'float64'],
  [integer, 'int'],
  [natural, 'uint'],
])

const POINTERS = new WeakSet<Decoder<unknown>>()

/** A field that holds nothing where it is written without a value: Go's library asks no type what null is. */
export function pointer<T>(decoder: Decoder<T>): Decoder<T> {
  const own: Decoder<T> = (at) => decoder(at)
  POINTERS.add(own)
  return own
}

/** Turns a parser's exception into a complaint with a place. */
export function parsed<T>(parse: (text: string) => T): Decoder<T> {
  return pointer((at) => {
    const text = string(at)
    try {
      return parse(text)
    } catch (error) {
      return at.fail(error instanceof Error ? error.message : String(error), error)
    }
  })
}

export function oneOf<const T extends string>(values: readonly T[], complain: (value: string) => string): Decoder<T> {
  return (at) => {
    const text = string(at)
    return (values as readonly string[]).includes(text) ? (text as T) : at.fail(complain(text))
  }
}

// Structures.

/** As version 3 of Go's library reads a list of structures: empty items are none. */
export function listOfFilled<T>(item: Decoder<T>): Decoder<readonly T[]> {
  const items = list((at) => (at.isNull ? [] : [item(at)]))
  return (at) => items(at).flat() as T[]
}

/** `onNull`: the complaint about an empty item; without it the item is decoded as null. */
export function list<T>(item: Decoder<T>, onNull?: string): Decoder<readonly T[]> {
  return (at) => {
    if (at.isNull) return []
    if (!isSeq(at.node)) return at.mismatch(`[]${TYPE_NAMES.get(item) ?? ''}`)
    const out: T[] = []
    const reading = new Reading(at.source)
    for (const [i, node] of at.node.items.entries())
      reading.attempt(() => {
        const child = at.child(node as YamlNode, i)
        if (child.isNull && onNull !== undefined) child.fail(onNull)
        out.push(item(child))
      })
    reading.end()
    return out
  }
}

export function record<T>(
  value: Decoder<T>,
  checkKey?: (key: string, at: Cursor) => void,
): Decoder<Readonly<Record<string, T>>> {
  return (at) => {
    const out: Record<string, T> = Object.create(null)
    const reading = new Reading(at.source)
    for (const [name, child, keyAt] of entries(at, `map[string]${TYPE_NAMES.get(value) ?? ''}`))
      reading.attempt(() => {
        if (name in out)
          keyAt.fail(
            `yaml: unmarshal errors: line ${keyAt.place().line}: key ${JSON.stringify(name)} already set in map`,
          )
        checkKey?.(name, keyAt)
        out[name] = value(child)
      })
    reading.end()
    return out
  }
}

type Fields = Readonly<Record<string, Decoder<unknown>>>
export type Raw<F extends Fields> = { readonly [K in keyof F]?: F[K] extends Decoder<infer T> ? T : never }

/** A mapping with known keys; `type` is upstream's name for it in `field x not found in type y`. */
export function object<F extends Fields, T>(
  type: string,
  fields: F,
  finish: (raw: Raw<F>, at: Cursor) => T,
): Decoder<T> {
  return (at) => {
    const raw: Record<string, unknown> = Object.create(null)
    const reading = new Reading(at.source)
    for (const [name, child, keyAt] of entries(at, type))
      reading.attempt(() => {
        const decoder = Object.hasOwn(fields, name) ? fields[name] : undefined
        const { line } = keyAt.place()
        if (!decoder && at.source.ignoreUnknown) return
        if (!decoder)
          return keyAt.fail(
            `yaml: unmarshal errors: line ${line}: field ${name} not found in type ${type}${suggest(name, fields)}`,
          )
        if (name in raw)
          return keyAt.fail(`yaml: unmarshal errors: line ${line}: field ${name} already set in type ${type}`)
        raw[name] = child.isNull && POINTERS.has(decoder) ? undefined : decoder(child)
      })
    reading.end()
    return finish(raw as Raw<F>, at)
  }
}

/** Members in order, merge keys (`<<`) resolved; explicit keys win over merged ones. */
function* entries(at: Cursor, wanted: string): Generator<readonly [name: string, child: Cursor, key: Cursor]> {
  if (at.isNull) return
  if (!isMap(at.node)) return at.mismatch(wanted)
  const explicit = new Set(at.node.items.map((pair) => (isScalar(pair.key) ? String(pair.key.value) : '')))
  for (const pair of (at.node as YAMLMap<Node, YamlNode>).items) {
    const keyAt = at.child(pair.key, '?')
    const name = string(keyAt)
    if (name !== '<<') {
      yield [name, at.child(pair.value, name), at.child(pair.key, name)]
      continue
    }
    const merged = at.child(pair.value, '<<')
    const sources = isSeq(merged.node)
      ? merged.node.items.map((node, i) => merged.child(node as YamlNode, i))
      : [merged]
    for (const from of sources) {
      for (const entry of entries(from, wanted)) if (!explicit.has(entry[0])) yield entry
    }
  }
}

function suggest(name: string, fields: Fields): string {
  const near = Object.keys(fields).find((field) => editDistance(field, name) <= 2)
  return near ? `; did you mean ${near}?` : ''
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
    }
    row = next
  }
  return row[b.length]!
}

function describe(node: YamlNode): string {
  if (isMap(node)) return '!!map'
  if (isSeq(node)) return '!!seq'
  if (!isScalar(node)) return '!!null'
  const { value } = node
  const kind = typeof value === 'string' ? 'str' : typeof value === 'boolean' ? 'bool' : isFloat(node) ? 'float' : 'int'
  const text = String(node.source ?? value)
  // Go's library counts bytes, and cuts them wherever: characters that it would tear are kept whole.
  return `!!${kind} \`${new TextEncoder().encode(text).length > 10 ? `${text.slice(0, 7)}...` : text}\``
}

/** Whether it is written as one: `1e3` is, though its value is whole, and what no integer holds. */
const isFloat = ({ value, source }: Scalar): boolean =>
  !Number.isInteger(value) ||
  Math.abs(value as number) >= 2 ** 64 ||
  (/^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(source ?? '') && /[.e]/i.test(source ?? ''))
