/** ZFS: its caches, its pools and their data sets, from the module's kstat files. */
import { type Collector, collectInto, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { intOf, listDirectory, openDirectory, readOptional, scanLines, uintOf, words } from './files.ts'

/** Files for the whole module; those that a version lacks are left out. */
const FILES: readonly (readonly [file: string, subsystem: string])[] = [
  ['abdstats', 'abd'],
  ['arcstats', 'arc'],
  ['dbufstats', 'dbuf'],
  ['dmu_tx', 'dmu_tx'],
  ['dnodestats', 'dnode'],
  ['fm', 'fm'],
  ['vdev_cache_stats', 'vdev_cache'],
  ['vdev_mirror_stats', 'vdev_mirror'],
  ['xuio_stats', 'xuio'],
  ['zfetchstats', 'zfetch'],
  ['zil', 'zil'],
]
const POOL_STATES = ['online', 'degraded', 'faulted', 'offline', 'removed', 'unavail', 'suspended']
/** Types of kstat values. */
const INT64 = '3'
const UINT64 = '4'

export function zfsCollector({ disk, procfs }: NodeContext): Collector {
  const base = `${procfs}/spl/kstat/zfs`
  return {
    name: 'zfs',
    update() {
      const names = openDirectory(disk, base)
      if (names === null) throw new NoDataError('ZFS is not loaded')
      const out = new FamilySet()
      return collectInto(out, () => {
        for (const [file, subsystem] of FILES) {
          const text = names.includes(file) ? readOptional(disk, `${base}/${file}`) : null
          if (text === null) continue
          for (const { name, type, value } of kstats(text, `${base}/${file}`)) {
            if (type !== UINT64 && type !== INT64) continue
            const read = type === UINT64 ? uintOf : intOf
            const help = `kstat.zfs.misc.${file}.${name}`
            out.add('untyped', `zfs_${subsystem}_${metricName(help)}`, help, [], read(value, `${base}/${file}`))
          }
        }
        for (const pool of names) {
          if (!FILES.some(([file]) => file === pool)) poolStats(disk, out, `${base}/${pool}`, pool)
        }
      })
    },
  }
}

type Kstat = { readonly name: string; readonly type: string; readonly value: string }

/** The lines below `name type data`, which must be there. */
function* kstats(text: string, file: string): Iterable<Kstat & { readonly line: string }> {
  let started = false
  for (const line of scanLines(text)) {
    const [name, type, value, ...rest] = words(line)
    if (started && value !== undefined) yield { name: name!, type: type!, value, line }
    if (!started && name === 'name' && type === 'type' && value === 'data' && rest.length === 0) started = true
  }
  if (!started) throw new Error(`Cannot read ${file}: a line "name type data" expected`)
}

const metricName = (help: string): string => help.slice(help.lastIndexOf('.') + 1).replaceAll('-', '_')

function poolStats(disk: NodeContext['disk'], out: FamilySet, folder: string, pool: string): void {
  for (const file of listDirectory(disk, folder)) {
    const path = `${folder}/${file}`
    const text = file === 'io' || file === 'state' || file.startsWith('objset-') ? readOptional(disk, path) : null
    if (text === null) continue
    if (file === 'io') ioStats(out, text, pool, path)
    else if (file === 'state') {
      const current = scanLines(text)[0]?.toLowerCase()
      for (const state of POOL_STATES)
        out.gauge('zfs_zpool_state', 'kstat.zfs.misc.state', ['state', state, 'zpool', pool], state === current ? 1 : 0)
    } else dataSet(out, text, pool, path)
  }
}

/** A header `nread nwritten …` and a line of numbers. */
function ioStats(out: FamilySet, text: string, pool: string, file: string): void {
  let header: readonly string[] | null = null
  for (const line of scanLines(text)) {
    const fields = words(line)
    if (header !== null)
      header.forEach((name, i) => {
        const help = `kstat.zfs.misc.io.${name}`
        out.add('untyped', `zfs_zpool_${metricName(help)}`, help, ['zpool', pool], uintOf(fields[i], file))
      })
    else if (fields.length >= 12 && fields[0] === 'nread') header = fields
  }
}

function dataSet(out: FamilySet, text: string, pool: string, file: string): void {
  let dataset = ''
  let zpool = ''
  for (const { name, type, value, line } of kstats(text, file)) {
    // Names of data sets may hold spaces.
    if (name === 'dataset_name') {
      dataset = line.slice(line.indexOf(value))
      zpool = pool
    } else if (type === UINT64) {
      const help = `kstat.zfs.misc.objset.${name}`
      const labels = ['dataset', dataset, 'zpool', zpool]
      out.add('untyped', `zfs_zpool_dataset_${metricName(help)}`, help, labels, uintOf(value, file))
    }
  }
}
