/** Metadata of metric families: a list of blocks of symbols in shared memory. */
import type { Metadata, MetricType } from '../../protocol/samples/mod.ts'
import type { Allocator } from './allocator.ts'
import { C_METADATA, M_FAMILY, M_HELP, M_NEXT, M_TYPE, M_UNIT, M_WORDS } from './layout.ts'
import type { Memory } from './memory.ts'
import type { SymbolWriter } from './symbol-writer.ts'
import type { SymbolReader } from './symbols.ts'

const TYPES: readonly MetricType[] = [
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
  'unknown',
]
/** Targets that disagree about a family: so many versions are kept. */
const VERSIONS_MAX = 8

export class MetadataWriter {
  readonly #mem: Memory
  readonly #alloc: Allocator
  readonly #symbols: SymbolWriter
  readonly #familiesMax: number
  /** What is stored, by family: families are few where series are many. */
  readonly #known = new Map<string, Metadata[]>()
  dropped = 0

  constructor(
    mem: Memory,
    alloc: Allocator,
    symbols: SymbolWriter,
    familiesMax: number,
    stored: ReadonlyMap<string, readonly Metadata[]>,
  ) {
    this.#mem = mem
    this.#alloc = alloc
    this.#symbols = symbols
    this.#familiesMax = familiesMax
    for (const [family, versions] of stored) this.#known.set(family, [...versions])
  }

  /** @throws HeadFullError */
  set(family: string, metadata: Metadata): void {
    const versions = this.#known.get(family)
    if (versions?.some((known) => isSame(known, metadata))) return
    if (versions ? versions.length >= VERSIONS_MAX : this.#known.size >= this.#familiesMax) {
      this.dropped++
      return
    }
    const texts = [family, metadata.help, metadata.unit].map((text) => {
      const id = this.#symbols.intern(text)
      this.#symbols.use(id)
      return id
    })
    const block = this.#alloc.alloc(M_WORDS)
    this.#mem.set(block + M_FAMILY, texts[0]!)
    this.#mem.set(block + M_TYPE, TYPES.indexOf(metadata.type))
    this.#mem.set(block + M_HELP, texts[1]!)
    this.#mem.set(block + M_UNIT, texts[2]!)
    this.#mem.set(block + M_NEXT, this.#mem.control[C_METADATA]!)
    Atomics.store(this.#mem.control, C_METADATA, block)
    const copy = { type: metadata.type, help: metadata.help, unit: metadata.unit }
    if (versions) versions.push(copy)
    else this.#known.set(family, [copy])
  }
}

function isSame(a: Metadata, b: Metadata): boolean {
  return a.type === b.type && a.help === b.help && a.unit === b.unit
}

/** Versions of a family are in the order in which they came. */
export function readMetadata(mem: Memory, symbols: SymbolReader): Map<string, Metadata[]> {
  const families = new Map<string, Metadata[]>()
  for (let block = Atomics.load(mem.control, C_METADATA); block !== 0; block = mem.get(block + M_NEXT)) {
    const family = symbols.text(mem.get(block + M_FAMILY))
    const versions = families.get(family) ?? []
    versions.unshift({
      type: TYPES[mem.get(block + M_TYPE)] ?? 'unknown',
      help: symbols.text(mem.get(block + M_HELP)),
      unit: symbols.text(mem.get(block + M_UNIT)),
    })
    families.set(family, versions)
  }
  return families
}
