/**
 * What of performance_schema is more than a plain table. Semantics: mysqld_exporter
 * collector/perf_schema_events_statements.go, perf_schema_index_io_waits.go, perf_schema_file_instances.go,
 * perf_schema_memory_events.go, perf_schema_replication_*.go (v0.20).
 */
import type { FamilyType } from '../../protocol/exposition/mod.ts'
import { summaryLines } from '../../protocol/exposition/mod.ts'
import { integerFlag, listFlag, stringFlag } from '../contract.ts'
import { type Collector, type ServerInfo, type SqlValue, sortPairs, toNumber, toText } from './collector.ts'
import { emitTable, type TableColumn } from './tables.ts'

/** The schema counts in parts of a second. */
const PICO = 1e12

type DigestColumn = readonly [column: string, name: string, help: string, divisor?: number]
const DIGEST_HEAD: readonly DigestColumn[] = [
  ['COUNT_STAR', 'total', 'The total count of events statements by digest.'],
  ['SUM_TIMER_WAIT', 'seconds_total', 'The total time of events statements by digest.', PICO],
]
/** Since MySQL 8.0.28; 0 elsewhere. */
const DIGEST_TIMES: readonly DigestColumn[] = [
  ['SUM_LOCK_TIME', 'lock_time_seconds_total', 'The total lock time of events statements by digest.', PICO],
  ['SUM_CPU_TIME', 'cpu_time_seconds_total', 'The total cpu time of events statements by digest.', PICO],
]
const DIGEST_TAIL: readonly DigestColumn[] = [
  ['SUM_ERRORS', 'errors_total', 'The errors of events statements by digest.'],
  ['SUM_WARNINGS', 'warnings_total', 'The warnings of events statements by digest.'],
  ['SUM_ROWS_AFFECTED', 'rows_affected_total', 'The total rows affected of events statements by digest.'],
  ['SUM_ROWS_SENT', 'rows_sent_total', 'The total rows sent of events statements by digest.'],
  ['SUM_ROWS_EXAMINED', 'rows_examined_total', 'The total rows examined of events statements by digest.'],
  ['SUM_CREATED_TMP_TABLES', 'tmp_tables_total', 'The total tmp tables of events statements by digest.'],
  ['SUM_CREATED_TMP_DISK_TABLES', 'tmp_disk_tables_total', 'The total tmp disk tables of events statements by digest.'],
  [
    'SUM_SORT_MERGE_PASSES',
    'sort_merge_passes_total',
    'The total number of merge passes by the sort algorithm performed by digest.',
  ],
  ['SUM_SORT_ROWS', 'sort_rows_total', 'The total number of sorted rows by digest.'],
  ['SUM_NO_INDEX_USED', 'no_index_used_total', 'The total number of statements that used full table scans by digest.'],
]
/** Upstream's label values are the names of the columns, not quantiles. */
const QUANTILES: readonly (readonly [column: string, quantile: number])[] = [
  ['QUANTILE_95', 95],
  ['QUANTILE_99', 99],
  ['QUANTILE_999', 999],
]
/** In the order of the statement. */
const DIGEST_COLUMNS: readonly DigestColumn[] = [
  ...DIGEST_TAIL.slice(0, 5),
  DIGEST_TAIL[6]!,
  DIGEST_TAIL[5]!,
  ...DIGEST_TAIL.slice(7),
]
const LATENCY_HELP = 'A summary of statement latency by digest'

