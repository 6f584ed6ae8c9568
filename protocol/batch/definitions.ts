/**
 * The dictionary part of a payload: series definitions, with every string once.
 *
 *     symbols      count, byte length of each, UTF-8 of all
 *     metadata     count, then (type, help symbol, unit symbol) of each; one whose unit is "\0family" is no metadata, but
 *                  the family's name of the one before it, as help. Readers that do not know this have it for
 *                  metadata of no series
 *     definitions  count, gaps between ids, metadata refs (0 none, 1 + index), label counts, symbols of the labels
 *
 * Like stands by like (all ids, all refs, all counts, all labels), which is what zstd wants.
 */
import { compareStrings, type Labels, labelsFromSorted } from '../labels/mod.ts'
import type { Metadata, MetricType } from '../samples/mod.ts'
import type { ByteReader } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import type { BatchLimits } from './limits.ts'
import type { SeriesDefinition } from './types.ts'

const METRIC_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
]
const encoder = new TextEncoder()

/** A metadata entry: its place in the table, and symbols. */
type Family = { readonly index: number; readonly type: number; readonly help: number; readonly unit: number }

/** No unit of an exposition: parsers refuse the byte 0 in names. */
const FAMILY_NAME = '\0family'

/** @param definitions ascending by id */
export function writeDefinitions(out: ByteWriter, definitions: readonly SeriesDefinition[]): void {
  const symbols = new Map<string, number>()
  const intern = (text: string): number => {
    const known = symbols.get(text)
    if (known !== undefined) return known
    symbols.set(text, symbols.size)
    return symbols.size - 1
  }
  const refCount = internNames(definitions, intern)
  const labelRefs = refsOf(definitions, refCount, intern)
  const families = new Map<string, Family>()
  const refs = metadataRefs(definitions, families, intern)
  writeSymbols(out, symbols)
  out.varint(families.size)
  for (const { type, help, unit } of families.values()) {
    out.byte(type)
    out.varint(help)
    out.varint(unit)
  }
  out.varint(definitions.length)
  writeIds(out, definitions)
  writeAll(out, refs)
  for (const { labels } of definitions) out.varint(labels.length / 2)
  writeAll(out, labelRefs)
}

/**
 * Label names first: few, used most, so that their indices stay at one byte. (A function for each loop: a batch has one
 * round of each, so what runs once for all of them is compiled in the middle of a loop, and thrown away at its end.)
 * @returns how many symbols the labels take
 */
function internNames(definitions: readonly SeriesDefinition[], intern: (text: string) => number): number {
  let refCount = 0
  let before: readonly string[] = []
  for (const { labels } of definitions) {
    refCount += labels.length
    for (let i = 0; i < labels.length; i += 2) if (labels[i] !== before[i]) intern(labels[i]!)
    before = labels
  }
  return refCount
}

function writeIds(out: ByteWriter, definitions: readonly SeriesDefinition[]): void {
  for (let i = 0, next = 0; i < definitions.length; i++) {
    out.varint(definitions[i]!.id - next)
    next = definitions[i]!.id + 1
  }
}

function writeAll(out: ByteWriter, numbers: Uint32Array): void {
  for (let i = 0; i < numbers.length; i++) out.varint(numbers[i]!)
}

/**
 * Symbols of all labels, one definition after the other. Neighbours mostly differ in one label or two: comparing with
 * the one before costs less than looking every string up, and a keyframe has ten strings for each series.
 */
function refsOf(
  definitions: readonly SeriesDefinition[],
  count: number,
  intern: (text: string) => number,
): Uint32Array {
  const refs = new Uint32Array(count)
  let at = 0
  let before: readonly string[] = []
  for (const { labels } of definitions) {
    const n = labels.length
    const shift = before.length
    for (let i = 0; i < n; i++) refs[at + i] = labels[i] === before[i] ? refs[at - shift + i]! : intern(labels[i]!)
    at += n
    before = labels
  }
  return refs
}

/** 0 for none. Series of one family stand together and share the object. */
function metadataRefs(
  definitions: readonly SeriesDefinition[],
  families: Map<string, Family>,
  intern: (text: string) => number,
): Uint32Array {
  const refs = new Uint32Array(definitions.length)
  let before: Metadata | null = null
  for (let i = 0; i < refs.length; i++) {
    const { metadata } = definitions[i]!
    if (metadata === before) refs[i] = i === 0 ? 0 : refs[i - 1]!
    else if (metadata !== null) refs[i] = 1 + internMetadata(families, intern, metadata)
    before = metadata
  }
  return refs
}

