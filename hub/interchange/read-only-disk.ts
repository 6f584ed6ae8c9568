/**
 * A disk for those who only look: what a start would set aside, finish or heal is left as it is found. They are told of
 * it all the same, for whoever changes something keeps in mind what it is now.
 */
import type { Disk } from '../../protocol/env/mod.ts'

const nothing = (): void => {}

export function readOnlyDisk(disk: Disk): Disk {
  return {
    open(path, mode, options) {
      if (mode !== 'r') throw new Error(`BUG: ${path} is opened to be written where nothing is to be changed`)
      return disk.open(path, mode, options)
    },
    readFile: (path) => disk.readFile(path),
    readText: (path) => disk.readText(path),
    readLink: (path) => disk.readLink(path),
    // A directory that would have been made is empty.
    readDirectory: (path) => (disk.stat(path) ? disk.readDirectory(path) : []),
    stat: (path, options) => disk.stat(path, options),
    statfs: (path) => disk.statfs(path),
    lock: (path) => disk.lock(path),
    writeFileAtomic: nothing,
    rename: nothing,
    link: nothing,
    unlink: nothing,
    makeDirectory: nothing,
    removeDirectory: nothing,
    syncDirectory: nothing,
  }
}