const eventsStatements: Collector = {
  name: 'perf_schema.eventsstatements',
  since: [5, 6],
  flags: ['limit', 'timelimit', 'digest_text_limit', 'exclude_schemas'],
  async scrape({ query, server, flags }, emit, emitLines) {
    const flag = `collect.${this.name}`
    const hasTimes = isAtLeast(server, [8, 0, 28])
    const columns = [...DIGEST_HEAD, ...(hasTimes ? DIGEST_TIMES : []), ...DIGEST_COLUMNS].map(([column]) => column)
    if (hasTimes) columns.push(...QUANTILES.map(([column]) => column))
    const excluded = [
      'mysql',
      'performance_schema',
      'information_schema',
      ...listFlag(flags, `${flag}.exclude_schemas`),
    ]
    const { rows } = await query(
      `SELECT ifnull(SCHEMA_NAME, 'NONE') as SCHEMA_NAME, DIGEST, LEFT(DIGEST_TEXT, ${integerFlag(flags, `${flag}.digest_text_limit`, 120)}) as DIGEST_TEXT, ${columns.join(', ')} FROM ( SELECT * FROM performance_schema.events_statements_summary_by_digest WHERE SCHEMA_NAME NOT IN (${excluded.map(() => '?').join(', ')}) AND LAST_SEEN > DATE_SUB(NOW(), INTERVAL ${integerFlag(flags, `${flag}.timelimit`, 86400)} SECOND) ORDER BY LAST_SEEN DESC )Q GROUP BY ${['SCHEMA_NAME', 'DIGEST', 'DIGEST_TEXT', ...columns].map((column) => `Q.${column}`).join(', ')} ORDER BY SUM_TIMER_WAIT DESC LIMIT ${integerFlag(flags, `${flag}.limit`, 250)}`,
      excluded,
    )
    // Where each is in a row; null for what this server does not have.
    const place = (column: string): number | null => {
      const at = columns.indexOf(column)
      return at < 0 ? null : 3 + at
    }
    const numberIn = (row: readonly SqlValue[], column: string): number => {
      const at = place(column)
      return at === null ? 0 : (toNumber(row[at]) ?? 0)
    }
    for (const row of rows) {
      const labels = ['schema', toText(row[0]), 'digest', toText(row[1]), 'digest_text', toText(row[2])]
      for (const [column, name, help, divisor = 1] of [...DIGEST_HEAD, ...DIGEST_TIMES, ...DIGEST_TAIL])
        emit('counter', `perf_schema_events_statements_${name}`, help, numberIn(row, column) / divisor, labels)
      const quantiles = QUANTILES.flatMap(([column, quantile]) => [quantile, numberIn(row, column) / PICO])
      const [sum, count] = [numberIn(row, 'SUM_TIMER_WAIT') / PICO, numberIn(row, 'COUNT_STAR')]
      const lines = summaryLines(sortPairs(labels), quantiles, sum, count)
      emitLines('summary', 'perf_schema_events_statements_latency', LATENCY_HELP, lines)
    }
  },
}

const INDEX_OPERATIONS = ['fetch', 'insert', 'update', 'delete']

const indexIoWaits: Collector = {
  name: 'perf_schema.indexiowaits',
  since: [5, 6],
  async scrape({ query }, emit) {
    const { rows } = await query(
      "SELECT OBJECT_SCHEMA, OBJECT_NAME, ifnull(INDEX_NAME, 'NONE') as INDEX_NAME, COUNT_FETCH, COUNT_INSERT, COUNT_UPDATE, COUNT_DELETE, SUM_TIMER_FETCH, SUM_TIMER_INSERT, SUM_TIMER_UPDATE, SUM_TIMER_DELETE FROM performance_schema.table_io_waits_summary_by_index_usage WHERE OBJECT_SCHEMA NOT IN ('mysql', 'performance_schema')",
    )
    const prefix = 'perf_schema_index_io_waits'
    for (const row of rows) {
      const labels = ['schema', toText(row[0]), 'name', toText(row[1]), 'index', toText(row[2])]
      const each = (from: number, name: string, help: string, divisor: number): void =>
        INDEX_OPERATIONS.forEach((operation, i) => {
          // Inserts are counted for no index in particular.
          if (operation === 'insert' && row[2] !== 'NONE') return
          const value = (toNumber(row[from + i]) ?? 0) / divisor
          emit('counter', `${prefix}_${name}`, help, value, [...labels, 'operation', operation])
        })
      each(3, 'total', 'The total number of index I/O wait events for each index and operation.', 1)
      each(7, 'seconds_total', 'The total time of index I/O wait events for each index and operation.', PICO)
    }
  },
}

