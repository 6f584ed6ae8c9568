/** Sockets in use, of IPv4 and IPv6. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { type Collector, type NodeContext, single } from './collector.ts'
import { intOf, lines, pageSizeBytes, readOptional, words } from './files.ts'

export function sockstatCollector({ disk, procfs }: NodeContext): Collector {
  const pageBytes = pageSizeBytes(disk, procfs)
  return {
    name: 'sockstat',
    update() {
      const out: MetricFamily[] = []
      for (const name of ['sockstat', 'sockstat6']) {
        const file = `${procfs}/net/${name}`
        const text = readOptional(disk, file) ?? ''
        for (const line of lines(text)) protocol(out, line, file, pageBytes)
      }
      return out
    },
  }
}

/** `TCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1`; memory is counted in pages. */
function protocol(out: MetricFamily[], line: string, file: string, pageBytes: number): void {
  const [name = '', ...pairs] = words(line.replace(':', ' '))
  for (let i = 0; i + 1 < pairs.length; i += 2) {
    const state = pairs[i]!
    const value = intOf(pairs[i + 1], file)
    if (name === 'sockets') {
      out.push(single('gauge', 'sockstat_sockets_used', 'Number of IPv4 sockets in use.', value))
      continue
    }
    const put = (what: string, v: number): void =>
      void out.push(single('gauge', `sockstat_${name}_${what}`, `Number of ${name} sockets in state ${what}.`, v))
    put(state, value)
    if (state === 'mem') put('mem_bytes', value * pageBytes)
  }
}
