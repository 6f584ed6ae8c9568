/** What a caller of this room handles. */

/**
 * A block, or a piece of one, is not what was written. `piece` says which: `meta`, `index`, `chunks header`, or a run
 * of chunks by its number.
 */
export class BlockDamagedError extends Error {
  readonly code = 'BLOCK_DAMAGED'
  readonly path: string
  readonly piece: string
  readonly why: string
  constructor(path: string, piece: string, why: string, options?: ErrorOptions) {
    super(`Cannot trust block "${path}", ${piece}: ${why}; it is set aside, the rest is served`, options)
    this.name = 'BlockDamagedError'
    this.path = path
    this.piece = piece
    this.why = why
  }
}
