/**
 * Targets from files of groups, JSON or YAML, read again when they change. A file that becomes invalid keeps its last
 * valid groups; one that disappears loses them. Semantics: Prometheus discovery/file/file.go (v3.14); changes are
 * noticed by looking, since watches of the kernel miss network file systems and replaced mounts.
 */
import {
  type Cursor,
  type Decoder,
  decodeYaml,
  expandGlob,
  joinPath,
  labelRecord,
  list,
  type OtherDiscovery,
  object,
  string,
} from '../../protocol/config/mod.ts'
import type { Disk } from '../../protocol/env/mod.ts'
import { type DiscoveryContext, pause, type TargetGroup } from './group.ts'

const LOOK_EVERY_MS = 2000
/** Larger than any list of targets that one process can scrape. */
const MAX_FILE_BYTES = 64 * 2 ** 20

export async function discoverFiles(section: OtherDiscovery, context: DiscoveryContext): Promise<void> {
  const patterns = (section.settings['files'] as readonly string[]).map((file) => joinPath(context.directory, file))
  const files = new WatchedFiles(patterns, context)
  while (!context.signal.aborted) {
    files.look()
    await pause(context.clock, Math.min(LOOK_EVERY_MS, section.refreshIntervalMs), context.signal)
  }
}

class WatchedFiles {
  readonly #patterns: readonly string[]
  readonly #context: DiscoveryContext
  /** Sources that each file gave, and what it looked like when it was read. */
  readonly #known = new Map<string, { look: string; groups: number }>()
  #isFirst = true

  constructor(patterns: readonly string[], context: DiscoveryContext) {
    this.#patterns = patterns
    this.#context = context
  }

  look(): void {
    const { disk, emit } = this.#context
    const present = new Set(this.#patterns.flatMap((pattern) => expandGlob(pattern, disk)))
    const changed: TargetGroup[] = []
    for (const path of present) {
      const look = lookOf(disk, path)
      if (look === null) present.delete(path)
      else if (this.#known.get(path)?.look !== look) this.#read(path, look, changed)
    }
    for (const [path, { groups }] of [...this.#known]) {
      if (present.has(path)) continue
      changed.push(...emptied(path, 0, groups))
      this.#known.delete(path)
    }
    if (changed.length > 0 || this.#isFirst) emit(changed)
    this.#isFirst = false
  }

  #read(path: string, look: string, out: TargetGroup[]): void {
    const { counters, disk, log } = this.#context
    const before = this.#known.get(path)?.groups ?? 0
    counters.refreshes++
    try {
      const groups = readGroups(path, disk)
      out.push(...groups, ...emptied(path, groups.length, before))
      this.#known.set(path, { look, groups: groups.length })
    } catch (err) {
      counters.failures++
      log.error('Error reading file', { path, err })
      // Not read again until it changes.
      this.#known.set(path, { look, groups: before })
    }
  }
}

function emptied(path: string, from: number, to: number): TargetGroup[] {
  const out: TargetGroup[] = []
  for (let i = from; i < to; i++) out.push({ source: `${path}:${i}`, targets: [], labels: {} })
  return out
}

function lookOf(disk: Disk, path: string): string | null {
  const stat = disk.stat(path)
  return stat === null ? null : `${stat.mtimeMs}/${stat.sizeBytes}/${stat.ino}`
}

/** @throws ConfigError, DiskError, Error */
export function readGroups(path: string, disk: Pick<Disk, 'readText' | 'stat'>): TargetGroup[] {
  const bytes = disk.stat(path)?.sizeBytes ?? 0
  if (bytes > MAX_FILE_BYTES) throw new Error(`${path} has ${bytes} bytes, the limit is ${MAX_FILE_BYTES}`)
  const text = disk.readText(path)
  if (/\.json$/i.test(path)) checkJson(path, text)
  const groups = decodeYaml(text, path, list(group, 'nil target group item found')).value
  return groups.map(({ targets, labels }, index) => ({
    source: `${path}:${index}`,
    targets: targets.map((address) => ({ __address__: address })),
    labels: { ...labels, __meta_filepath: path },
  }))
}

/** The YAML reader takes more than JSON; its places in the file are worth having all the same. */
function checkJson(path: string, text: string): void {
  try {
    JSON.parse(text)
  } catch (error) {
    throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
  }
}

const group: Decoder<{ targets: readonly string[]; labels: Readonly<Record<string, string>> }> = object(
  'targetgroup.Group',
  { targets: list(string), labels: labelRecord },
  (raw, _at: Cursor) => ({ targets: raw.targets ?? [], labels: raw.labels ?? {} }),
)
