/** Kernel samepage merging. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { readInt, readUint } from './attributes.ts'
import { type Collector, NoDataError, type NodeContext, single } from './collector.ts'
import { openDirectory } from './files.ts'

const FILES: readonly (readonly [file: string, type: FamilyType, name: string, help: string, factor: number])[] = [
  ['full_scans', 'counter', 'full_scans_total', 'How many times all mergeable areas have been scanned.', 1],
  [
    'general_profit',
    'gauge',
    'general_profit_bytes',
    'How effective is KSM. ksm_saved_pages * sizeof(page) - (all_rmap_items) * sizeof(rmap_item)',
    1,
  ],
  [
    'merge_across_nodes',
    'gauge',
    'merge_across_nodes',
    'Specifies if pages from different NUMA nodes can be merged.',
    1,
  ],
  ['pages_shared', 'gauge', 'pages_shared', 'How many shared pages are being used.', 1],
  ['pages_sharing', 'gauge', 'pages_sharing', 'How many more sites are sharing them i.e. how much saved.', 1],
  ['pages_to_scan', 'gauge', 'pages_to_scan', 'How many pages to scan before ksmd goes to sleep.', 1],
  ['pages_unshared', 'gauge', 'pages_unshared', 'How many pages unique but repeatedly checked for merging.', 1],
  ['pages_volatile', 'gauge', 'pages_volatile', 'How many pages changing too fast to be placed in a tree.', 1],
  ['run', 'gauge', 'run', 'The status of ksmd. stopped = 0, running = 1', 1],
  ['sleep_millisecs', 'gauge', 'sleep_seconds', 'How many seconds ksmd should sleep before next scan.', 0.001],
]

export function ksmdCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/kernel/mm/ksm`
  return {
    name: 'ksmd',
    update() {
      if (openDirectory(disk, base) === null) throw new NoDataError('the kernel has no KSM')
      return FILES.flatMap(([file, type, name, help, factor]) => {
        // What merging costs may be more than what it saves.
        const value = (file === 'general_profit' ? readInt : readUint)(disk, `${base}/${file}`)
        return value === null ? [] : [single(type, `ksmd_${name}`, help, value * factor)]
      })
    },
  }
}
