/** Watermarks and pages of each memory zone. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { intLiteralOrZero } from './attributes.ts'
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, words } from './files.ts'

const FIELDS: readonly (readonly [field: string, type: FamilyType, name: string, help: string])[] = [
  ['high', 'gauge', 'high_pages', 'Zone watermark pages_high'],
  ['low', 'gauge', 'low_pages', 'Zone watermark pages_low'],
  ['managed', 'gauge', 'managed_pages', 'Present pages managed by the buddy system'],
  ['min', 'gauge', 'min_pages', 'Zone watermark pages_min'],
  ['nr_active_anon', 'gauge', 'nr_active_anon_pages', 'Number of anonymous pages recently more used'],
  ['nr_active_file', 'gauge', 'nr_active_file_pages', 'Number of active pages with file-backing'],
  ['nr_anon_pages', 'gauge', 'nr_anon_pages', 'Number of anonymous pages currently used by the system'],
  [
    'nr_anon_transparent_hugepages',
    'gauge',
    'nr_anon_transparent_hugepages',
    'Number of anonymous transparent huge pages currently used by the system',
  ],
  ['nr_dirtied', 'counter', 'nr_dirtied_total', 'Page dirtyings since bootup'],
  ['nr_dirty', 'gauge', 'nr_dirty_pages', 'Number of dirty pages'],
  ['nr_file_pages', 'gauge', 'nr_file_pages', 'Number of file pages'],
  ['nr_free_pages', 'gauge', 'nr_free_pages', 'Total number of free pages in the zone'],
  ['nr_inactive_anon', 'gauge', 'nr_inactive_anon_pages', 'Number of anonymous pages recently less used'],
  ['nr_inactive_file', 'gauge', 'nr_inactive_file_pages', 'Number of inactive pages with file-backing'],
  ['nr_isolated_anon', 'gauge', 'nr_isolated_anon_pages', 'Temporary isolated pages from anon lru'],
  ['nr_isolated_file', 'gauge', 'nr_isolated_file_pages', 'Temporary isolated pages from file lru'],
  ['nr_kernel_stack', 'gauge', 'nr_kernel_stacks', 'Number of kernel stacks'],
  ['nr_mapped', 'gauge', 'nr_mapped_pages', 'Number of mapped pages'],
  ['nr_shmem', 'gauge', 'nr_shmem_pages', 'Number of shmem pages (included tmpfs/GEM pages)'],
  ['nr_slab_reclaimable', 'gauge', 'nr_slab_reclaimable_pages', 'Number of reclaimable slab pages'],
  ['nr_slab_unreclaimable', 'gauge', 'nr_slab_unreclaimable_pages', 'Number of unreclaimable slab pages'],
  ['nr_unevictable', 'gauge', 'nr_unevictable_pages', 'Number of unevictable pages'],
  ['nr_writeback', 'gauge', 'nr_writeback_pages', 'Number of writeback pages'],
  ['nr_written', 'counter', 'nr_written_total', 'Page writings since bootup'],
  ['numa_foreign', 'counter', 'numa_foreign_total', 'Was intended here, hit elsewhere'],
  ['numa_hit', 'counter', 'numa_hit_total', 'Allocated in intended node'],
  ['numa_interleave', 'counter', 'numa_interleave_total', 'Interleaver preferred this zone'],
  ['numa_local', 'counter', 'numa_local_total', 'Allocation from local node'],
  ['numa_miss', 'counter', 'numa_miss_total', 'Allocated in non intended node'],
  ['numa_other', 'counter', 'numa_other_total', 'Allocation from other node'],
  ['present', 'gauge', 'present_pages', 'Physical pages existing within the zone'],
  ['spanned', 'gauge', 'spanned_pages', 'Total pages spanned by the zone, including holes'],
]
const BY_FIELD = new Map(FIELDS.map((row) => [row[0], row] as const))

/** A section a zone: `Node 0, zone DMA`, then `FIELD value` lines. Statistics of the node stand in its first zone. */
export function zoneinfoCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/zoneinfo`
  return {
    name: 'zoneinfo',
    update() {
      const out = new FamilySet()
      for (const section of disk.readText(file).split(/^(?=Node)/m)) {
        const [, node = '', name = ''] = /(\d+), zone\s+(\w+)/.exec(section.split('\n', 1)[0]!) ?? []
        if (section.startsWith('Node')) zone(out, section, ['node', node, 'zone', name])
      }
      return out.list()
    },
  }
}

function zone(out: FamilySet, section: string, labels: readonly string[]): void {
  // Of a field that is there twice the last counts. Those by CPU have the same names, with a colon.
  const values = new Map<string, string>()
  let protection: readonly string[] = []
  for (const line of lines(section)) {
    const [field = '', value] = words(line)
    if (field === 'protection:') {
      const numbers = line
        .slice(line.indexOf(':') + 1)
        .replace('(', '')
        .replace(')', '')
        .trim()
        .split(', ')
      // One that is none costs them all, as upstream.
      if (numbers.every((number) => /^[+-]?\d{1,18}$/.test(number))) protection = numbers
    } else if (value !== undefined && BY_FIELD.has(field)) values.set(field, value)
  }
  for (const [field, value] of values) {
    const [, type, name, help] = BY_FIELD.get(field)!
    out.add(type, `zoneinfo_${name}`, help, labels, intLiteralOrZero(value))
  }
  protection.forEach((number, i) => {
    out.gauge(`zoneinfo_protection_${i}`, `Protection array ${i}. field`, labels, Number(number))
  })
}
