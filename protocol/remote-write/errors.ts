/** A remote-write body that cannot be read: HTTP 400 for all of these, as upstream. `offset` is a byte, -1 unknown. */
export class RemoteWriteError extends Error {
  readonly code: 'bad-snappy' | 'bad-protobuf' | 'too-large'
  readonly offset: number
  constructor(code: RemoteWriteError['code'], message: string, offset = -1) {
    super(message)
    this.name = 'RemoteWriteError'
    this.code = code
    this.offset = offset
  }
}
