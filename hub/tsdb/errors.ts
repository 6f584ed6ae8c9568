/** The head's operating errors; each class is one condition that a caller handles. */

/** The reader's share is older than data that it met: take a new `share()` and run the query again. */
export class StalePagesError extends Error {
  readonly code = 'stale_pages'
  constructor(mem: { readonly pages: readonly unknown[]; readonly existingPages: number }) {
    super(
      `Cannot follow the head into a new page: the query's share has ${mem.pages.length} of ${mem.existingPages} pages; retry it with a new share`,
    )
    this.name = 'StalePagesError'
  }
}

/** All reader slots are taken. */
export class TooManyReadersError extends Error {
  readonly code = 'too_many_readers'
  constructor(limit: number) {
    super(
      `Cannot open a reader: all ${limit} reader slots of the head are taken; release() readers or lower the concurrency`,
    )
    this.name = 'TooManyReadersError'
  }
}

/** The memory cap is reached. Appends turn it into `AppendResult.limit`. */
export class HeadFullError extends Error {
  readonly code = 'head_full'
  constructor(wantedBytes: number, maxBytes: number) {
    super(
      `Cannot allocate ${wantedBytes} bytes: the head has reached its cap of ${maxBytes} bytes (maxBytes); lower retention or series, or raise it`,
    )
    this.name = 'HeadFullError'
  }
}

/** A snapshot that cannot be used; the WAL is then the source. */
export class SnapshotError extends Error {
  readonly code = 'bad_snapshot'
  constructor(message: string, options?: ErrorOptions) {
    super(`Cannot restore the head: ${message}`, options)
    this.name = 'SnapshotError'
  }
}
