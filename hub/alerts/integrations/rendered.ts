/**
 * What a template wrote, read as YAML: a number, a list or a mapping arrives as one, and not as a text of it.
 * Semantics: Alertmanager template.DeepCopyWithTemplate (v0.33), which reads with go-yaml 2: YAML 1.1 without base 60.
 * Differs: texts within what was read are no templates again (they are the labels and annotations of alerts), and what
 * no JSON can hold (`.inf`, `.nan`) stays text instead of being a failure.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseAllDocuments } from 'yaml'

const NODES_MAX = 100_000
/** Texts within texts. */
const LEVELS_MAX = 8
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word) => [word, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word) => [word, false] as const),
  ...['', '~', 'null', 'Null', 'NULL'].map((word) => [word, null] as const),
])
const TYPED = new Set(['int', 'float', 'bool', 'null'].map((type) => `tag:yaml.org,2002:${type}`))

/** The text itself where it is a text in YAML, too, or no YAML. */
export function readRendered(text: string, level = 0): unknown {
  const value = level < LEVELS_MAX ? parsed(text) : text
  if (typeof value === 'string') return text
  return deepened(value, level)
}

function deepened(value: unknown, level: number): unknown {
  if (typeof value === 'string') return readRendered(value, level + 1)
  if (Array.isArray(value)) return value.map((item) => deepened(item, level))
  if (!(value instanceof Map)) return value
  return Object.fromEntries([...value].map(([name, item]) => [name, deepened(item, level)]))
}

function parsed(text: string): unknown {
  // The parser passes over directives that it does not know.
  if (text.startsWith('%')) return text
  try {
    const options = { schema: 'failsafe', version: '1.1', uniqueKeys: false, logLevel: 'silent' } as const
    const all = parseAllDocuments(text, options)
    if ('empty' in all) return null
    const [document] = all
    return !document || document.errors.length > 0 ? text : new Reader(document).valueOf(document.contents)
  } catch {
    // Nested too deeply, too large, or an alias of nothing.
    return text
  }
}

class Reader {
  readonly #document: Document
  #left = NODES_MAX

  constructor(document: Document) {
    this.#document = document
  }

  valueOf(node: unknown): unknown {
    if (this.#left-- === 0) throw new RangeError('too many nodes')
    if (isAlias(node)) {
      const meant = node.resolve(this.#document)
      if (!meant) throw new RangeError(`unknown anchor ${node.source}`)
      return this.valueOf(meant)
    }
    if (isSeq(node)) return node.items.map((item) => this.valueOf(item))
    if (isMap(node)) return this.#mapOf(node.items)
    if (!isScalar(node)) return null
    const isPlain = node.type === 'PLAIN' && node.tag === undefined
    return isPlain || TYPED.has(node.tag ?? '') ? scalarOf(node.source ?? '') : String(node.value)
  }

  /** What is merged in stands back; what is no text is no name. */
  #mapOf(items: readonly { readonly key: unknown; readonly value: unknown }[]): Map<string, unknown> {
    const own = new Map<string, unknown>()
    const merged: unknown[] = []
    for (const { key, value } of items) {
      const name = this.valueOf(key as Node | null)
      if (name === '<<' && isScalar(key) && key.type === 'PLAIN') merged.push(this.valueOf(value))
      else if (typeof name === 'string') own.set(name, this.valueOf(value))
    }
    const maps = merged.flat().filter((each) => each instanceof Map)
    return maps.length === 0 ? own : new Map([...maps.reverse(), own].flatMap((map) => [...map]))
  }
}

function scalarOf(source: string): unknown {
  const word = WORDS.get(source)
  if (word !== undefined) return word
  if (/^[-+0-9]/.test(source)) {
    const plain = source.replaceAll('_', '')
    return wholeOf(plain) ?? fractionOf(plain) ?? source
  }
  return source.startsWith('.') ? (fractionOf(source) ?? source) : source
}

const WHOLE = /^([-+]?)(?:0x([0-9a-f]+)|0o?([0-7]+)|0b([01]+)|(0|[1-9]\d*))$/i

function wholeOf(plain: string): unknown {
  const [, sign = '', hex, octal, binary, decimal] = WHOLE.exec(plain) ?? []
  const digits = [hex && `0x${hex}`, octal && `0o${octal}`, binary && `0b${binary}`, decimal].find(Boolean)
  if (digits === undefined) return null
  const value = sign === '-' ? -BigInt(digits) : BigInt(digits)
  if (value < -(2n ** 63n) || value >= 2n ** (sign === '' ? 64n : 63n)) return null
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : exact(value)
}

/** Digits that a number would lose reach the service. */
function exact(value: bigint): unknown {
  const json = JSON as { readonly rawJSON?: (text: string) => unknown }
  return json.rawJSON?.(String(value)) ?? Number(value)
}

function fractionOf(plain: string): number | null {
  if (!/^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(plain)) return null
  const number = Number(plain)
  return Number.isFinite(number) ? number : null
}
