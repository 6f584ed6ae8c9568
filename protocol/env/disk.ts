/**
 * Files. Calls are synchronous unless they are known to hang (`statfs` on dead mounts): writers live in worker
 * threads, where a synchronous `datasync` is the group commit. Errors are `DiskError` with the POSIX code.
 */
export type OpenMode = 'r' | 'r+' | 'a' | 'w' | 'wx'

export interface DiskFile {
  /** Reads up to `length` bytes at `position` into `out[offset…]`; returns the count, 0 at the end. */
  read(out: Uint8Array, offset: number, length: number, position: number): number
  /** Writes all of `bytes` at `position`, or at the end when it is absent. */
  write(bytes: Uint8Array, position?: number): void
  truncate(sizeBytes: number): void
  /** `fdatasync`: when it throws, what was written since the last success is lost for good; never retry. */
  datasync(): void
  size(): number
  close(): void
}

export type FileStat = {
  readonly sizeBytes: number
  readonly mtimeMs: number
  readonly isDirectory: boolean
  readonly isSymbolicLink: boolean
  readonly mode: number
  readonly ino: number
}

export type FileSystemStat = {
  readonly blockSizeBytes: number
  readonly blocks: number
  readonly blocksFree: number
  readonly blocksAvailable: number
  readonly files: number
  readonly filesFree: number
}

export interface DiskLock {
  release(): void
}

export interface Disk {
  open(path: string, mode: OpenMode, options?: { readonly mode?: number }): DiskFile
  /** Whole file; throws `DiskError` (`ENOENT`…). */
  readFile(path: string): Uint8Array
  readText(path: string): string
  /** Writes a temporary sibling, syncs it, renames it over `path`, syncs the directory. */
  writeFileAtomic(path: string, bytes: Uint8Array | string, options?: { readonly mode?: number }): void
  rename(from: string, to: string): void
  /** A second name for the same file. Throws `EEXIST`; `EXDEV`, `EPERM` or `ENOTSUP` where the file system has none. */
  link(existing: string, path: string): void
  unlink(path: string): void
  /** Creates parents too; no error if it exists. */
  makeDirectory(path: string, options?: { readonly mode?: number }): void
  /** Names, sorted. */
  readDirectory(path: string): string[]
  removeDirectory(path: string, options?: { readonly recursive?: boolean }): void
  /** `null` if there is nothing at `path`; follows links unless told not to. */
  stat(path: string, options?: { readonly followLinks?: boolean }): FileStat | null
  readLink(path: string): string
  syncDirectory(path: string): void
  statfs(path: string): Promise<FileSystemStat>
  /** Exclusive advisory lock on a lock file; `null` if another living process holds it. */
  lock(path: string): DiskLock | null
}

export class DiskError extends Error {
  readonly code: string
  readonly path: string
  constructor(code: string, path: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DiskError'
    this.code = code
    this.path = path
  }
}
