/** Caches of bcache: their devices, hits and write-back. */
import { type FamilyType, readGoFloat } from '../../protocol/exposition/mod.ts'
import { booleanFlag } from '../contract.ts'
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { listDirectory, readOptional, scanLines, uintOf, words } from './files.ts'

type Row = readonly [file: string, type: FamilyType, name: string, help: string]

const CACHE_SET: readonly Row[] = [
  ['average_key_size', 'gauge', 'average_key_size_sectors', 'Average data per key in the btree (sectors).'],
  ['btree_cache_size', 'gauge', 'btree_cache_size_bytes', 'Amount of memory currently used by the btree cache.'],
  [
    'cache_available_percent',
    'gauge',
    'cache_available_percent',
    'Percentage of cache device without dirty data, usable for writeback (may contain clean cached data).',
  ],
  ['congested', 'gauge', 'congested', 'Congestion.'],
  [
    'root_usage_percent',
    'gauge',
    'root_usage_percent',
    'Percentage of the root btree node in use (tree depth increases if too high).',
  ],
  ['tree_depth', 'gauge', 'tree_depth', 'Depth of the btree.'],
  [
    'internal/active_journal_entries',
    'gauge',
    'active_journal_entries',
    'Number of journal entries that are newer than the index.',
  ],
  ['internal/btree_nodes', 'gauge', 'btree_nodes', 'Total nodes in the btree.'],
  [
    'internal/cache_read_races',
    'counter',
    'cache_read_races_total',
    'Counts instances where while data was being read from the cache, the bucket was reused and invalidated - i.e. where the pointer was stale after the read completed.',
  ],
]
const BACKING_STATS: readonly Row[] = [
  ['bypassed', 'counter', 'bypassed_bytes_total', 'Amount of IO (both reads and writes) that has bypassed the cache.'],
  ['cache_hits', 'counter', 'cache_hits_total', 'Hits counted per individual IO as bcache sees them.'],
  ['cache_misses', 'counter', 'cache_misses_total', 'Misses counted per individual IO as bcache sees them.'],
  ['cache_bypass_hits', 'counter', 'cache_bypass_hits_total', 'Hits for IO intended to skip the cache.'],
  ['cache_bypass_misses', 'counter', 'cache_bypass_misses_total', 'Misses for IO intended to skip the cache.'],
  [
    'cache_miss_collisions',
    'counter',
    'cache_miss_collisions_total',
    'Instances where data insertion from cache miss raced with write (data already present).',
  ],
  ['cache_readaheads', 'counter', 'cache_readaheads_total', 'Count of times readahead occurred.'],
]
const CACHE_DEVICE: readonly Row[] = [
  ['io_errors', 'gauge', 'io_errors', 'Number of errors that have occurred, decayed by io_error_halflife.'],
  [
    'metadata_written',
    'counter',
    'metadata_written_bytes_total',
    'Sum of all non data writes (btree writes and all other metadata).',
  ],
  ['written', 'counter', 'written_bytes_total', 'Sum of all data that has been written to the cache.'],
]
/** Lines of `writeback_rate_debug`. */
const WRITEBACK: readonly (readonly [key: string, name: string, help: string])[] = [
  ['rate', 'writeback_rate', 'Current writeback rate for this backing device in bytes.'],
  ['target', 'dirty_target_bytes', 'Current dirty data target threshold for this backing device in bytes.'],
  [
    'proportional',
    'writeback_rate_proportional_term',
    'Current result of proportional controller, part of writeback rate',
  ],
  ['integral', 'writeback_rate_integral_term', 'Current result of integral controller, part of writeback rate'],
  ['change', 'writeback_change', 'Last writeback rate change step for this backing device.'],
]
const PRIORITY: readonly (readonly [key: string, name: string, help: string])[] = [
  ['Unused', 'priority_stats_unused_percent', "The percentage of the cache that doesn't contain any data."],
  ['Metadata', 'priority_stats_metadata_percent', "Bcache's metadata overhead."],
]

