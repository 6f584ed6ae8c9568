/** Protocol counters of /proc/net/netstat, snmp and snmp6. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, fieldFilter, type NodeContext, single } from './collector.ts'
import { floatOf, readOptional, scanLines, words } from './files.ts'

const DEFAULT_FIELDS =
  '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$'

/** By protocol: names, and the values of the same places. */
type Statistics = Map<string, { readonly names: readonly string[]; readonly values: readonly string[] }>

export function netstatCollector({ disk, procfs, flags }: NodeContext): Collector {
  const wanted = fieldFilter(stringFlag(flags, 'collector.netstat.fields', DEFAULT_FIELDS))
  return {
    name: 'netstat',
    update() {
      const found: Statistics = new Map()
      const out: MetricFamily[] = []
      addPairedLines(found, disk.readText(`${procfs}/net/netstat`), `${procfs}/net/netstat`)
      addPairedLines(found, disk.readText(`${procfs}/net/snmp`), `${procfs}/net/snmp`)
      // Absent where IPv6 is off.
      addSnmp6(found, readOptional(disk, `${procfs}/net/snmp6`) ?? '')
      for (const [protocol, { names, values }] of found)
        for (let i = 0; i < names.length; i++) {
          // Those that are not shown have to be numbers, too.
          const value = floatOf(values[i], `${procfs}/net`)
          const name = names[i]!
          if (wanted(`${protocol}_${name}`))
            out.push(single('untyped', `netstat_${protocol}_${name}`, `Statistic ${protocol}${name}.`, value))
        }
      return out
    },
  }
}

/** Two lines a protocol: `Ip: names…`, then `Ip: values…`; what stands first in the second is not looked at. */
function addPairedLines(out: Statistics, text: string, file: string): void {
  const lines = scanLines(text)
  for (let i = 0; i < lines.length; i += 2) {
    const [head = '', ...names] = lines[i]!.split(' ')
    const values = (lines[i + 1] ?? '').split(' ').slice(1)
    if (head === '' || names.length !== values.length)
      throw new Error(`Cannot read ${file}: names and values differ for "${head}"`)
    out.set(head.slice(0, -1), { names, values })
  }
}

/** `Ip6InReceives 7`: the protocol ends with its 6. */
function addSnmp6(out: Statistics, text: string): void {
  const found = new Map<string, { readonly names: string[]; readonly values: string[] }>()
  for (const line of scanLines(text)) {
    const [key = '', value] = words(line)
    const six = key.indexOf('6')
    if (six < 0 || value === undefined) continue
    const protocol = key.slice(0, six + 1)
    let known = found.get(protocol)
    if (known === undefined) found.set(protocol, (known = { names: [], values: [] }))
    known.names.push(key.slice(six + 1))
    known.values.push(value)
  }
  for (const [protocol, statistics] of found) out.set(protocol, statistics)
}
