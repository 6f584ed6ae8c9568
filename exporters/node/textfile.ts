/**
 * Metrics that other programs wrote into `*.prom` files. A file that cannot be read or understood is left out whole and
 * told by `node_textfile_scrape_error`; so is a family that two files describe differently (the first one counts).
 */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { listFlag } from '../contract.ts'
import { type Collector, family, type NodeContext, single } from './collector.ts'
import { listDirectory, openDirectory } from './files.ts'
import { groupLines, parseTextFile, type TextFamily } from './textfile-parse.ts'

const FILE_BYTES_MAX = 16 * 1024 * 1024

type Source = { readonly file: string; readonly family: TextFamily }

export function textfileCollector({ disk, flags, log }: NodeContext): Collector {
  const directories = listFlag(flags, 'collector.textfile.directory').filter((path) => path !== '')
  /** Files that failed in the last scrape, so that a broken one is told once. */
  let failed = new Set<string>()
  return {
    name: 'textfile',
    update() {
      const nowFailed = new Set<string>()
      const sources: Source[] = []
      const mtimes: Metric[] = []
      const fail = (file: string, err: unknown): void => {
        nowFailed.add(file)
        if (!failed.has(file)) log.error('Textfile left out', { file, err })
      }
      for (const directory of directories.flatMap((pattern) => expand(disk, pattern))) {
        const names = openDirectory(disk, directory)
        if (names === null) fail(directory, new Error('the directory cannot be read'))
        for (const name of names ?? []) {
          if (!name.endsWith('.prom')) continue
          const file = `${directory}/${name}`
          try {
            const stat = disk.stat(file)
            if (stat && stat.sizeBytes > FILE_BYTES_MAX)
              throw new Error(`${stat.sizeBytes} bytes, the limit is ${FILE_BYTES_MAX}: split the file`)
            for (const parsed of parseTextFile(disk.readFile(file))) sources.push({ file, family: parsed })
            // Last, so that a broken file does not look fresh.
            mtimes.push({ labels: ['file', file], value: (disk.stat(file)?.mtimeMs ?? 0) / 1000 })
          } catch (err) {
            fail(file, err)
          }
        }
      }
      const families = merge(sources, fail)
      failed = nowFailed
      return [
        ...families,
        family('gauge', 'textfile_mtime_seconds', 'Unixtime mtime of textfiles successfully read.', mtimes),
        single(
          'gauge',
          'textfile_scrape_error',
          '1 if there was an error opening or reading a file, 0 otherwise',
          nowFailed.size > 0 ? 1 : 0,
        ),
      ]
    },
  }
}

/** Directories that a glob (`*`, `?` and `[…]` in any part) means; the path itself when it has no such character. */
function expand(disk: NodeContext['disk'], pattern: string): string[] {
  const path = pattern.replace(/\/+$/, '') || '/'
  if (!/[*?[]/.test(path)) return [path]
  const [first = '', ...parts] = path.split('/')
  let found = [first]
  for (const part of parts) {
    if (!/[*?[]/.test(part)) found = found.map((base) => `${base}/${part}`)
    else {
      const regex = new RegExp(
        `^${part
          .replace(/[.+^${}()|\\]/g, '\\$&')
          .replaceAll('*', '.*')
          .replaceAll('?', '.')}$`,
      )
      found = found.flatMap((base) =>
        listDirectory(disk, base === '' ? '/' : base)
          .filter((name) => regex.test(name))
          .map((name) => `${base}/${name}`),
      )
    }
  }
  const existing = found.filter((directory) => disk.stat(directory) !== null)
  return existing.length > 0 ? existing : [path]
}

function merge(sources: readonly Source[], fail: (file: string, err: unknown) => void): MetricFamily[] {
  const byName = new Map<string, Source[]>()
  for (const source of sources) {
    const known = byName.get(source.family.name)
    if (!known) byName.set(source.family.name, [source])
    else {
      const first = known[0]!.family
      if (first.help === source.family.help && first.type === source.family.type) known.push(source)
      else fail(source.file, new Error(`${source.family.name} has another help or type in ${known[0]!.file}`))
    }
  }
  return [...byName.values()].map((known) => {
    const { name, help, type } = known[0]!.family
    const names = [
      ...new Set(
        known.flatMap(({ family: { groups } }) => [...groups.values()].flatMap(({ labels }) => evens(labels))),
      ),
    ].sort()
    const seen = new Set<string>()
    const metrics = known.flatMap(({ file, family: { groups } }) =>
      [...groups.values()].flatMap((group) => {
        const labels = names.flatMap((label) => [label, labelOf(group.labels, label)])
        const key = labels.join('\0')
        if (seen.has(key)) {
          fail(file, new Error(`${name} has a sample that another file has with the same labels`))
          return []
        }
        seen.add(key)
        return groupLines(type, group, labels)
      }),
    )
    return { name, help: help ?? `Metric read from ${known.map(({ file }) => file).join(', ')}`, type, metrics }
  })
}

function evens(labels: readonly string[]): string[] {
  return labels.filter((_, i) => i % 2 === 0)
}

function labelOf(labels: readonly string[], name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1]!
  return ''
}