/** `priorityStats` is off by default upstream: the kernel walks and sorts all buckets to answer it. */
export function bcacheCollector({ disk, sysfs, flags }: NodeContext): Collector {
  const base = `${sysfs}/fs/bcache`
  const withPriority = booleanFlag(flags, 'collector.bcache.priorityStats', false)
  return {
    name: 'bcache',
    update() {
      // Absent until the module is loaded: upstream has no caches then, and no failure.
      const sets = listDirectory(disk, base)
      const out = new FamilySet()
      for (const uuid of sets) {
        const folder = `${base}/${uuid}`
        if (!disk.stat(`${folder}/internal`)) continue
        values(disk, out, folder, CACHE_SET, ['uuid', uuid])
        // In nanoseconds, whatever the name of the file says.
        out.gauge(
          'bcache_btree_read_average_duration_seconds',
          'Average btree read duration.',
          ['uuid', uuid],
          readSize(disk, `${folder}/internal/btree_read_average_duration_us`) * 1e-9,
        )
        for (const name of listDirectory(disk, folder)) {
          if (/^bdev\d+$/.test(name))
            backingDevice(disk, out, `${folder}/${name}`, ['backing_device', name, 'uuid', uuid])
          if (/^cache\d+$/.test(name)) {
            const labels = ['cache_device', name, 'uuid', uuid]
            values(disk, out, `${folder}/${name}`, CACHE_DEVICE, labels)
            if (withPriority) priority(disk, out, `${folder}/${name}`, labels)
          }
        }
      }
      return out.list()
    },
  }
}

type Disk = NodeContext['disk']

function values(disk: Disk, out: FamilySet, folder: string, rows: readonly Row[], labels: readonly string[]): void {
  for (const [file, type, name, help] of rows) {
    const value = readSize(disk, `${folder}/${file}`)
    // Linux 5.18 has none: upstream leaves it out while it is 0.
    if (value !== 0 || file !== 'cache_readaheads') out.add(type, `bcache_${name}`, help, labels, value)
  }
}

/** An attribute that this kernel does not have is 0, as upstream shows it. */
function readSize(disk: Disk, file: string): number {
  const text = readOptional(disk, file)
  // Its last byte is a newline.
  return text === null ? 0 : sizeOf(text.slice(0, -1), file)
}

function backingDevice(disk: Disk, out: FamilySet, folder: string, labels: readonly string[]): void {
  const dirty = readSize(disk, `${folder}/dirty_data`)
  out.gauge('bcache_dirty_data_bytes', 'Amount of dirty data for this backing device in the cache.', labels, dirty)
  values(disk, out, `${folder}/stats_total`, BACKING_STATS, labels)
  const file = `${folder}/writeback_rate_debug`
  const debug = lastWords(readOptional(disk, file) ?? '')
  const read = (key: string): number | null => {
    const text = debug.get(key)
    return text === undefined ? null : signedSizeOf(text.replace(/\/sec$/, ''), file)
  }
  for (const [key, name, text] of WRITEBACK) out.gauge(`bcache_${name}`, text, labels, read(key) ?? 0)
  read('dirty')
}

function priority(disk: Disk, out: FamilySet, folder: string, labels: readonly string[]): void {
  const file = `${folder}/priority_stats`
  const stats = lastWords(readOptional(disk, file) ?? '')
  for (const [key, name, help] of PRIORITY) {
    const text = stats.get(key)
    out.gauge(`bcache_${name}`, help, labels, text === undefined ? 0 : uintOf(text.replace(/%$/, ''), file))
  }
}

/** Of lines `KEY: … VALUE`. */
function lastWords(text: string): Map<string, string> {
  return new Map(
    scanLines(text).flatMap((line) => {
      const colon = line.indexOf(':')
      return colon < 0 ? [] : [[line.slice(0, colon), words(line).at(-1)!] as const]
    }),
  )
}

const UNITS = 'kMGTPEZY'

/**
 * `20.4G` of the kernel's bch_hprint: the digit after the point counts hundreds of the next smaller unit, not tenths.
 * Semantics: prometheus/procfs bcache/get.go, dehumanize.
 */
function sizeOf(text: string, file: string): number {
  const last = text.at(-1) ?? ''
  const isPlain = last <= '9'
  const [whole = '', fraction] = isPlain ? [text] : text.slice(0, -1).split('.')
  const factor = isPlain ? 1 : UNITS.includes(last) ? 1024 ** (UNITS.indexOf(last) + 1) : 0
  const value = floatOf(whole) + (fraction === undefined ? 0 : floatOf(fraction) / 10.24)
  if (!(value >= 0 && value < Infinity)) throw new Error(`Cannot read ${file}: size expected, got "${text}"`)
  return Math.floor(value * factor)
}

function signedSizeOf(text: string, file: string): number {
  return text.startsWith('-') ? -sizeOf(text.slice(1), file) : sizeOf(text, file)
}

function floatOf(text: string): number {
  const value = readGoFloat(text)
  return typeof value === 'string' ? Number.NaN : value
}
