/** @throws RemoteWriteError too-large */
export function checkLimit(found: number, limit: number, what: string, setting: string): void {
  if (found > limit)
    throw new RemoteWriteError(
      'too-large',
      `Cannot accept a remote write of ${found} ${what}: at most ${limit} are allowed (${setting})`,
    )
}

/** A remote-write body that cannot be read: HTTP 400 for all of these, as upstream. `offset` is a byte, -1 unknown. */
export class RemoteWriteError extends Error {
  readonly code: 'bad-snappy' | 'bad-compression' | 'bad-protobuf' | 'bad-json' | 'bad-histogram' | 'too-large'
  readonly offset: number
  constructor(code: RemoteWriteError['code'], message: string, offset = -1) {
    super(message)
    this.name = 'RemoteWriteError'
    this.code = code
    this.offset = offset
  }
}
