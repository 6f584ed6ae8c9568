/** File systems of bcachefs: its counters, compression, B-tree writes and devices. */
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import { readUint } from './attributes.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, readOptional, readTrimmed, scanLines, uintOf, words } from './files.ts'

export function bcachefsCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/fs/bcachefs`
  return {
    name: 'bcachefs',
    update() {
      const found = listDirectory(disk, base).filter((uuid) => disk.stat(`${base}/${uuid}`)?.isDirectory)
      if (found.length === 0) throw new NoDataError('no bcachefs file system')
      const out = new FamilySet()
      for (const uuid of found) {
        const folder = `${base}/${uuid}`
        out.gauge('bcachefs_info', 'Filesystem information.', ['uuid', uuid])
        fileSystem(disk, out, folder, uuid)
        counters(disk, out, `${folder}/counters`, uuid)
        for (const name of listDirectory(disk, folder))
          if (name.startsWith('dev-') && disk.stat(`${folder}/${name}`)?.isDirectory)
            deviceStats(disk, out, `${folder}/${name}`, name.slice(4), uuid)
      }
      return out.list()
    },
  }
}

type Disk = NodeContext['disk']

function fileSystem(disk: Disk, out: FamilySet, folder: string, uuid: string): void {
  const help = 'Btree cache memory usage in bytes.'
  out.gauge('bcachefs_btree_cache_size_bytes', help, ['uuid', uuid], sizeIn(disk, `${folder}/btree_cache_size`))
  for (const [algorithm, [compressed = '', plain = '', extent]] of table(disk, `${folder}/compression_stats`, 3, 1)) {
    const file = `${folder}/compression_stats`
    const labels = ['algorithm', algorithm, 'uuid', uuid]
    put(out, 'compression_compressed_bytes', 'Compressed size by algorithm.', labels, sizeOf(compressed, file))
    put(out, 'compression_uncompressed_bytes', 'Uncompressed size by algorithm.', labels, sizeOf(plain, file))
    if (extent !== undefined) sizeOf(extent, file)
  }
  for (const [error, [count, time]] of table(disk, `${folder}/errors`, 2, 0)) {
    const value = uintOf(count, `${folder}/errors`)
    if (time !== undefined) uintOf(time, `${folder}/errors`)
    out.counter('bcachefs_errors_total', 'Error count by error type.', ['error_type', error, 'uuid', uuid], value)
  }
  for (const [type, [count, size = '']] of table(disk, `${folder}/btree_write_stats`, 3, 1)) {
    const file = `${folder}/btree_write_stats`
    const labels = ['type', type, 'uuid', uuid]
    out.counter('bcachefs_btree_writes_total', 'Number of btree writes by type.', labels, uintOf(count, file))
    put(out, 'btree_write_average_size_bytes', 'Average btree write size by type.', labels, sizeOf(size, file))
  }
}

/** Lines `NAME values…` with so many words at least, by name (without its colon where a heading stands above them). */
function table(disk: Disk, file: string, least: number, headings: 0 | 1): Map<string, readonly string[]> {
  const out = new Map<string, readonly string[]>()
  for (const line of scanLines(readOptional(disk, file) ?? '').slice(headings)) {
    const [name = '', ...values] = words(line)
    if (values.length + 1 >= least) out.set(headings === 0 ? name : name.replace(/:$/, ''), values)
  }
  return out
}

function put(out: FamilySet, name: string, help: string, labels: readonly string[], value: number): void {
  out.gauge(`bcachefs_${name}`, help, labels, value)
}

const SINCE_CREATION = 'since filesystem creation:'
const SINCE_MOUNT = 'since mount:'

function counters(disk: Disk, out: FamilySet, folder: string, uuid: string): void {
  for (const name of listDirectory(disk, folder)) {
    const file = `${folder}/${name}`
    const text = readOptional(disk, file)
    if (text === null) continue
    let total: number | null = null
    for (const line of scanLines(text)) {
      if (line.startsWith(SINCE_CREATION)) total = sizeOf(line.slice(SINCE_CREATION.length), file)
      else if (line.startsWith(SINCE_MOUNT)) {
        sizeOf(line.slice(SINCE_MOUNT.length), file)
        total ??= 0
      }
    }
    if (total === null) throw new Error(`Cannot read ${file}: a line "${SINCE_CREATION} NUMBER" expected`)
    const metric = name.replace(/_*[^a-zA-Z0-9_]+_*/g, '_')
    const help = `Bcachefs counter ${name} since filesystem creation.`
    out.counter(`bcachefs_${metric}_total`, help, ['uuid', uuid], total)
  }
}

function deviceStats(disk: Disk, out: FamilySet, folder: string, device: string, uuid: string): void {
  const labels = ['device', device, 'uuid', uuid]
  const label = readTrimmed(disk, `${folder}/label`) ?? ''
  const state = readTrimmed(disk, `${folder}/state`) ?? ''
  const info = ['device', device, 'label', label, 'state', state, 'uuid', uuid]
  out.gauge('bcachefs_device_info', 'Device information.', info)
  put(out, 'device_bucket_size_bytes', 'Bucket size in bytes.', labels, sizeIn(disk, `${folder}/bucket_size`))
  put(out, 'device_buckets', 'Total number of buckets.', labels, readUint(disk, `${folder}/nbuckets`) ?? 0)
  put(out, 'device_durability', 'Device durability setting.', labels, readUint(disk, `${folder}/durability`) ?? 0)
  const done = new Map<string, readonly [operation: string, key: string, value: number]>()
  for (const each of ioDone(disk, `${folder}/io_done`)) done.set(`${each[0]} ${each[1]}`, each)
  for (const [operation, key, value] of done.values())
    out.counter(
      'bcachefs_device_io_done_bytes_total',
      'IO bytes by operation type and data type.',
      ['data_type', key, 'device', device, 'operation', operation, 'uuid', uuid],
      value,
    )
  for (const [type, value] of ioErrors(disk, `${folder}/io_errors`))
    out.counter(
      'bcachefs_device_io_errors_total',
      'IO errors by error type.',
      ['device', device, 'type', type, 'uuid', uuid],
      value,
    )
}

/** Below `read:` and `write:`. */
function* ioDone(disk: Disk, file: string): Iterable<readonly [operation: string, key: string, value: number]> {
  let operation = ''
  for (const row of scanLines(readOptional(disk, file) ?? '')) {
    const line = row.trim()
    const colon = line.indexOf(':')
    if (line === 'read:' || line === 'write:') operation = line.slice(0, -1)
    else if (operation !== '' && colon >= 0)
      yield [operation, line.slice(0, colon).trim(), uintOf(line.slice(colon + 1).trim(), file)]
  }
}

/** Two sections: since the file system was made, which only grows, and since someone reset it. */
function* ioErrors(disk: Disk, file: string): Iterable<readonly [type: string, value: number]> {
  let isWanted = false
  for (const row of scanLines(readOptional(disk, file) ?? '')) {
    if (row.startsWith('IO errors since filesystem creation')) {
      isWanted = true
      continue
    }
    if (row.startsWith('IO errors since ')) return
    const line = row.trim()
    const colon = line.indexOf(':')
    if (isWanted && colon >= 0) yield [line.slice(0, colon).trim(), uintOf(line.slice(colon + 1).trim(), file)]
  }
}

const UNITS = 'kmgtpe'

function sizeIn(disk: Disk, file: string): number {
  const text = readTrimmed(disk, file) ?? ''
  return text === '' ? 0 : sizeOf(text, file)
}

/** `2.05G` is 2.05 · 1024³, cut to whole bytes. @throws Error naming the file */
function sizeOf(given: string, file: string): number {
  const text = given.trim()
  const unit = UNITS.indexOf((text.at(-1) ?? '-').toLowerCase())
  const value = readGoFloat((unit < 0 ? text : text.slice(0, -1)).trim())
  if (typeof value === 'string' || !(value >= 0 && value < Infinity))
    throw new Error(`Cannot read ${file}: size expected, got "${given}"`)
  return Math.floor(value * 1024 ** (unit + 1))
}
