/** What a caller of this room handles. */

/** What of the block is lost by it. */
export type DamageCost = 'block' | 'piece' | 'nothing'

/** What was set aside, or of which a part is not served. */
export type Damage = {
  readonly block: string
  readonly piece: string
  readonly why: string
  readonly cost: DamageCost
}

/**
 * A block, or a piece of one, is not what was written. `piece` says which: `meta.json`, `index`, `chunks header`, or a
 * run of chunks by where it begins.
 */
export class BlockDamagedError extends Error {
  readonly code = 'BLOCK_DAMAGED'
  readonly path: string
  readonly piece: string
  readonly why: string
  readonly cost: DamageCost
  constructor(
    path: string,
    piece: string,
    why: string,
    { cost = 'block', ...options }: ErrorOptions & { readonly cost?: DamageCost } = {},
  ) {
    super(`Cannot trust block "${path}", ${piece}: ${why}; it is set aside, the rest is served`, options)
    this.name = 'BlockDamagedError'
    this.path = path
    this.piece = piece
    this.why = why
    this.cost = cost
  }

  /** As plain data. */
  get damage(): Damage {
    const { path, piece, why, cost } = this
    return { block: path.slice(path.lastIndexOf('/') + 1), piece, why, cost }
  }
}
