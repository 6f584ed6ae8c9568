/** Protocol counters of /proc/net/netstat, snmp and snmp6. */
import { stringFlag } from '../contract.ts'
import { type Collector, fieldFilter, type NodeContext, single } from './collector.ts'
import { numberOf, readOptional } from './files.ts'

const DEFAULT_FIELDS =
  '^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$'

type Statistic = readonly [protocol: string, name: string, value: number]

export function netstatCollector({ disk, procfs, flags }: NodeContext): Collector {
  const wanted = fieldFilter(stringFlag(flags, 'collector.netstat.fields', DEFAULT_FIELDS))
  return {
    name: 'netstat',
    update() {
      const statistics = [
        ...pairedLines(disk.readText(`${procfs}/net/netstat`), `${procfs}/net/netstat`),
        ...pairedLines(disk.readText(`${procfs}/net/snmp`), `${procfs}/net/snmp`),
        // Absent where IPv6 is off.
        ...snmp6(readOptional(disk, `${procfs}/net/snmp6`) ?? '', `${procfs}/net/snmp6`),
      ]
      return statistics
        .filter(([protocol, name]) => wanted(`${protocol}_${name}`))
        .map(([protocol, name, value]) =>
          single('untyped', `netstat_${protocol}_${name}`, `Statistic ${protocol}${name}.`, value),
        )
    },
  }
}

/** Two lines a protocol: `Ip: names…`, then `Ip: values…`. */
function pairedLines(text: string, file: string): Statistic[] {
  const lines = text.split('\n').filter((line) => line !== '')
  const out: Statistic[] = []
  for (let i = 0; i + 1 < lines.length; i += 2) {
    const names = lines[i]!.trim().split(/\s+/)
    const values = lines[i + 1]!.trim().split(/\s+/)
    if (names[0] !== values[0] || names.length !== values.length)
      throw new Error(`Cannot read ${file}: names and values differ for ${names[0]}`)
    const protocol = names[0]!.replace(/:$/, '')
    for (let j = 1; j < names.length; j++) out.push([protocol, names[j]!, numberOf(values[j], file)])
  }
  return out
}

/** `Ip6InReceives 7`: the protocol ends with its 6. */
function snmp6(text: string, file: string): Statistic[] {
  return text.split('\n').flatMap((line): Statistic[] => {
    const [key = '', value] = line.trim().split(/\s+/)
    const six = key.indexOf('6')
    return six < 0 || value === undefined ? [] : [[key.slice(0, six + 1), key.slice(six + 1), numberOf(value, file)]]
  })
}
