/** Connection tracking of netfilter. */
import { type Collector, collectInto, FamilySet, NoDataError, type NodeContext } from './collector.ts'
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
        for (const [column, text] of STATISTICS)
          out.gauge(`nf_conntrack_stat_${column}`, text, [], totals.get(column) ?? 0)
      })
    },
  }
}

function present(text: string | null): string {
  if (text === null) throw new NoDataError('connection tracking is unavailable: nf_conntrack is not loaded')
  return text
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
