/** Virtual servers of IPVS. */
import { FlagError, stringFlag } from '../contract.ts'
import { type Collector, collectInto, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { lines, readOptional, uintOf, words } from './files.ts'

const LABELS = ['local_address', 'local_mark', 'local_port', 'proto', 'remote_address', 'remote_port'] as const
type Label = (typeof LABELS)[number]

const TOTALS: readonly (readonly [name: string, help: string])[] = [
  ['connections_total', 'The total number of connections made.'],
  ['incoming_packets_total', 'The total number of incoming packets.'],
  ['outgoing_packets_total', 'The total number of outgoing packets.'],
  ['incoming_bytes_total', 'The total amount of incoming data.'],
  ['outgoing_bytes_total', 'The total amount of outgoing data.'],
]

type Backend = Readonly<Record<Label, string>> & {
  readonly weight: number
  readonly active: number
  readonly inactive: number
}

const ABSENT = 'IPVS is not loaded'

/** Backends whose chosen labels agree are added up. @throws FlagError for labels that do not exist */
export function ipvsCollector({ disk, procfs, flags }: NodeContext): Collector {
  const kept = backendLabels(stringFlag(flags, 'collector.ipvs.backend-labels', LABELS.join(',')))
  const file = `${procfs}/net/ip_vs`
  return {
    name: 'ipvs',
    update() {
      const stats = readOptional(disk, `${procfs}/net/ip_vs_stats`)
      if (stats === null) throw new NoDataError(ABSENT)
      const out = new FamilySet()
      return collectInto(out, () => {
        // Two header lines, then hexadecimal totals.
        const rows = stats.split('\n')
        const totals = words(rows[2] ?? '')
        const statsFile = `${procfs}/net/ip_vs_stats`
        if (rows.length < 4 || totals.length !== TOTALS.length)
          throw new Error(`Cannot read ${statsFile}: ${TOTALS.length} totals expected in line 3`)
        const counts = totals.map((total) => uintOf(total, statsFile, 16))
        TOTALS.forEach(([name, help], i) => {
          out.counter(`ipvs_${name}`, help, [], counts[i]!)
        })
        const servers = readOptional(disk, file)
        if (servers === null) throw new NoDataError(ABSENT)
        for (const { labels, weight, active, inactive } of addUp(parseBackends(servers, file), kept)) {
          const by = 'by local and remote address.'
          out.gauge('ipvs_backend_connections_active', `The current active connections ${by}`, labels, active)
          out.gauge('ipvs_backend_connections_inactive', `The current inactive connections ${by}`, labels, inactive)
          out.gauge('ipvs_backend_weight', `The current backend weight ${by}`, labels, weight)
        }
      })
    },
  }
}

function backendLabels(text: string): readonly Label[] {
  const wanted = text === '' ? [] : text.split(',').map((label) => label.trim())
  const unknown = wanted.filter((label) => !LABELS.includes(label as Label)).sort()
  if (unknown.length > 0) {
    const known = `known are ${LABELS.join(', ')}`
    throw new FlagError(
      'collector.ipvs.backend-labels',
      `unknown IPVS backend labels: "${unknown.join(', ')}"; ${known}`,
    )
  }
  return LABELS.filter((label) => wanted.includes(label))
}

type Sum = { readonly labels: string[]; weight: number; active: number; inactive: number }

function addUp(backends: readonly Backend[], kept: readonly Label[]): Iterable<Sum> {
  const sums = new Map<string, Sum>()
  for (const backend of backends) {
    const labels = kept.flatMap((label) => [label, backend[label]])
    const key = labels.join('\0')
    const sum = sums.get(key) ?? { labels, weight: 0, active: 0, inactive: 0 }
    sum.weight += backend.weight
    sum.active += backend.active
    sum.inactive += backend.inactive
    sums.set(key, sum)
  }
  return sums.values()
}

/** A server's line (`TCP C0A80016:0CEA wlc`, `FWM 10001000 wlc`), then `-> REMOTE Forward Weight Active Inactive` each. */
function parseBackends(text: string, file: string): Backend[] {
  const out: Backend[] = []
  let server = { proto: '', local_address: '', local_port: '0', local_mark: '' }
  for (const line of lines(text)) {
    const [first = '', second = '', , weight, active, inactive] = words(line)
    if (first === 'TCP' || first === 'UDP' || first === 'SCTP') {
      const { address, port } = parseEndpoint(second, file)
      server = { proto: first, local_address: address, local_port: port, local_mark: '' }
    } else if (first === 'FWM') {
      server = { proto: first, local_address: '', local_port: '0', local_mark: second }
    } else if (first === '->' && second !== 'RemoteAddress:Port' && inactive !== undefined) {
      const { address, port } = parseEndpoint(second, file)
      out.push({
        ...server,
        remote_address: address,
        remote_port: port,
        weight: uintOf(weight, file),
        active: uintOf(active, file),
        inactive: uintOf(inactive, file),
      })
    }
  }
  return out
}

/** `C0A80016:0CEA` or `[2620:0000:…:0001]:0CEA`. */
function parseEndpoint(text: string, file: string): { readonly address: string; readonly port: string } {
  const match = /^(?:([0-9A-Fa-f]{8})|.([0-9A-Fa-f:]{39}).).([0-9A-Fa-f]{4})$/.exec(text)
  if (!match) throw new Error(`Cannot read ${file}: unexpected address "${text}"`)
  const [, four, six, port = ''] = match
  const address = four
    ? [0, 2, 4, 6].map((at) => Number.parseInt(four.slice(at, at + 2), 16)).join('.')
    : shortIpv6(six!)
  return { address, port: String(Number.parseInt(port, 16)) }
}

/** Leading zeros cut, the longest run of two or more zero groups as `::`. Semantics: RFC 5952. */
function shortIpv6(text: string): string {
  const groups = text.split(':').map((group) => Number.parseInt(group || '0', 16).toString(16))
  const runs = [...groups.join(':').matchAll(/(?:^|(?<=:))0(?::0)+(?=:|$)/g)]
  const longest = runs.reduce<RegExpExecArray | null>(
    (best, run) => (run[0].length > (best?.[0].length ?? 0) ? run : best),
    null,
  )
  const joined = groups.join(':')
  if (!longest) return joined
  const before = joined.slice(0, longest.index).replace(/:$/, '')
  const after = joined.slice(longest.index + longest[0].length).replace(/^:/, '')
  return `${before}::${after}`
}
