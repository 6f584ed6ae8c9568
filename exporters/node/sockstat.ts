/** Sockets in use, of IPv4 and IPv6. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { intLiteral } from './attributes.ts'
import { type Collector, type NodeContext, single } from './collector.ts'
import { pageSizeBytes, readOptional, scanLines } from './files.ts'

export function sockstatCollector({ disk, procfs }: NodeContext): Collector {
  const pageBytes = pageSizeBytes(disk, procfs)
  return {
    name: 'sockstat',
    update() {
      const out: MetricFamily[] = []
      for (const name of ['sockstat', 'sockstat6']) {
        const file = `${procfs}/net/${name}`
        const text = readOptional(disk, file) ?? ''
        for (const line of scanLines(text)) protocol(out, line, file, pageBytes)
      }
      return out
    },
  }
}

/** All that upstream knows; the first is shown where a line has it not. */
const STATES = ['inuse', 'orphan', 'tw', 'alloc', 'mem', 'memory']

/** `TCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1`; memory is counted in pages. */
function protocol(out: MetricFamily[], line: string, file: string, pageBytes: number): void {
  const [head = '', ...pairs] = line.split(' ')
  if (pairs.length < 2 || pairs.length % 2 !== 0)
    throw new Error(`Cannot read ${file}: "PROTOCOL: STATE NUMBER…" expected, got "${line}"`)
  const values = new Map<string, number>()
  for (let i = 0; i < pairs.length; i += 2) values.set(pairs[i]!, intLiteral(pairs[i + 1]!, file))
  const name = head.replace(/:$/, '')
  if (name === 'sockets') {
    const used = values.get('used') ?? 0
    out.push(single('gauge', 'sockstat_sockets_used', 'Number of IPv4 sockets in use.', used))
    return
  }
  const put = (what: string, v: number): void =>
    void out.push(single('gauge', `sockstat_${name}_${what}`, `Number of ${name} sockets in state ${what}.`, v))
  for (const state of STATES) {
    const value = values.get(state) ?? (state === 'inuse' ? 0 : undefined)
    if (value === undefined) continue
    put(state, value)
    if (state === 'mem') put('mem_bytes', value * pageBytes)
  }
}
