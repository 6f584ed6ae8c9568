/** Protocol counters of /proc/net/netstat, snmp and snmp6. */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { stringFlag } from '../contract.ts'
import { type Collector, fieldFilter, type NodeContext, single } from './collector.ts'
import { floatOf, readOptional, scanLines, words } from './files.ts'

const DEFAULT_FIELDS =
  '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$'

/** By protocol, then by name. */
type Statistics = Map<string, ReadonlyMap<string, string>>

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
      for (const [protocol, values] of found)
        for (const [name, text] of values) {
          // Those that are not shown have to be numbers, too.
          const value = floatOf(text, `${procfs}/net`)
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
    out.set(head.slice(0, -1), new Map(names.map((name, j) => [name, values[j]!])))
  }
}

/** `Ip6InReceives 7`: the protocol ends with its 6. */
function addSnmp6(out: Statistics, text: string): void {
  const found = new Map<string, Map<string, string>>()
  for (const line of scanLines(text)) {
    const [key = '', value] = words(line)
    const six = key.indexOf('6')
    if (six < 0 || value === undefined) continue
    const protocol = key.slice(0, six + 1)
    if (!found.has(protocol)) found.set(protocol, new Map())
    found.get(protocol)!.set(key.slice(six + 1), value)
  }
  for (const [protocol, values] of found) out.set(protocol, values)
}
