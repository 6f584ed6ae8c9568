/** What a reader of Prometheus's files handles. */

/** A piece of a block is not what its format or its checksum says. `file` may be '' while only bytes are at hand. */
export class TsdbFormatError extends Error {
  readonly code = 'TSDB_FORMAT'
  readonly file: string
  readonly offset: number
  readonly why: string
  constructor(file: string, offset: number, why: string, options?: ErrorOptions) {
    super(`Cannot read ${file === '' ? 'Prometheus data' : file}:${offset}: ${why}`, options)
    this.name = 'TsdbFormatError'
    this.file = file
    this.offset = offset
    this.why = why
  }
}
