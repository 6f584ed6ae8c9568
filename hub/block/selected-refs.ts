/**
 * What selectors found in a block, which never changes: dashboards ask again and again, and each shard of a query asks for
 * itself. Of what is long, matchers are tried anew. Hot: bench/query/in-process.ts
 */
import type { Matcher } from '../../protocol/matchers/mod.ts'
import type { BlockIndex } from './index-reader.ts'
import { selectRefs } from './select.ts'

/** Of a block in a thread, all selectors together, whose text counts too: a quarter of a megabyte. */
const REFS_MAX = 1 << 16
const SELECTORS_MAX = 256
/** Of the same size: a variable of a dashboard may be thousands of names. */
const CHARS_PER_REF = 2

export class SelectedRefs {
  readonly #index: BlockIndex
  readonly #known = new Map<string, Uint32Array>()
  #refs = 0

  constructor(index: BlockIndex) {
    this.#index = index
  }

  /** Ascending; not to be changed. @throws MatcherError */
  of(matchers: readonly Matcher[]): Uint32Array {
    const key = JSON.stringify(matchers)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const refs = selectRefs(this.#index, matchers)
    const size = refs.length + Math.ceil(key.length / CHARS_PER_REF)
    if (size > REFS_MAX / 4) return refs
    if (this.#refs + size > REFS_MAX || this.#known.size >= SELECTORS_MAX) {
      this.#known.clear()
      this.#refs = 0
    }
    this.#known.set(key, refs)
    this.#refs += size
    return refs
  }
}
