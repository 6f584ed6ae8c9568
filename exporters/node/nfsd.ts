/** The NFS server of the kernel. */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { readOptional } from './files.ts'
import { requests } from './nfs.ts'
import { NFS_V2, NFS_V3, NFS_V4_SERVER } from './nfs-procedures.ts'
import { type Counts, exactly, procedures, rpcRows } from './nfs-rpc.ts'

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

const ROWS: Readonly<Record<string, Counts>> = {
  rc: exactly(3),
  fh: exactly(5),
  io: exactly(2),
  th: exactly(2),
  ra: exactly(12),
  net: exactly(4),
  rpc: exactly(5),
  proc2: procedures(18),
  proc3: procedures(22),
  proc4: (numbers) => numbers.length === 3 && numbers[0] === 2,
  proc4ops: procedures(39),
  wdeleg_getattr: () => true,
}

export function nfsdCollector({ disk, procfs }: NodeContext): Collector {
  const file = `${procfs}/net/rpc/nfsd`
  return {
    name: 'nfsd',
    update() {
      const text = readOptional(disk, file)
      if (text === null) throw new NoDataError('the NFS server is not loaded')
      const rows = rpcRows(text, file, ROWS)
      const out = new FamilySet()
      for (const [row, index, type, name, help, labels] of FIELDS)
        out.add(type, `nfsd_${name}`, help, labels, rows.get(row)?.[index] ?? 0)
      const help = 'Total number NFSd Requests by method and protocol.'
      const values = (row: string): number[] => rows.get(row)?.slice(1) ?? []
      requests(out, 'nfsd_requests_total', help, '2', withoutNull(NFS_V2), values('proc2'))
      requests(out, 'nfsd_requests_total', help, '3', withoutNull(NFS_V3), values('proc3'))
      requests(out, 'nfsd_requests_total', help, '4', NFS_V4_SERVER, values('proc4ops'))
      requests(out, 'nfsd_requests_total', help, '4', ['WdelegGetattr'], rows.get('wdeleg_getattr') ?? [])
      return out.list()
    },
  }
}
