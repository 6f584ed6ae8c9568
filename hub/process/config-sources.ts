/** What a configuration was read from: files, and the folders in which its patterns looked for more. */
import type { Disk } from '../../protocol/env/mod.ts'

export type ConfigDisk = Pick<Disk, 'readText' | 'readDirectory' | 'stat'>

export class ConfigSources {
  readonly #files = new Set<string>()
  readonly #folders = new Set<string>()

  /** The disk for the loader: what it reads is remembered here. */
  recording(disk: ConfigDisk): ConfigDisk {
    return {
      // It may come, or go.
      stat: (path, options) => {
        this.#files.add(path)
        return disk.stat(path, options)
      },
      readText: (path) => {
        this.#files.add(path)
        return disk.readText(path)
      },
      readDirectory: (path) => {
        this.#folders.add(path)
        return disk.readDirectory(path)
      },
    }
  }

  /** A text that differs whenever one of them does; what cannot be read is part of it. */
  state(disk: ConfigDisk): string {
    const tried = (read: () => string): string => {
      try {
        return read()
      } catch (error) {
        return `cannot be read: ${(error as Error).message}`
      }
    }
    return JSON.stringify([
      ...[...this.#files].map((path) => [path, tried(() => disk.readText(path))]),
      ...[...this.#folders].map((path) => [path, tried(() => disk.readDirectory(path).join('\n'))]),
    ])
  }
}
