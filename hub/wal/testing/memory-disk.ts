/**
 * A disk in memory that forgets as real ones do: writes are durable after `datasync`, names after `syncDirectory`.
 * `crash()` gives a disk as it might be found after a loss of power: of what was not synced, any part may be there,
 * torn at 512-byte sectors, and files may end in garbage.
 */
import { type Disk, DiskError, type DiskFile, type FileStat } from '../../../protocol/env/mod.ts'

const SECTOR_BYTES = 512
/** As `parentOf` names it. */
const ROOT = ''

type Write = { readonly at: number; readonly bytes: Uint8Array } | { readonly truncate: number }

class Inode {
  bytes: Uint8Array<ArrayBuffer>
  durable: Uint8Array<ArrayBuffer>
  unsynced: Write[] = []

  constructor(bytes: Uint8Array<ArrayBuffer> = new Uint8Array(0)) {
    this.bytes = bytes
    this.durable = bytes
  }
}

type Directory = { now: Map<string, Inode>; durable: Map<string, Inode> }

export type FaultPoint =
  | 'open'
  | 'write'
  | 'datasync'
  | 'truncate'
  | 'rename'
  | 'unlink'
  | 'makeDirectory'
  | 'removeDirectory'
  | 'syncDirectory'

export class MemoryDisk implements Disk {
  readonly directories = new Map<string, Directory>([[ROOT, { now: new Map(), durable: new Map() }]])
  /** Bytes that files may take together. */
  capacityBytes = Number.POSITIVE_INFINITY
  /**
   * Throws the POSIX code that it returns, or does the step when it returns null. A write that fails has put its first
   * half there, as one may that a kill or a full disk cuts short.
   */
  fault: (point: FaultPoint, path: string) => string | null = () => null
  readonly #locks = new Set<string>()
  /** Renames of directories that a loss of power may still undo. */
  #renames: { readonly from: string; readonly to: string }[] = []
  /** Directories whose own names a loss of power may still take, with all that is in them. */
  readonly #unborn = new Set<string>()
  /** Removed, but a loss of power may still bring them back, in part. */
  #removed: { readonly path: string; readonly directory: Directory }[] = []

  open(path: string, mode: 'r' | 'r+' | 'a' | 'w' | 'wx'): DiskFile {
    this.#check('open', path)
    const { directory, name } = this.#parent(path)
    let inode = directory.now.get(name)
    if (mode === 'wx' && inode) throw new DiskError('EEXIST', path, `EEXIST: file already exists, open '${path}'`)
    if (!inode) {
      if (mode === 'r' || mode === 'r+') throw notFound(path)
      inode = new Inode()
      directory.now.set(name, inode)
    } else if (mode === 'w') truncate(inode, 0)
    return this.#handle(path, inode)
  }

  readFile(path: string): Uint8Array {
    return this.#inode(path).bytes.slice()
  }

  readText(path: string): string {
    return new TextDecoder().decode(this.readFile(path))
  }

  writeFileAtomic(path: string, bytes: Uint8Array | string): void {
    const file = this.open(`${path}.tmp`, 'w')
    file.write(typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes, 0)
    file.datasync()
    this.rename(`${path}.tmp`, path)
    this.syncDirectory(parentOf(path))
  }

