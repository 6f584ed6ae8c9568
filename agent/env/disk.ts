/** The real file system. Every failure leaves as a DiskError with the POSIX code and the path. */
import fs from 'node:fs'
import path from 'node:path'
import type { Disk, DiskFile, DiskLock, FileStat } from '../../protocol/env/mod.ts'
import { DiskError } from '../../protocol/env/mod.ts'

export const nodeDisk: Disk = {
  open: (file, mode, options) => guard(file, () => openFile(file, fs.openSync(file, mode, options?.mode ?? 0o644))),
  readFile: (file) => guard(file, () => fs.readFileSync(file)),
  readText: (file) => guard(file, () => fs.readFileSync(file, 'utf8')),
  writeFileAtomic: (file, bytes, options) => guard(file, () => writeAtomic(file, bytes, options?.mode ?? 0o644)),
  rename: (from, to) => guard(from, () => fs.renameSync(from, to)),
  link: (existing, file) => guard(file, () => fs.linkSync(existing, file)),
  unlink: (file) => guard(file, () => fs.unlinkSync(file)),
  makeDirectory: (dir, options) =>
    guard(dir, () => void fs.mkdirSync(dir, { recursive: true, mode: options?.mode ?? 0o755 })),
  readDirectory: (dir) => guard(dir, () => fs.readdirSync(dir).sort()),
  removeDirectory: (dir, options) => guard(dir, () => fs.rmSync(dir, { recursive: options?.recursive ?? false })),
  stat: (file, options) => guard(file, () => statFile(file, options?.followLinks ?? true)),
  readLink: (file) => guard(file, () => fs.readlinkSync(file)),
  syncDirectory: (dir) => guard(dir, () => syncDirectory(dir)),
  async statfs(file) {
    try {
      const s = await fs.promises.statfs(file)
      return {
        blockSizeBytes: s.bsize,
        blocks: s.blocks,
        blocksFree: s.bfree,
        blocksAvailable: s.bavail,
        files: s.files,
        filesFree: s.ffree,
      }
    } catch (error) {
      throw toDiskError(file, error)
    }
  },
  lock: (file) => guard(file, () => lockFile(file)),
}

function guard<T>(file: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    throw toDiskError(file, error)
  }
}

function toDiskError(file: string, error: unknown): DiskError {
  if (error instanceof DiskError) return error
  const code = (error as NodeJS.ErrnoException).code ?? 'EIO'
  return new DiskError(code, file, error instanceof Error ? error.message : String(error), { cause: error })
}

function openFile(file: string, fd: number): DiskFile {
  return {
    read: (out, offset, length, position) => guard(file, () => fs.readSync(fd, out, offset, length, position)),
    write: (bytes, position) =>
      guard(file, () => {
        let done = 0
        while (done < bytes.length) {
          const at = position === undefined ? null : position + done
          done += fs.writeSync(fd, bytes, done, bytes.length - done, at)
        }
      }),
    truncate: (sizeBytes) => guard(file, () => fs.ftruncateSync(fd, sizeBytes)),
    datasync: () => guard(file, () => fs.fdatasyncSync(fd)),
    size: () => guard(file, () => fs.fstatSync(fd).size),
    close: () => guard(file, () => fs.closeSync(fd)),
  }
}

function writeAtomic(file: string, bytes: Uint8Array | string, mode: number): void {
  const temporary = `${file}.tmp-${process.pid}`
  const fd = fs.openSync(temporary, 'w', mode)
  try {
    // The mode of open is cut by the umask and ignored for a file that is there already.
    fs.fchmodSync(fd, mode)
    fs.writeFileSync(fd, bytes)
    fs.fsyncSync(fd)
  } catch (error) {
    fs.closeSync(fd)
    fs.rmSync(temporary, { force: true })
    throw error
  }
  fs.closeSync(fd)
  fs.renameSync(temporary, file)
  syncDirectory(path.dirname(file))
}

function syncDirectory(dir: string): void {
  const fd = fs.openSync(dir, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function statFile(file: string, followLinks: boolean): FileStat | null {
  const s = followLinks ? fs.statSync(file, { throwIfNoEntry: false }) : fs.lstatSync(file, { throwIfNoEntry: false })
  if (!s) return null
  return {
    sizeBytes: s.size,
    mtimeMs: s.mtimeMs,
    isDirectory: s.isDirectory(),
    isSymbolicLink: s.isSymbolicLink(),
    mode: s.mode,
    ino: s.ino,
  }
}

/**
 * The runtimes offer no flock, so the lock is a symbolic link that names its owner: process id and that process's start
 * time (field 22 of /proc/PID/stat), so that a reused pid or a lock left by kill -9 is not taken for a living owner.
 * Unlike a file, a link comes into being complete, and takes no block of a full disk.
 */
function lockFile(file: string): DiskLock | null {
  const me = `${process.pid}-${startTimeOf(process.pid) ?? ''}`
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      fs.symlinkSync(me, file)
      return { release: () => fs.rmSync(file, { force: true }) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (ownerLives(file)) return null
      fs.rmSync(file, { force: true })
    }
  }
  return null
}

function ownerLives(file: string): boolean {
  let text: string
  try {
    text = fs.readlinkSync(file)
  } catch {
    return false
  }
  const [pidText = '', startTime = ''] = text.split('-')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0) return false
  const now = startTimeOf(pid)
  return now !== null && (startTime === '' || now === startTime)
}

/** Null: there is none, or only what its parent has not asked about yet, which holds nothing. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command name may hold spaces and parentheses; fields are counted after its last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
  } catch {
    return null
  }
}
