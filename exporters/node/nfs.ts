/** The NFS client. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { readOptional } from './files.ts'
import { NFS_V2, NFS_V3, NFS_V4_CLIENT } from './nfs-procedures.ts'
import { type Counts, exactly, procedures, rpcRows } from './nfs-rpc.ts'

const ROWS: Readonly<Record<string, Counts>> = {
  net: exactly(4),
  rpc: exactly(3),
  proc2: procedures(18),
  proc3: procedures(22),
  proc4: procedures(0),
}

export function nfsCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/net/rpc/nfs`
  return {
    name: 'nfs',
    update() {
      const text = readOptional(disk, file)
      if (text === null) throw new NoDataError('the NFS client is not loaded')
      const rows = rpcRows(text, file, ROWS)
      const at = (row: string, i: number): number => rows.get(row)?.[i] ?? 0
      const out = new FamilySet()
      const packets = (protocol: string, value: number): void =>
        out.counter(
          'nfs_packets_total',
          'Total NFSd network packets (sent+received) by protocol type.',
          ['protocol', protocol],
          value,
        )
      packets('udp', at('net', 1))
      packets('tcp', at('net', 2))
      out.counter('nfs_connections_total', 'Total number of NFSd TCP connections.', [], at('net', 3))
      out.counter('nfs_rpcs_total', 'Total number of RPCs performed.', [], at('rpc', 0))
      out.counter('nfs_rpc_retransmissions_total', 'Number of RPC transmissions performed.', [], at('rpc', 1))
      out.counter(
        'nfs_rpc_authentication_refreshes_total',
        'Number of RPC authentication refreshes performed.',
        [],
        at('rpc', 2),
      )
      const help = 'Number of NFS procedures invoked.'
      const versions = [
        ['2', NFS_V2],
        ['3', NFS_V3],
        ['4', NFS_V4_CLIENT],
      ] as const
      for (const [proto, names] of versions)
        requests(out, 'nfs_requests_total', help, proto, names, rows.get(`proc${proto}`)?.slice(1) ?? [])
      return out.list()
    },
  }
}

/** One sample a procedure; an older kernel counts fewer, a newer one more, one without the version none: these are 0. */
export function requests(
  out: FamilySet,
  family: string,
  help: string,
  proto: string,
  names: readonly (string | null)[],
  values: readonly number[],
): void {
  names.forEach((method, i) => {
    if (method !== null) out.counter(family, help, ['method', method, 'proto', proto], values[i] ?? 0)
  })
}
