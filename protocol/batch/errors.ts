/** What can be wrong with a batch, an acknowledgement or a cursor that came over the wire. */
export type BatchErrorCode =
  | 'bad-magic'
  | 'unknown-version'
  | 'bad-length'
  | 'bad-signature'
  | 'bad-payload'
  | 'too-large'
  | 'base-missing'
  | 'identity-mismatch'

/** The only error that readers of this folder throw. `offset` is a byte position in what was being read, -1 unknown. */
export class BatchError extends Error {
  readonly code: BatchErrorCode
  readonly offset: number
  constructor(code: BatchErrorCode, message: string, options?: { readonly offset?: number; readonly cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BatchError'
    this.code = code
    this.offset = options?.offset ?? -1
  }
}

/** A broken invariant of the caller; not for catching. */
export function bug(message: string): never {
  throw new Error(`BUG: ${message}`)
}