/**
 * @param firstId no definition may have an id below it
 * @returns ascending by id
 */
export function readDefinitions(input: ByteReader, firstId: number, limits: BatchLimits): SeriesDefinition[] {
  const symbols = readSymbols(input, limits)
  const families = readFamilies(input, symbols)
  const count = input.count(3)
  if (count > limits.maxSeries) input.fail(`it defines ${count} series, at most ${limits.maxSeries} are allowed`)
  const ids = new Uint32Array(count)
  for (let i = 0, next = 0; i < count; i++) {
    const id = next + input.varint()
    if (id < firstId || id >= limits.maxSeries)
      input.fail(`series id ${id} is outside ${firstId} to ${limits.maxSeries}`)
    ids[i] = id
    next = id + 1
  }
  const metadata: (Metadata | null)[] = []
  for (let i = 0; i < count; i++) {
    const ref = input.varint()
    if (ref > families.length) input.fail(`there is no metadata ${ref}`)
    metadata.push(ref === 0 ? null : families[ref - 1]!)
  }
  const labelCounts = new Uint32Array(count)
  for (let i = 0; i < count; i++) labelCounts[i] = input.count(2)
  const definitions: SeriesDefinition[] = []
  for (let i = 0; i < count; i++)
    definitions.push({ id: ids[i]!, labels: readLabels(input, symbols, labelCounts[i]!), metadata: metadata[i]! })
  return definitions
}

function internMetadata(
  families: Map<string, Family>,
  intern: (text: string) => number,
  { type, help, unit, family }: Metadata,
): number {
  // With lengths, so that no text passes for two others.
  const key = `${type} ${help.length} ${unit.length} ${help}${unit}${family ?? ''}`
  const known = families.get(key)
  if (known !== undefined) return known.index
  const index = families.size
  const entry = { index, type: Math.max(0, METRIC_TYPES.indexOf(type)), help: intern(help) }
  families.set(key, { ...entry, unit: intern(unit === FAMILY_NAME ? '' : unit) })
  if (family !== undefined)
    families.set(` ${key}`, { index: index + 1, type: 0, help: intern(family), unit: intern(FAMILY_NAME) })
  return index
}

function writeSymbols(out: ByteWriter, symbols: ReadonlyMap<string, number>): void {
  const texts = Array.from(symbols.keys(), (text) => encoder.encode(text))
  out.varint(texts.length)
  for (const bytes of texts) out.varint(bytes.length)
  for (const bytes of texts) out.raw(bytes)
}

function readSymbols(input: ByteReader, limits: BatchLimits): string[] {
  const count = input.count()
  const lengths = new Uint32Array(count)
  for (let i = 0; i < count; i++) lengths[i] = Math.min(input.varint(), 0xffffffff)
  const symbols: string[] = []
  for (let i = 0; i < count; i++) symbols.push(input.utf8(lengths[i]!, limits.maxStringBytes))
  return symbols
}

function readFamilies(input: ByteReader, symbols: readonly string[]): Metadata[] {
  const count = input.count(3)
  const families: Metadata[] = []
  for (let i = 0; i < count; i++) {
    const type = METRIC_TYPES[input.byte()] ?? input.fail('a metric type is not known')
    const help = readSymbol(input, symbols)
    const unit = readSymbol(input, symbols)
    const before = unit === FAMILY_NAME ? families.at(-1) : undefined
    if (before !== undefined) families[families.length - 1] = { ...before, family: help }
    // In its place, so that references still count right.
    families.push({ type, help, unit })
  }
  return families
}

/** Proves what `labelsFromSorted` trusts. */
function readLabels(input: ByteReader, symbols: readonly string[], labelCount: number): Labels {
  const flat: string[] = []
  for (let i = 0; i < labelCount; i++) {
    const name = readSymbol(input, symbols)
    const value = readSymbol(input, symbols)
    if (name === '' || value === '') input.fail('a label name or value is empty')
    if (i > 0 && compareStrings(flat[2 * i - 2]!, name) >= 0) input.fail('labels are not sorted by name')
    flat.push(name, value)
  }
  return labelsFromSorted(flat)
}

function readSymbol(input: ByteReader, symbols: readonly string[]): string {
  const index = input.varint()
  return index < symbols.length ? symbols[index]! : input.fail(`there is no symbol ${index}`)
}
