/** Every collector by its name. Semantics: mysqld_exporter mysqld_exporter.go, scrapers (v0.20). */
import type { Collector } from './collector.ts'
import { innodbCollectors } from './innodb.ts'
import { performanceCollectors } from './performance.ts'
import { replicationCollectors } from './replication.ts'
import { rocksdb } from './rocksdb.ts'
import { schemaCollectors } from './schema.ts'
import { globalStatus, globalVariables } from './status.ts'
import { TABLES } from './table-list.ts'
import { tableCollector } from './tables.ts'
import { userStatistics } from './user-statistics.ts'

export const COLLECTORS: ReadonlyMap<string, Collector> = new Map(
  [
    globalStatus,
    globalVariables,
    ...innodbCollectors,
    ...performanceCollectors,
    ...replicationCollectors,
    ...schemaCollectors,
    ...userStatistics,
    rocksdb,
    ...TABLES.map(tableCollector),
  ].map((collector) => [collector.name, collector]),
)

export const DEFAULT_ON: ReadonlySet<string> = new Set([
  'global_status',
  'global_variables',
  'slave_status',
  'info_schema.innodb_cmp',
  'info_schema.innodb_cmpmem',
  'info_schema.query_response_time',
])
