/** What can go wrong with the log as a whole; damage inside it is counted in `ReplayReport`, never thrown. */

/** A write or sync failed in a way that cannot be retried: stop acknowledging, exit, recover from disk. */
export class FatalDiskError extends Error {
  readonly code = 'FATAL_DISK'
  readonly path: string
  constructor(path: string, what: string, cause: unknown) {
    super(
      `Cannot ${what} "${path}": ${cause instanceof Error ? cause.message : String(cause)}; ` +
        'what was written since the last sync may be lost, so the process must stop and recover from disk',
      { cause },
    )
    this.name = 'FatalDiskError'
    this.path = path
  }

  /** From what another thread sent of one. */
  static rebuild(path: string, message: string): FatalDiskError {
    const error = new FatalDiskError(path, 'use', 'another thread failed')
    error.message = message
    return error
  }
}

/** No room for the pending group. It is kept: `commit()` may be called again once there is space. */
export class DiskFullError extends Error {
  readonly code = 'DISK_FULL'
  readonly path: string
  constructor(path: string, cause?: unknown) {
    super(`Cannot write to "${path}": no space left on the device; free some space, nothing acknowledged is lost`, {
      cause,
    })
    this.name = 'DiskFullError'
    this.path = path
  }
}

export class DirectoryLockedError extends Error {
  readonly code = 'DIRECTORY_LOCKED'
  readonly path: string
  constructor(path: string) {
    super(`Cannot lock "${path}": another living process uses this data directory; stop it or choose another directory`)
    this.name = 'DirectoryLockedError'
    this.path = path
  }
}