  rename(from: string, to: string): void {
    this.#check('rename', from)
    if (this.directories.has(from)) {
      this.#move(from, to)
      this.#renames.push({ from, to })
      return
    }
    const source = this.#parent(from)
    const target = this.#parent(to)
    target.directory.now.set(target.name, this.#inode(from))
    source.directory.now.delete(source.name)
  }

  link(existing: string, path: string): void {
    this.#check('open', path)
    const { directory, name } = this.#parent(path)
    if (directory.now.has(name)) throw new DiskError('EEXIST', path, `EEXIST: file already exists, link '${path}'`)
    directory.now.set(name, this.#inode(existing))
  }

  unlink(path: string): void {
    this.#check('unlink', path)
    this.#inode(path)
    const { directory, name } = this.#parent(path)
    directory.now.delete(name)
  }

  makeDirectory(path: string): void {
    if (this.directories.has(path)) return
    this.#check('makeDirectory', path)
    const parent = parentOf(path)
    if (!this.directories.has(parent)) this.makeDirectory(parent)
    this.directories.set(path, { now: new Map(), durable: new Map() })
    this.#unborn.add(path)
  }

  readDirectory(path: string): string[] {
    const directory = this.directories.get(path)
    if (!directory) throw notFound(path)
    const names = [...directory.now.keys()]
    for (const other of this.directories.keys())
      if (other.startsWith(`${path}/`) && !other.slice(path.length + 1).includes('/'))
        names.push(other.slice(path.length + 1))
    return names.sort()
  }

  removeDirectory(path: string, options: { readonly recursive?: boolean } = {}): void {
    this.#check('removeDirectory', path)
    for (const [other, directory] of [...this.directories]) {
      if (other !== path && !(options.recursive && other.startsWith(`${path}/`))) continue
      this.directories.delete(other)
      if (!this.#unborn.delete(other)) this.#removed.push({ path: other, directory })
    }
  }

  stat(path: string): FileStat | null {
    const inode = this.directories.has(path) ? null : this.#find(path)
    if (inode === undefined) return null
    return {
      sizeBytes: inode?.bytes.length ?? 0,
      mtimeMs: 0,
      isDirectory: inode === null,
      isSymbolicLink: false,
      mode: 0o644,
      ino: 1,
    }
  }

  readLink(path: string): string {
    throw notFound(path)
  }

  syncDirectory(given: string): void {
    const path = given === '/' ? ROOT : given
    this.#check('syncDirectory', path)
    const directory = this.directories.get(path)
    if (!directory) throw notFound(path)
    directory.durable = new Map(directory.now)
    this.#renames = this.#renames.filter(({ to }) => parentOf(to) !== path)
    this.#removed = this.#removed.filter((removed) => parentOf(removed.path) !== path)
    for (const child of this.#unborn) if (parentOf(child) === path) this.#unborn.delete(child)
  }

  async statfs() {
    const blocks = Number.isFinite(this.capacityBytes) ? Math.floor(this.capacityBytes / SECTOR_BYTES) : 2 ** 40
    const free = Math.max(0, blocks - Math.ceil(this.usedBytes() / SECTOR_BYTES))
    return { blockSizeBytes: SECTOR_BYTES, blocks, blocksFree: free, blocksAvailable: free, files: 1e6, filesFree: 1e6 }
  }

  lock(path: string) {
    if (this.#locks.has(path)) return null
    this.#locks.add(path)
    return { release: () => void this.#locks.delete(path) }
  }

  usedBytes(): number {
    let used = 0
    for (const directory of this.directories.values())
      for (const inode of directory.now.values()) used += inode.bytes.length
    return used
  }

  /** Changes bytes behind everybody's back, as bit rot does. */
  rot(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const inode = this.#inode(path)
    inode.bytes = new Uint8Array(change(inode.bytes.slice()))
    inode.durable = inode.bytes
  }

  /** Everything as it is, as after kill -9: the kernel keeps what was written. */
  kill(): MemoryDisk {
    const next = new MemoryDisk()
    next.capacityBytes = this.capacityBytes
    for (const [path, { now }] of this.directories) {
      const entries = new Map([...now].map(([name, inode]) => [name, new Inode(inode.bytes.slice())]))
      next.directories.set(path, { now: entries, durable: new Map(entries) })
    }
    return next
  }

  /** @param random uniform in [0, 1) */
  crash(random: () => number): MemoryDisk {
    const next = new MemoryDisk()
    next.capacityBytes = this.capacityBytes
    const survivors = new Map<Inode, Inode>()
    const survivor = (inode: Inode): Inode => {
      let found = survivors.get(inode)
      if (!found) survivors.set(inode, (found = new Inode(afterPowerLoss(inode, random))))
      return found
    }
    for (const [path, { now, durable }] of this.directories) {
      const entries = new Map<string, Inode>()
      for (const name of new Set([...durable.keys(), ...now.keys()])) {
        const inode = random() < 0.5 ? durable.get(name) : now.get(name)
        if (inode) entries.set(name, survivor(inode))
      }
      next.directories.set(path, { now: entries, durable: new Map(entries) })
    }
    for (const { from, to } of this.#renames.toReversed())
      if (random() < 0.5 && next.directories.has(to) && !next.directories.has(from)) next.#move(to, from)
    for (const { path, directory } of this.#removed) {
      if (random() < 0.5 || next.directories.has(path) || !next.directories.has(parentOf(path))) continue
      const entries = new Map(
        [...directory.durable].filter(() => random() < 0.7).map(([name, i]) => [name, survivor(i)]),
      )
      next.directories.set(path, { now: entries, durable: new Map(entries) })
    }
    for (const path of this.#unborn) if (random() < 0.5) next.#drop(path)
    return next
  }

  #drop(path: string): void {
    for (const other of [...this.directories.keys()])
      if (other === path || other.startsWith(`${path}/`)) this.directories.delete(other)
  }

  #move(from: string, to: string): void {
    for (const [path, directory] of [...this.directories]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue
      const moved = to + path.slice(from.length)
      this.directories.delete(path)
      this.directories.set(moved, directory)
      if (this.#unborn.delete(path)) this.#unborn.add(moved)
    }
  }

  #handle(path: string, inode: Inode): DiskFile {
    return {
      read: (out, offset, length, position) => {
        const part = inode.bytes.subarray(position, position + length)
        out.set(part, offset)
        return part.length
      },
      write: (bytes, position) => {
        const at = position ?? inode.bytes.length
        this.#checkWrite(path, () => write(inode, at, bytes.subarray(0, bytes.length >> 1)))
        const room = this.capacityBytes - this.usedBytes() + inode.bytes.length - at
        write(inode, at, bytes.subarray(0, Math.max(0, Math.min(bytes.length, room))))
        if (room < bytes.length) throw new DiskError('ENOSPC', path, 'ENOSPC: no space left on device, write')
      },
      truncate: (sizeBytes) => {
        this.#check('truncate', path)
        truncate(inode, sizeBytes)
      },
      datasync: () => {
        this.#check('datasync', path)
        inode.durable = inode.bytes.slice()
        inode.unsynced = []
      },
      size: () => inode.bytes.length,
      close: () => {},
    }
  }

  #check(point: FaultPoint, path: string): void {
    const code = this.fault(point, path)
    if (code) throw new DiskError(code, path, `${code}: injected into ${point}, '${path}'`)
  }

  #checkWrite(path: string, writePart: () => void): void {
    try {
      this.#check('write', path)
    } catch (error) {
      writePart()
      throw error
    }
  }

  #parent(path: string): { readonly directory: Directory; readonly name: string } {
    const slash = path.lastIndexOf('/')
    const directory = this.directories.get(path.slice(0, slash))
    if (!directory) throw notFound(path)
    return { directory, name: path.slice(slash + 1) }
  }

  #find(path: string): Inode | undefined {
    const slash = path.lastIndexOf('/')
    return this.directories.get(path.slice(0, slash))?.now.get(path.slice(slash + 1))
  }

  #inode(path: string): Inode {
    const inode = this.#find(path)
    if (!inode) throw notFound(path)
    return inode
  }
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'))

const notFound = (path: string): DiskError => new DiskError('ENOENT', path, `ENOENT: no such file, '${path}'`)

function write(inode: Inode, at: number, bytes: Uint8Array): void {
  const copy = bytes.slice()
  inode.bytes = overwrite(inode.bytes, at, copy)
  inode.unsynced.push({ at, bytes: copy })
}

function truncate(inode: Inode, sizeBytes: number): void {
  inode.bytes = resize(inode.bytes, sizeBytes)
  inode.unsynced.push({ truncate: sizeBytes })
}

function overwrite(bytes: Uint8Array<ArrayBuffer>, at: number, part: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = at + part.length > bytes.length ? resize(bytes, at + part.length) : bytes.slice()
  out.set(part, at)
  return out
}

function resize(bytes: Uint8Array<ArrayBuffer>, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(sizeBytes)
  out.set(bytes.subarray(0, sizeBytes))
  return out
}

/** The durable bytes with a random part of the unsynced writes, sector by sector. */
function afterPowerLoss(inode: Inode, random: () => number): Uint8Array<ArrayBuffer> {
  let bytes = inode.durable.slice()
  for (const step of inode.unsynced) {
    if ('truncate' in step) {
      if (random() < 0.5) bytes = resize(bytes, step.truncate)
      continue
    }
    const mode = random()
    if (mode < 0.2) continue
    let at = step.at
    const end = step.at + step.bytes.length
    while (at < end) {
      const sectorEnd = Math.min(end, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES)
      if (mode > 0.8 || random() < 0.5)
        bytes = overwrite(bytes, at, step.bytes.subarray(at - step.at, sectorEnd - step.at))
      at = sectorEnd
    }
  }
  // An extension whose data did not arrive shows zeros, or what the blocks held before.
  if (inode.unsynced.length > 0 && random() < 0.3) {
    const garbage = Uint8Array.from({ length: Math.floor(random() * 700) }, () => Math.floor(random() * 256))
    bytes = overwrite(bytes, bytes.length, garbage)
  }
  return bytes
}
