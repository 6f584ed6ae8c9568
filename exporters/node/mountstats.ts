/**
 * NFS mounts as their clients count them, from /proc/self/mountstats: one set of counters for each export, protocol and
 * server address, however often it is mounted. Semantics: node_exporter mountstats_linux.go.
 */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { lines, words } from './files.ts'
import { readMounts } from './filesystem.ts'
import { BYTES, EVENTS, type NfsField, OPERATION, TRANSPORT } from './mountstats-fields.ts'

type NfsMount = {
  readonly export: string
  readonly mountPoint: string
  readonly type: string
  readonly ageSeconds: number
  readonly events: readonly string[]
  readonly bytes: readonly string[]
  readonly transports: readonly (readonly string[])[]
  readonly operations: ReadonlyMap<string, readonly string[]>
}

export function mountstatsCollector({ disk, procfs, rootfs }: NodeContext): Collector {
  return {
    name: 'mountstats',
    update() {
      const mounts = parseMountstats(disk.readText(`${procfs}/self/mountstats`))
      const out = new FamilySet()
      if (mounts.length === 0) return []
      const system = readMounts({ disk, procfs, rootfs }, 'self')
      const seen = new Set<string>()
      for (const mount of mounts) {
        const protocol = mount.transports[0]?.[0] ?? ''
        const known = system.find(({ mountPoint, type }) => mountPoint === mount.mountPoint && type === mount.type)
        const address = known?.options.find((option) => option.startsWith('addr='))?.slice('addr='.length) ?? ''
        const labels = ['export', mount.export, 'mountaddr', address]
        out.gauge('mountstats_nfs_mountpoint_info', 'Info metric for an NFS mountpoint.', [
          ...labels,
          ...['mountpoint', mount.mountPoint, 'protocol', protocol],
        ])
        const key = `${mount.export}\0${protocol}\0${address}`
        if (seen.has(key)) continue
        seen.add(key)
        describe(out, mount, labels, protocol)
      }
      return out.list()
    },
  }
}

function describe(out: FamilySet, mount: NfsMount, labels: readonly string[], protocol: string): void {
  const own = [...labels, 'protocol', protocol]
  out.counter('mountstats_nfs_age_seconds_total', 'The age of the NFS mount in seconds.', own, mount.ageSeconds)
  fields(out, EVENTS, mount.events, own)
  fields(out, BYTES, mount.bytes, own)
  mount.transports.forEach((transport, i) => {
    const [name = '', , ...values] = transport
    // UDP has no connection: three fields less.
    const aligned = name === 'udp' ? [values[0]!, '0', '0', '0', ...values.slice(1)] : values
    fields(out, TRANSPORT, aligned, [...labels, 'protocol', name, 'transport', String(i)])
  })
  for (const [operation, values] of mount.operations)
    fields(out, OPERATION, values, [...labels, 'operation', operation, 'protocol', protocol])
}

/** Milliseconds that went below zero wrap at 2^64; like upstream, keep what a float holds exactly. */
const MANTISSA = 1n << 53n

function fields(
  out: FamilySet,
  table: readonly NfsField[],
  values: readonly string[],
  labels: readonly string[],
): void {
  table.forEach((field, i) => {
    const text = values[i]
    if (field === null || text === undefined) return
    const [name, help] = field
    const inMs = name.endsWith('_time_seconds_total')
    const value = inMs ? Number(BigInt(text) % MANTISSA) / 1000 : Number(text)
    out.add(name.endsWith('_total') ? 'counter' : 'gauge', `mountstats_nfs_${name}`, help, labels, value)
  })
}

/** Mounts with statistics: `device EXPORT mounted on PATH with fstype nfs4 statvers=1.1`, then indented lines. */
function parseMountstats(text: string): NfsMount[] {
  const out: NfsMount[] = []
  for (const section of text.split(/^device /m).slice(1)) {
    const [head = '', ...rows] = lines(section)
    const match = /^(\S+) mounted on (\S+) with fstype (nfs4?) statvers=/.exec(head)
    if (!match) continue
    const values = (key: string): string[][] =>
      rows.filter((row) => row.trim().startsWith(`${key}:`)).map((row) => words(row.slice(row.indexOf(':') + 1)))
    const start = rows.findIndex((row) => row.includes('per-op statistics'))
    const operations = start < 0 ? [] : rows.slice(start + 1).map((row) => row.split(':'))
    out.push({
      export: match[1]!,
      mountPoint: match[2]!,
      type: match[3]!,
      ageSeconds: Number(values('age')[0]?.[0] ?? 0),
      events: values('events')[0] ?? [],
      bytes: values('bytes')[0] ?? [],
      transports: values('xprt'),
      operations: new Map(operations.map(([name = '', numbers = '']) => [name.trim(), words(numbers)])),
    })
  }
  return out
}