const fileInstances: Collector = {
  name: 'perf_schema.file_instances',
  since: [5, 5],
  flags: ['filter', 'remove_prefix'],
  async scrape({ query, flags }, emit) {
    const flag = `collect.${this.name}`
    const { rows } = await query(
      'SELECT FILE_NAME, EVENT_NAME, COUNT_READ, COUNT_WRITE, SUM_NUMBER_OF_BYTES_READ, SUM_NUMBER_OF_BYTES_WRITE FROM performance_schema.file_summary_by_instance where FILE_NAME REGEXP ?',
      [stringFlag(flags, `${flag}.filter`, '.*')],
    )
    const prefix = stringFlag(flags, `${flag}.remove_prefix`, '/var/lib/mysql/')
    const [total, bytes] = ['perf_schema_file_instances_total', 'perf_schema_file_instances_bytes']
    const totalHelp = 'The total number of file read/write operations.'
    const bytesHelp = 'The number of bytes processed by file read/write operations.'
    const metrics: readonly TableColumn[] = [
      [2, 'counter', total, totalHelp, 1, ['mode', 'read']],
      [3, 'counter', total, totalHelp, 1, ['mode', 'write']],
      [4, 'counter', bytes, bytesHelp, 1, ['mode', 'read']],
      [5, 'counter', bytes, bytesHelp, 1, ['mode', 'write']],
    ]
    const labels = [
      [0, 'file_name'],
      [1, 'event_name'],
    ] as const
    emitTable({ labels, metrics }, { rows: withoutPrefix(rows, prefix) }, emit)
  },
}

const memoryEvents: Collector = {
  name: 'perf_schema.memory_events',
  since: [5, 7],
  flags: ['remove_prefix'],
  async scrape({ query, flags }, emit) {
    const { rows } = await query(
      'SELECT EVENT_NAME, SUM_NUMBER_OF_BYTES_ALLOC, SUM_NUMBER_OF_BYTES_FREE, CURRENT_NUMBER_OF_BYTES_USED FROM performance_schema.memory_summary_global_by_event_name where COUNT_ALLOC > 0;',
    )
    const prefix = stringFlag(flags, `collect.${this.name}.remove_prefix`, 'memory/')
    const metrics: readonly TableColumn[] = [
      [1, 'counter', 'perf_schema_memory_events_alloc_bytes_total', 'The total number of bytes allocated by events.'],
      [2, 'counter', 'perf_schema_memory_events_free_bytes_total', 'The total number of bytes freed by events.'],
      [3, 'gauge', 'perf_schema_memory_events_used_bytes', 'The number of bytes currently allocated by events.'],
    ]
    emitTable({ labels: [[0, 'event_name']], metrics }, { rows: withoutPrefix(rows, prefix) }, emit)
  },
}

const groupMembers: Collector = {
  name: 'perf_schema.replication_group_members',
  since: [5, 7],
  async scrape({ query }, emit) {
    const { columns, rows } = await query('SELECT * FROM performance_schema.replication_group_members')
    const help =
      'Information about the replication group member: channel_name, member_id, member_host, member_port, member_state. (member_role and member_version where available)'
    for (const row of rows) {
      const labels = columns.flatMap((name, i) => [name.toLowerCase(), toText(row[i])])
      emit('gauge', 'perf_schema_replication_group_member_info', help, 1, labels)
    }
  },
}

const MEMBER_STATS: Readonly<Record<string, readonly [type: FamilyType, name: string, help: string]>> = {
  __proto__: null as never,
  COUNT_TRANSACTIONS_IN_QUEUE: [
    'gauge',
    'transactions_in_queue',
    'The number of transactions in the queue pending conflict detection checks.',
  ],
  COUNT_TRANSACTIONS_CHECKED: [
    'counter',
    'transactions_checked_total',
    'The number of transactions that have been checked for conflicts.',
  ],
  COUNT_CONFLICTS_DETECTED: [
    'counter',
    'conflicts_detected_total',
    'The number of transactions that have not passed the conflict detection check.',
  ],
  COUNT_TRANSACTIONS_ROWS_VALIDATING: [
    'counter',
    'transactions_rows_validating_total',
    'Number of transaction rows which can be used for certification, but have not been garbage collected.',
  ],
  COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE: [
    'gauge',
    'transactions_remote_in_applier_queue',
    'The number of transactions that this member has received from the replication group which are waiting to be applied.',
  ],
  COUNT_TRANSACTIONS_REMOTE_APPLIED: [
    'counter',
    'transactions_remote_applied_total',
    'Number of transactions this member has received from the group and applied.',
  ],
  COUNT_TRANSACTIONS_LOCAL_PROPOSED: [
    'counter',
    'transactions_local_proposed_total',
    'Number of transactions which originated on this member and were sent to the group.',
  ],
  COUNT_TRANSACTIONS_LOCAL_ROLLBACK: [
    'counter',
    'transactions_local_rollback_total',
    'Number of transactions which originated on this member and were rolled back by the group.',
  ],
}

