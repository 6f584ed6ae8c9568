/** The NFS server of the kernel. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { numberOf, readOptional } from './files.ts'
import { requests, rpcRows } from './nfs.ts'
import { NFS_V2, NFS_V3, NFS_V4_SERVER } from './nfs-procedures.ts'

type Field = readonly [
  row: string,
  index: number,
  type: FamilyType,
  name: string,
  help: string,
  labels: readonly string[],
]
const PACKETS = 'Total NFSd network packets (sent+received) by protocol type.'
const ERRORS = 'Total number of NFSd RPC errors by error type.'

/** Upstream does not show the empty procedure of the server. */
const withoutNull = (names: readonly string[]): (string | null)[] => [null, ...names.slice(1)]

const FIELDS: readonly Field[] = [
  [
    'rc',
    0,
    'counter',
    'reply_cache_hits_total',
    'Total number of NFSd Reply Cache hits (client lost server response).',
    [],
  ],
  [
    'rc',
    1,
    'counter',
    'reply_cache_misses_total',
    'Total number of NFSd Reply Cache an operation that requires caching (idempotent).',
    [],
  ],
  [
    'rc',
    2,
    'counter',
    'reply_cache_nocache_total',
    'Total number of NFSd Reply Cache non-idempotent operations (rename/delete/…).',
    [],
  ],
  ['fh', 0, 'counter', 'file_handles_stale_total', 'Total number of NFSd stale file handles', []],
  ['io', 0, 'counter', 'disk_bytes_read_total', 'Total NFSd bytes read.', []],
  ['io', 1, 'counter', 'disk_bytes_written_total', 'Total NFSd bytes written.', []],
  ['th', 0, 'gauge', 'server_threads', 'Total number of NFSd kernel threads that are running.', []],
  ['ra', 0, 'gauge', 'read_ahead_cache_size_blocks', 'How large the read ahead cache is in blocks.', []],
  ['ra', 11, 'counter', 'read_ahead_cache_not_found_total', 'Total number of NFSd read ahead cache not found.', []],
  ['net', 1, 'counter', 'packets_total', PACKETS, ['proto', 'udp']],
  ['net', 2, 'counter', 'packets_total', PACKETS, ['proto', 'tcp']],
  ['net', 3, 'counter', 'connections_total', 'Total number of NFSd TCP connections.', []],
  ['rpc', 0, 'counter', 'server_rpcs_total', 'Total number of NFSd RPCs.', []],
  ['rpc', 2, 'counter', 'rpc_errors_total', ERRORS, ['error', 'fmt']],
  ['rpc', 3, 'counter', 'rpc_errors_total', ERRORS, ['error', 'auth']],
  ['rpc', 4, 'counter', 'rpc_errors_total', ERRORS, ['error', 'cInt']],
]

export function nfsdCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/net/rpc/nfsd`
  return {
    name: 'nfsd',
    update() {
      const text = readOptional(disk, file)
      if (text === null) throw new NoDataError('the NFS server is not loaded')
      const rows = rpcRows(text)
      const out = new FamilySet()
      for (const [row, index, type, name, help, labels] of FIELDS)
        out.add(type, `nfsd_${name}`, help, labels, numberOf(rows.get(row)?.[index] ?? '0', file))
      const help = 'Total number NFSd Requests by method and protocol.'
      const values = (row: string): string[] => rows.get(row)?.slice(1) ?? []
      requests(out, 'nfsd_requests_total', help, '2', withoutNull(NFS_V2), values('proc2'))
      requests(out, 'nfsd_requests_total', help, '3', withoutNull(NFS_V3), values('proc3'))
      requests(out, 'nfsd_requests_total', help, '4', NFS_V4_SERVER, values('proc4ops'))
      requests(out, 'nfsd_requests_total', help, '4', ['WdelegGetattr'], rows.get('wdeleg_getattr') ?? [])
      return out.list()
    },
  }
}
