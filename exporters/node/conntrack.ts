/** Connection tracking of netfilter. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, NoDataError, type NodeContext, PartialError, single } from './collector.ts'
import { lines, readOptional, uintOf, words } from './files.ts'

/** Columns of /proc/net/stat/nf_conntrack. */
const STATISTICS: readonly (readonly [column: string, help: string])[] = [
  ['found', 'Number of searched entries which were successful.'],
  ['invalid', 'Number of packets seen which can not be tracked.'],
  ['ignore', 'Number of packets seen which are already connected to a conntrack entry.'],
  ['insert', 'Number of entries inserted into the list.'],
  ['insert_failed', 'Number of entries for which list insertion was attempted but failed.'],
  ['drop', 'Number of packets dropped due to conntrack failure.'],
  ['early_drop', 'Number of dropped conntrack entries to make room for new ones, if maximum table size was reached.'],
  ['search_restart', 'Number of conntrack table lookups which had to be restarted due to hashtable resizes.'],
]

const ABSENT = 'connection tracking is unavailable: nf_conntrack is not loaded'

export function conntrackCollector({ disk, procfs }: NodeContext): Collector {
  return {
    name: 'conntrack',
    update() {
      const read = (name: string): number => {
        const file = `${procfs}/sys/net/netfilter/${name}`
        const text = readOptional(disk, file)
        if (text === null) throw new NoDataError(ABSENT)
        return uintOf(text.trim(), file)
      }
      const entries = read('nf_conntrack_count')
      const limit = read('nf_conntrack_max')
      const out: MetricFamily[] = [
        single(
          'gauge',
          'nf_conntrack_entries',
          'Number of currently allocated flow entries for connection tracking.',
          entries,
        ),
        single('gauge', 'nf_conntrack_entries_limit', 'Maximum size of connection tracking table.', limit),
      ]
      // Kernels without CONFIG_NF_CONNTRACK_PROCFS lack it.
      const stat = readOptional(disk, `${procfs}/net/stat/nf_conntrack`)
      if (stat === null) throw new PartialError(out, new NoDataError(ABSENT))
      let totals: Map<string, number>
      try {
        totals = sumColumns(stat, `${procfs}/net/stat/nf_conntrack`)
      } catch (error) {
        throw new PartialError(out, error as Error)
      }
      for (const [column, help] of STATISTICS)
        out.push(single('gauge', `nf_conntrack_stat_${column}`, help, totals.get(column) ?? 0))
      return out
    },
  }
}

/** One line a CPU, hexadecimal. */
function sumColumns(text: string, file: string): Map<string, number> {
  const [header = '', ...rows] = lines(text)
  const columns = words(header)
  const out = new Map<string, number>(columns.map((column) => [column, 0]))
  for (const row of rows) {
    words(row).forEach((value, i) => {
      const column = columns[i]
      if (column !== undefined) out.set(column, out.get(column)! + uintOf(value, file, 16))
    })
  }
  return out
}