const groupMemberStats: Collector = {
  name: 'perf_schema.replication_group_member_stats',
  since: [5, 7],
  async scrape({ query }, emit) {
    const { columns, rows } = await query(
      'SELECT * FROM performance_schema.replication_group_member_stats WHERE MEMBER_ID=@@server_uuid',
    )
    for (const row of rows)
      columns.forEach((column, i) => {
        const metric = MEMBER_STATS[column]
        const value = toNumber(row[i])
        if (metric && value !== null) emit(metric[0], `perf_schema_${metric[1]}`, metric[2], value)
      })
  },
}

const APPLIER_TIMES: readonly (readonly [name: string, help: string])[] = [
  [
    'last_applied_transaction_original_commit',
    'A timestamp shows when the last transaction applied by this worker was committed on the original master.',
  ],
  [
    'last_applied_transaction_immediate_commit',
    'A timestamp shows when the last transaction applied by this worker was committed on the immediate master.',
  ],
  [
    'last_applied_transaction_start_apply',
    'A timestamp shows when this worker started applying the last applied transaction.',
  ],
  ['last_applied_transaction_end_apply', 'A shows when this worker finished applying the last applied transaction.'],
  [
    'applying_transaction_original_commit',
    'A timestamp that shows when the transaction this worker is currently applying was committed on the original master.',
  ],
  [
    'applying_transaction_immediate_commit',
    'A timestamp shows when the transaction this worker is currently applying was committed on the immediate master.',
  ],
  [
    'applying_transaction_start_apply',
    'A timestamp shows when this worker started its first attempt to apply the transaction that is currently being applied.',
  ],
]

const applierStatus: Collector = {
  name: 'perf_schema.replication_applier_status_by_worker',
  since: [5, 7],
  async scrape({ query }, emit) {
    const columns = APPLIER_TIMES.map(([name]) => `${name.toUpperCase()}_TIMESTAMP`)
    const { rows } = await query(
      `SELECT CHANNEL_NAME, WORKER_ID, ${columns.join(', ')} FROM performance_schema.replication_applier_status_by_worker`,
    )
    for (const row of rows)
      APPLIER_TIMES.forEach(([name, help], i) => {
        const labels = ['channel_name', toText(row[0]), 'member_id', toText(row[1])]
        emit('gauge', `perf_schema_${name}_timestamp_seconds`, help, timestampSeconds(row[2 + i]), labels)
      })
  },
}

/** `2019-03-14 00:00:00.000000` in UTC; 0 for the zero date and for none. */
function timestampSeconds(value: SqlValue | undefined): number {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)?$/.exec(toText(value))
  if (!match) return 0
  const seconds = Date.parse(`${match[1]}T${match[2]}Z`) / 1000
  if (Number.isNaN(seconds)) return 0
  // By way of whole nanoseconds, for the same last digit as upstream.
  const nanos = BigInt(seconds) * 1_000_000_000n + BigInt((match[3] ?? '.').slice(1, 10).padEnd(9, '0'))
  return Number(nanos) / 1e9
}

function withoutPrefix(rows: readonly (readonly SqlValue[])[], prefix: string): readonly (readonly SqlValue[])[] {
  return rows.map(([name, ...rest]) => {
    const text = toText(name)
    return [text.startsWith(prefix) ? text.slice(prefix.length) : text, ...rest]
  })
}

function isAtLeast({ flavor, version }: ServerInfo, wanted: readonly [number, number, number]): boolean {
  if (flavor !== 'mysql') return false
  for (let i = 0; i < 3; i++) if (version[i] !== wanted[i]) return version[i]! > wanted[i]!
  return true
}

export const performanceCollectors: readonly Collector[] = [
  eventsStatements,
  indexIoWaits,
  fileInstances,
  memoryEvents,
  groupMembers,
  groupMemberStats,
  applierStatus,
]
