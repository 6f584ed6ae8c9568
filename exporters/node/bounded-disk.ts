/**
 * The disk as collectors see it: what they read is a regular file of a bounded size. A tree mounted over procfs may hold
 * anything, and a pipe among its files would hang a scrape for ever. To ask costs as much as to read, so what was found
 * good is believed for some hundred scrapes.
 */
import { type Disk, DiskError } from '../../protocol/env/mod.ts'

/** The table of a million sockets is some 150 bytes each; files of the kernel say 0 or a page, whatever they hold. */
export const FILE_BYTES_MAX = 256 * 1024 * 1024

/** Reads until everything is asked again; also the bound on what is remembered. */
const BELIEVED_READS = 50_000

const TYPE_MASK = 0o170000
const REGULAR = 0o100000

export function boundedDisk(disk: Disk): Disk {
  const good = new Set<string>()
  let reads = 0

  function check(path: string): void {
    if (++reads > BELIEVED_READS) {
      good.clear()
      reads = 0
    }
    if (good.has(path)) return
    const stat = disk.stat(path)
    if (stat === null) throw new DiskError('ENOENT', path, `open ${path}: no such file or directory`)
    if (stat.isDirectory) throw new DiskError('EISDIR', path, `read ${path}: is a directory`)
    if ((stat.mode & TYPE_MASK) !== REGULAR)
      throw new DiskError('EINVAL', path, `open ${path}: not a regular file, mode ${stat.mode.toString(8)}`)
    if (stat.sizeBytes > FILE_BYTES_MAX)
      throw new DiskError('EFBIG', path, `read ${path}: ${stat.sizeBytes} bytes, the limit is ${FILE_BYTES_MAX}`)
    good.add(path)
  }
  return {
    ...disk,
    readFile(path) {
      check(path)
      return disk.readFile(path)
    },
    readText(path) {
      check(path)
      return disk.readText(path)
    },
  }
}
