/** File systems of bcachefs: its counters, compression, B-tree writes and devices. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { lines, listDirectory, openDirectory, parseNumber, readOptional, readTrimmed, words } from './files.ts'

export function bcachefsCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/fs/bcachefs`
  return {
    name: 'bcachefs',
    update() {
      const found = openDirectory(disk, base)
      if (found === null) throw new NoDataError('no bcachefs file system')
      const out = new FamilySet()
      for (const uuid of found) {
        const folder = `${base}/${uuid}`
        out.gauge('bcachefs_info', 'Filesystem information.', ['uuid', uuid])
        fileSystem(disk, out, folder, uuid)
        counters(disk, out, `${folder}/counters`, uuid)
        for (const name of listDirectory(disk, folder)) {
          const device = /^dev-(\d+)$/.exec(name)?.[1]
          if (device !== undefined) deviceStats(disk, out, `${folder}/${name}`, device, uuid)
        }
      }
      return out.list()
    },
  }
}

type Disk = NodeContext['disk']

function fileSystem(disk: Disk, out: FamilySet, folder: string, uuid: string): void {
  const cache = parseSize(readTrimmed(disk, `${folder}/btree_cache_size`) ?? '')
  if (cache !== null)
    out.gauge('bcachefs_btree_cache_size_bytes', 'Btree cache memory usage in bytes.', ['uuid', uuid], cache)
  for (const line of lines(readOptional(disk, `${folder}/compression_stats`) ?? '').slice(1)) {
    const [algorithm = '', compressed = '', plain = ''] = words(line)
    const labels = ['algorithm', algorithm, 'uuid', uuid]
    put(out, 'compression_compressed_bytes', 'Compressed size by algorithm.', labels, parseSize(compressed))
    put(out, 'compression_uncompressed_bytes', 'Uncompressed size by algorithm.', labels, parseSize(plain))
  }
  for (const line of lines(readOptional(disk, `${folder}/errors`) ?? '')) {
    const [error = '', count = ''] = words(line)
    const value = parseNumber(count)
    if (value !== null)
      out.counter('bcachefs_errors_total', 'Error count by error type.', ['error_type', error, 'uuid', uuid], value)
  }
  for (const line of lines(readOptional(disk, `${folder}/btree_write_stats`) ?? '')) {
    const [type = '', count = '', size = ''] = words(line)
    const value = parseNumber(count)
    if (!type.endsWith(':') || value === null) continue
    const labels = ['type', type.slice(0, -1), 'uuid', uuid]
    out.counter('bcachefs_btree_writes_total', 'Number of btree writes by type.', labels, value)
    put(out, 'btree_write_average_size_bytes', 'Average btree write size by type.', labels, parseSize(size))
  }
}

function put(out: FamilySet, name: string, help: string, labels: readonly string[], value: number | null): void {
  if (value !== null) out.gauge(`bcachefs_${name}`, help, labels, value)
}

function counters(disk: Disk, out: FamilySet, folder: string, uuid: string): void {
  for (const name of listDirectory(disk, folder)) {
    const total = /since filesystem creation:\s*(\S+)/.exec(readOptional(disk, `${folder}/${name}`) ?? '')?.[1]
    const value = parseSize(total ?? '')
    if (value === null) continue
    const metric = name.replace(/[^a-zA-Z0-9_]/g, '_')
    const help = `Bcachefs counter ${name} since filesystem creation.`
    out.counter(`bcachefs_${metric}_total`, help, ['uuid', uuid], value)
  }
}

function deviceStats(disk: Disk, out: FamilySet, folder: string, device: string, uuid: string): void {
  const labels = ['device', device, 'uuid', uuid]
  const label = readTrimmed(disk, `${folder}/label`) ?? ''
  const state = readTrimmed(disk, `${folder}/state`) ?? ''
  out.gauge('bcachefs_device_info', 'Device information.', [
    'device',
    device,
    'label',
    label,
    'state',
    state,
    'uuid',
    uuid,
  ])
  const number = (file: string): number | null => parseSize(readTrimmed(disk, `${folder}/${file}`) ?? '')
  put(out, 'device_bucket_size_bytes', 'Bucket size in bytes.', labels, number('bucket_size'))
  put(out, 'device_buckets', 'Total number of buckets.', labels, number('nbuckets'))
  put(out, 'device_durability', 'Device durability setting.', labels, number('durability'))
  let operation = ''
  for (const line of lines(readOptional(disk, `${folder}/io_done`) ?? '')) {
    const [key = '', text = ''] = line.split(':').map((part) => part.trim())
    const value = parseNumber(text)
    if (value === null) operation = key
    else {
      out.counter(
        'bcachefs_device_io_done_bytes_total',
        'IO bytes by operation type and data type.',
        ['data_type', key, 'device', device, 'operation', operation, 'uuid', uuid],
        value,
      )
    }
  }
  ioErrors(out, readOptional(disk, `${folder}/io_errors`) ?? '', device, uuid)
}

/** Two sections: since the file system was made, which only grows, and since someone reset it. */
function ioErrors(out: FamilySet, text: string, device: string, uuid: string): void {
  let wanted = false
  for (const line of lines(text)) {
    if (/^IO errors/.test(line)) wanted = line.includes('since filesystem creation')
    const match = /^\s+(\w+):\s*(\d+)/.exec(line)
    if (!wanted || !match) continue
    const labels = ['device', device, 'type', match[1]!, 'uuid', uuid]
    out.counter('bcachefs_device_io_errors_total', 'IO errors by error type.', labels, Number(match[2]))
  }
}

const UNITS = 'kMGTPE'

/** `2.05G` is 2.05 · 1024³, cut to whole bytes. */
function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)([kMGTPE]?)$/.exec(text)
  if (!match) return null
  return Math.floor(Number(match[1]) * 1024 ** (UNITS.indexOf(match[2] || ' ') + 1))
}
