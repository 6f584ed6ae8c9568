/**
 * Finds the mapping of a metric name among many globs in one walk: a tree whose edges are the parts between the dots.
 * Ordered, the first mapping of the file wins; unordered, a part written out wins over a star, from left to right.
 * Semantics: statsd_exporter pkg/mapper/fsm/fsm.go.
 */
export type GlobMatch = { readonly index: number; readonly captures: readonly string[] }

type Node = {
  readonly literals: Map<string, Node>
  star: Node | null
  /** Of the mapping that ends here; -1 for none. */
  index: number
  /** The least index at or below this node: what an ordered walk can still find. */
  least: number
}

export class GlobTree {
  readonly #root = newNode()
  readonly #ordered: boolean

  constructor(options: { readonly ordered: boolean }) {
    this.#ordered = options.ordered
  }

  /** Add in the order of the file; of two equal globs the first stays. */
  add(glob: string, index: number): void {
    let node = this.#root
    for (const part of glob.split('.')) {
      node.least = Math.min(node.least, index)
      let next = part === '*' ? node.star : (node.literals.get(part) ?? null)
      if (next === null) {
        next = newNode()
        if (part === '*') node.star = next
        else node.literals.set(part, next)
      }
      node = next
    }
    node.least = Math.min(node.least, index)
    if (node.index < 0) node.index = index
  }

  find(name: string): GlobMatch | null {
    const parts = name.split('.')
    const stars: string[] = []
    let best: { index: number; captures: string[] } | null = null
    const ordered = this.#ordered
    /** True ends the walk. */
    function walk(node: Node, depth: number): boolean {
      if (best !== null && node.least >= best.index) return false
      if (depth === parts.length) {
        if (node.index < 0 || (best !== null && node.index > best.index)) return false
        best = { index: node.index, captures: [...stars] }
        return !ordered
      }
      const literal = node.literals.get(parts[depth]!)
      if (literal !== undefined && walk(literal, depth + 1)) return true
      if (node.star === null) return false
      stars.push(parts[depth]!)
      const done = walk(node.star, depth + 1)
      stars.pop()
      return done
    }
    walk(this.#root, 0)
    return best
  }
}

const newNode = (): Node => ({ literals: new Map(), star: null, index: -1, least: Infinity })
