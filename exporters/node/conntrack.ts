/** Connection tracking of netfilter. */
import { type Collector, collectInto, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { readOptional, scanLines, uintOf, words } from './files.ts'

/** Columns of /proc/net/stat/nf_conntrack by number: their names are the same, or none, in all kernels. */
const STATISTICS: readonly (readonly [name: string, column: number, help: string])[] = [
  ['found', 2, 'Number of searched entries which were successful.'],
  ['invalid', 4, 'Number of packets seen which can not be tracked.'],
  ['ignore', 5, 'Number of packets seen which are already connected to a conntrack entry.'],
  ['insert', 8, 'Number of entries inserted into the list.'],
  ['insert_failed', 9, 'Number of entries for which list insertion was attempted but failed.'],
  ['drop', 10, 'Number of packets dropped due to conntrack failure.'],
  [
    'early_drop',
    11,
    'Number of dropped conntrack entries to make room for new ones, if maximum table size was reached.',
  ],
  ['search_restart', 16, 'Number of conntrack table lookups which had to be restarted due to hashtable resizes.'],
]

export function conntrackCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'conntrack',
    update() {
      const out = new FamilySet()
      // What was read before a fault is shown, as upstream.
      return collectInto(out, () => {
        const read = (name: string): number => {
          const file = `${procfs}/sys/net/netfilter/${name}`
          return uintOf(present(readOptional(disk, file)).trim(), file)
        }
        const help = 'Number of currently allocated flow entries for connection tracking.'
        out.gauge('nf_conntrack_entries', help, [], read('nf_conntrack_count'))
        const limitHelp = 'Maximum size of connection tracking table.'
        out.gauge('nf_conntrack_entries_limit', limitHelp, [], read('nf_conntrack_max'))
        const file = `${procfs}/net/stat/nf_conntrack`
        // Kernels without CONFIG_NF_CONNTRACK_PROCFS lack it.
        const totals = sumColumns(present(readOptional(disk, file)), file)
        for (const [name, column, text] of STATISTICS) out.gauge(`nf_conntrack_stat_${name}`, text, [], totals[column]!)
      })
    },
  }
}

function present(text: string | null): string {
  if (text === null) throw new NoDataError('connection tracking is unavailable: nf_conntrack is not loaded')
  return text
}

const COLUMNS_MAX = 17

/** One line a CPU, hexadecimal; the last column is new in Linux 2.6.35. */
function sumColumns(text: string, file: string): Float64Array {
  const totals = new Float64Array(COLUMNS_MAX)
  for (const line of scanLines(text).slice(1)) {
    const values = words(line).map((value) => uintOf(value, file, 16))
    if (values.length < COLUMNS_MAX - 1 || values.length > COLUMNS_MAX)
      throw new Error(`Cannot read ${file}: ${COLUMNS_MAX} numbers expected, got "${line}"`)
    values.forEach((value, i) => {
      totals[i]! += value
    })
  }
  return totals
}
