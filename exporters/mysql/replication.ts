/**
 * Replication: what a replica says of itself, who the replicas are, heartbeats, Aurora's replicas, binary logs.
 * Semantics: mysqld_exporter collector/slave_status.go, slave_hosts.go, heartbeat.go, info_schema_replica_host.go,
 * binlog.go (v0.20).
 */
import { booleanFlag, FlagError, type Flags, stringFlag } from '../contract.ts'
import {
  type Collector,
  metricName,
  parseStatus,
  type Query,
  type QueryResult,
  SqlError,
  toNumber,
  toText,
} from './collector.ts'
import { emitTable } from './tables.ts'

/** MariaDB's first; then what MySQL and Percona know, without waiting for a lock where they can. */
const SLAVE_STATUS = [
  'SHOW ALL SLAVES STATUS',
  'SHOW SLAVE STATUS NONBLOCKING',
  'SHOW SLAVE STATUS NOLOCK',
  'SHOW SLAVE STATUS',
  'SHOW REPLICA STATUS',
]

const slaveStatus: Collector = {
  name: 'slave_status',
  since: [5, 1],
  async scrape({ query }, emit) {
    const { columns, rows } = await firstThatWorks(query, SLAVE_STATUS)
    for (const row of rows) {
      const column = (...names: readonly string[]): string =>
        toText(row[columns.findIndex((name) => names.includes(name))])
      const labels = [
        'master_host',
        column('Master_Host', 'Source_Host'),
        'master_uuid',
        column('Master_UUID', 'Source_UUID'),
        'channel_name',
        column('Channel_Name'),
        'connection_name',
        column('Connection_name'),
      ]
      columns.forEach((name, i) => {
        const value = parseStatus(row[i])
        if (value === null) return
        emit('untyped', `slave_status_${metricName(name)}`, 'Generic metric from SHOW SLAVE STATUS.', value, labels)
      })
      // MariaDB's positions, `domain-server-sequence` each.
      for (const [, domain, server, sequence] of column('Gtid_IO_Pos').matchAll(/(\d+)-(\d+)-(\d+)/g))
        emit(
          'gauge',
          'slave_status_gtid_io_pos',
          'Sequence number of the last GTID that the I/O thread received, by domain and server.',
          Number(sequence),
          [...labels, 'domain_id', domain!, 'server_id', server!],
        )
    }
  },
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

const slaveHosts: Collector = {
  name: 'slave_hosts',
  since: [5, 1],
  async scrape({ query }, emit) {
    // MySQL 8.4 knows the second only.
    const { columns, rows } = await firstThatWorks(query, ['SHOW SLAVE HOSTS', 'SHOW REPLICAS'])
    const names = columns.map((name) => name.toLowerCase())
    for (const row of rows) {
      const column = (...wanted: readonly string[]): string =>
        toText(row[names.findIndex((name) => wanted.includes(name))])
      const uuid = column('slave_uuid', 'replica_uuid')
      emit('gauge', 'heartbeat_mysql_slave_hosts_info', 'Information about running slaves', 1, [
        'server_id',
        column('server_id'),
        'slave_host',
        column('host'),
        'port',
        column('port'),
        'master_id',
        column('master_id', 'source_id'),
        'slave_uuid',
        UUID.test(uuid) ? uuid : '',
      ])
    }
  },
}

const heartbeat: Collector = {
  name: 'heartbeat',
  since: [5, 1],
  flags: ['database', 'table', 'utc'],
  async scrape({ query, flags }, emit) {
    const now = booleanFlag(flags, 'collect.heartbeat.utc', false) ? 'UTC_TIMESTAMP(6)' : 'NOW(6)'
    const [database, table] = [identifier(flags, 'database'), identifier(flags, 'table')]
    const { rows } = await query(
      `SELECT UNIX_TIMESTAMP(ts), UNIX_TIMESTAMP(${now}), server_id from \`${database}\`.\`${table}\``,
    )
    const metrics = [
      [1, 'gauge', 'heartbeat_now_timestamp_seconds', 'Timestamp of the current server.'],
      [0, 'gauge', 'heartbeat_stored_timestamp_seconds', 'Timestamp stored in the heartbeat table.'],
    ] as const
    emitTable({ labels: [[2, 'server_id']], metrics }, { rows }, emit)
  },
}

/** It goes into the statement, where no parameter may stand. */
function identifier(flags: Flags, name: string): string {
  const flag = `collect.heartbeat.${name}`
  const text = stringFlag(flags, flag, 'heartbeat')
  if (!/^[\w$-]+$/.test(text)) throw new FlagError(flag, `"${text}" is not the name of a ${name}`)
  return text
}

const REPLICA_HOST =
  "SELECT SERVER_ID , if(SESSION_ID='MASTER_SESSION_ID','writer','reader') AS ROLE , CPU , MASTER_SLAVE_LATENCY_IN_MICROSECONDS , REPLICA_LAG_IN_MILLISECONDS , LOG_STREAM_SPEED_IN_KiB_PER_SECOND , CURRENT_REPLAY_LATENCY_IN_MICROSECONDS FROM information_schema.replica_host_status"
const UNKNOWN_TABLE = 1109

const replicaHost: Collector = {
  name: 'info_schema.replica_host',
  since: [5, 6],
  async scrape({ query }, emit) {
    let result: QueryResult
    try {
      result = await query(REPLICA_HOST)
    } catch (error) {
      // Only Aurora has it.
      if (error instanceof SqlError && error.errno === UNKNOWN_TABLE) return
      throw error
    }
    const prefix = 'info_schema_replica_host'
    const metrics = [
      [2, 'gauge', `${prefix}_cpu_percent`, 'The CPU usage as a percentage.'],
      [3, 'gauge', `${prefix}_replica_latency_seconds`, 'The source-replica latency in seconds.', 1e6],
      [4, 'gauge', `${prefix}_lag_seconds`, 'The replica lag in seconds.', 1000],
      [5, 'gauge', `${prefix}_log_stream_speed`, 'The log stream speed in kilobytes per second.'],
      [6, 'gauge', `${prefix}_replay_latency_seconds`, 'The current replay latency in seconds.', 1e6],
    ] as const
    const labels = [
      [0, 'server_id'],
      [1, 'role'],
    ] as const
    emitTable({ labels, metrics }, result, emit)
  },
}

const binlog: Collector = {
  name: 'binlog_size',
  since: [5, 1],
  async scrape({ query }, emit) {
    if (toNumber((await query('SELECT @@log_bin')).rows[0]?.[0]) !== 1) return
    const { rows } = await query('SHOW BINARY LOGS')
    const bytes = rows.reduce((sum, row) => sum + (toNumber(row[1]) ?? 0), 0)
    const last = Number(/\.(\d+)$/.exec(toText(rows.at(-1)?.[0]))?.[1] ?? 0)
    emit('gauge', 'binlog_size_bytes', 'Combined size of all registered binlog files.', bytes)
    emit('gauge', 'binlog_files', 'Number of registered binlog files.', rows.length)
    emit('gauge', 'binlog_file_number', 'The last binlog file number.', last)
  },
}

/** Servers refuse the statements that they do not know; the last refusal is the answer. */
async function firstThatWorks(query: Query, statements: readonly string[]): Promise<QueryResult> {
  let refusal: unknown
  for (const statement of statements) {
    try {
      return await query(statement)
    } catch (error) {
      if (!(error instanceof SqlError)) throw error
      refusal = error
    }
  }
  throw refusal
}

export const replicationCollectors: readonly Collector[] = [slaveStatus, slaveHosts, heartbeat, replicaHost, binlog]
