/**
 * NFS mounts as their clients count them, from /proc/self/mountstats: one set of counters for each export, protocol and
 * server address, however often it is mounted. Semantics: node_exporter mountstats_linux.go.
 */
import { type Collector, FamilySet, type NodeContext } from './collector.ts'
import { floatOf, scanLines, uintOf, words } from './files.ts'
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
      const file = `${procfs}/self/mountstats`
      const mounts = parseMountstats(disk.readText(file), file)
      const out = new FamilySet()
      if (mounts.length === 0) return []
      const system = readMounts({ disk, procfs, rootfs }, 'self')
      const seen = new Set<string>()
      for (const mount of mounts) {
        const protocol = mount.transports[0]?.[0]
        if (protocol === undefined) continue
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
    // UDP has no connection: three fields less. What RDMA counts beyond TCP's first ten is of another kind.
    const aligned =
      name === 'udp'
        ? [values[0]!, '0', '0', '0', ...values.slice(1)]
        : name === 'rdma'
          ? [...values.slice(0, 9), '0', '0', '0']
          : values
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

/**
 * Mounts with statistics: `device EXPORT mounted on PATH with fstype nfs4 statvers=1.1`, then lines up to an empty one.
 * Semantics: prometheus/procfs mountstats.go.
 */
function parseMountstats(text: string, file: string): NfsMount[] {
  const fail = (line: string): never => {
    throw new Error(`Cannot read ${file}: unexpected line ${JSON.stringify(line)}`)
  }
  const numbers = (line: string, values: readonly string[], isComplete: boolean): readonly string[] => {
    if (!isComplete) fail(line)
    for (const value of values) uintOf(value, file)
    return values
  }
  const out: NfsMount[] = []
  const rows = scanLines(text)
  for (let i = 0; i < rows.length; i++) {
    const [device, source = '', mounted, on, mountPoint = '', with_, fstype, type = '', version] = words(rows[i]!)
    if (device !== 'device') continue
    if (mounted !== 'mounted' || on !== 'on' || with_ !== 'with' || fstype !== 'fstype' || type === '') fail(rows[i]!)
    if (version === undefined) continue
    if (type !== 'nfs' && type !== 'nfs4') fail(rows[i]!)
    let ageSeconds = 0
    let events: readonly string[] = EVENTS.map(() => '0')
    let bytes: readonly string[] = BYTES.map(() => '0')
    const transports: (readonly string[])[] = []
    const operations = new Map<string, readonly string[]>()
    for (i++; i < rows.length; i++) {
      const line = rows[i]!
      const [key, ...values] = words(line)
      if (key === undefined || key === 'per-op') break
      if (key === 'age:') ageSeconds = floatOf(values[0], file)
      else if (key === 'opts:') {
        if (values.length === 0) fail(line)
      } else if (key === 'bytes:') bytes = numbers(line, values, values.length === BYTES.length)
      else if (key === 'events:') events = numbers(line, values, values.length === EVENTS.length)
      else if (key === 'xprt:') {
        numbers(line, values.slice(1), hasTransport(values, version.replace(/^statvers=/, '')))
        transports.push(values)
      }
    }
    for (i++; i < rows.length; i++) {
      const line = rows[i]!
      const [name, ...values] = words(line)
      if (name === undefined) break
      operations.set(name.replace(/:$/, ''), numbers(line, values, values.length >= 8))
    }
    out.push({ export: source, mountPoint, type, ageSeconds, events, bytes, transports, operations })
  }
  return out
}

/** How many numbers a transport has: of RDMA, so many at least. */
const TRANSPORT_COUNTS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '1.0': { tcp: 10, udp: 7 },
  '1.1': { tcp: 13, udp: 10, rdma: 20 },
}

function hasTransport([protocol = '', ...values]: readonly string[], version: string): boolean {
  const count = TRANSPORT_COUNTS[version]?.[protocol]
  return count !== undefined && (protocol === 'rdma' ? values.length >= count : values.length === count)
}
