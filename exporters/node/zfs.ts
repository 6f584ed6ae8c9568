/** ZFS: its caches, its pools and their data sets, from the module's kstat files. */
import { type Collector, collectInto, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { lines, listDirectory, numberOf, openDirectory, readOptional, words } from './files.ts'

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
          for (const { name, type, value } of kstats(text ?? '')) {
            if (type !== UINT64 && type !== INT64) continue
            const metric = `zfs_${subsystem}_${name.replaceAll('-', '_')}`
            out.add('untyped', metric, `kstat.zfs.misc.${file}.${name}`, [], kstatNumber(value, `${base}/${file}`))
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

/** The lines below `name type data`. */
function* kstats(text: string): Iterable<Kstat> {
  let started = false
  for (const line of lines(text)) {
    // Names of data sets may hold spaces.
    const [, name = '', type = '', value] = /^\s*(\S+)\s+(\S+)\s+(\S.*?)\s*$/.exec(line) ?? []
    if (started && value !== undefined) yield { name, type, value }
    if (name === 'name' && type === 'type') started = true
  }
}

function poolStats(disk: NodeContext['disk'], out: FamilySet, folder: string, pool: string): void {
  for (const file of listDirectory(disk, folder)) {
    const path = `${folder}/${file}`
    if (file === 'io') ioStats(out, readOptional(disk, path) ?? '', pool, path)
    else if (file.startsWith('objset-')) dataSet(out, readOptional(disk, path) ?? '', pool, path)
    else if (file === 'state') {
      const current = (readOptional(disk, path) ?? '').trim().toLowerCase()
      for (const state of POOL_STATES)
        out.gauge('zfs_zpool_state', 'kstat.zfs.misc.state', ['state', state, 'zpool', pool], state === current ? 1 : 0)
    }
  }
}

/** The first word of a value: what a later module adds behind a number is not part of it. */
function kstatNumber(value: string, file: string): number {
  return numberOf(words(value)[0], file)
}

/** A header `nread nwritten …` and one line of numbers. */
function ioStats(out: FamilySet, text: string, pool: string, file: string): void {
  const rows = lines(text)
  const header = rows.findIndex((row) => row.startsWith('nread'))
  if (header < 0) return
  const values = words(rows[header + 1] ?? '')
  words(rows[header]!).forEach((name, i) => {
    if (i >= values.length) return
    out.add('untyped', `zfs_zpool_${name}`, `kstat.zfs.misc.io.${name}`, ['zpool', pool], numberOf(values[i], file))
  })
}

function dataSet(out: FamilySet, text: string, pool: string, file: string): void {
  let dataset = ''
  for (const { name, type, value } of kstats(text)) {
    if (name === 'dataset_name') dataset = value
    else if (type === UINT64) {
      const labels = ['dataset', dataset, 'zpool', pool]
      const metric = `zfs_zpool_dataset_${name.replaceAll('-', '_')}`
      out.add('untyped', metric, `kstat.zfs.misc.objset.${name}`, labels, kstatNumber(value, file))
    }
  }
}
