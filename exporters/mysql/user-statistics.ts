/**
 * `information_schema.user_statistics` and `client_statistics`: their columns differ between servers, so that each is
 * found by its name, and unknown ones are untyped. Semantics: mysqld_exporter collector/info_schema_userstats.go.
 */
import type { Collector } from './collector.ts'
import { toNumber, toText } from './collector.ts'
import { hasUserstat, USERSTAT } from './tables.ts'

type Columns = Readonly<Record<string, readonly [name: string, help: string]>>

const USER_COLUMNS: Columns = {
  TOTAL_CONNECTIONS: ['total_connections', 'The number of connections created for this user.'],
  CONCURRENT_CONNECTIONS: ['concurrent_connections', 'The number of concurrent connections for this user.'],
  CONNECTED_TIME: [
    'connected_time_seconds_total',
    'The cumulative number of seconds elapsed while there were connections from this user.',
  ],
  BUSY_TIME: [
    'busy_seconds_total',
    'The cumulative number of seconds there was activity on connections from this user.',
  ],
  CPU_TIME: [
    'cpu_time_seconds_total',
    "The cumulative CPU time elapsed, in seconds, while servicing this user's connections.",
  ],
  BYTES_RECEIVED: ['bytes_received_total', 'The number of bytes received from this user’s connections.'],
  BYTES_SENT: ['bytes_sent_total', 'The number of bytes sent to this user’s connections.'],
  BINLOG_BYTES_WRITTEN: [
    'binlog_bytes_written_total',
    'The number of bytes written to the binary log from this user’s connections.',
  ],
  ROWS_READ: ['rows_read_total', "The number of rows read by this user's connections."],
  ROWS_SENT: ['rows_sent_total', "The number of rows sent by this user's connections."],
  ROWS_DELETED: ['rows_deleted_total', "The number of rows deleted by this user's connections."],
  ROWS_INSERTED: ['rows_inserted_total', "The number of rows inserted by this user's connections."],
  ROWS_FETCHED: ['rows_fetched_total', 'The number of rows fetched by this user’s connections.'],
  ROWS_UPDATED: ['rows_updated_total', 'The number of rows updated by this user’s connections.'],
  TABLE_ROWS_READ: [
    'table_rows_read_total',
    'The number of rows read from tables by this user’s connections. (It may be different from ROWS_FETCHED.)',
  ],
  SELECT_COMMANDS: ['select_commands_total', 'The number of SELECT commands executed from this user’s connections.'],
  UPDATE_COMMANDS: ['update_commands_total', 'The number of UPDATE commands executed from this user’s connections.'],
  OTHER_COMMANDS: ['other_commands_total', 'The number of other commands executed from this user’s connections.'],
  COMMIT_TRANSACTIONS: [
    'commit_transactions_total',
    'The number of COMMIT commands issued by this user’s connections.',
  ],
  ROLLBACK_TRANSACTIONS: [
    'rollback_transactions_total',
    'The number of ROLLBACK commands issued by this user’s connections.',
  ],
  DENIED_CONNECTIONS: ['denied_connections_total', 'The number of connections denied to this user.'],
  LOST_CONNECTIONS: ['lost_connections_total', 'The number of this user’s connections that were terminated uncleanly.'],
  ACCESS_DENIED: [
    'access_denied_total',
    'The number of times this user’s connections issued commands that were denied.',
  ],
  EMPTY_QUERIES: [
    'empty_queries_total',
    'The number of times this user’s connections sent empty queries to the server.',
  ],
  TOTAL_SSL_CONNECTIONS: [
    'total_ssl_connections_total',
    'The number of times this user’s connections connected using SSL to the server.',
  ],
}

const CLIENT_COLUMNS: Columns = {
  TOTAL_CONNECTIONS: ['total_connections', 'The number of connections created for this client.'],
  CONCURRENT_CONNECTIONS: ['concurrent_connections', 'The number of concurrent connections for this client.'],
  CONNECTED_TIME: [
    'connected_time_seconds_total',
    'The cumulative number of seconds elapsed while there were connections from this client.',
  ],
  BUSY_TIME: [
    'busy_seconds_total',
    'The cumulative number of seconds there was activity on connections from this client.',
  ],
  CPU_TIME: [
    'cpu_time_seconds_total',
    "The cumulative CPU time elapsed, in seconds, while servicing this client's connections.",
  ],
  BYTES_RECEIVED: ['bytes_received_total', 'The number of bytes received from this client’s connections.'],
  BYTES_SENT: ['bytes_sent_total', 'The number of bytes sent to this client’s connections.'],
  BINLOG_BYTES_WRITTEN: [
    'binlog_bytes_written_total',
    'The number of bytes written to the binary log from this client’s connections.',
  ],
  ROWS_READ: ['rows_read_total', 'The number of rows read by this client’s connections.'],
  ROWS_SENT: ['rows_sent_total', 'The number of rows sent by this client’s connections.'],
  ROWS_DELETED: ['rows_deleted_total', 'The number of rows deleted by this client’s connections.'],
  ROWS_INSERTED: ['rows_inserted_total', 'The number of rows inserted by this client’s connections.'],
  ROWS_FETCHED: ['rows_fetched_total', 'The number of rows fetched by this client’s connections.'],
  ROWS_UPDATED: ['rows_updated_total', 'The number of rows updated by this client’s connections.'],
  TABLE_ROWS_READ: [
    'table_rows_read_total',
    'The number of rows read from tables by this client’s connections. (It may be different from ROWS_FETCHED.)',
  ],
  SELECT_COMMANDS: ['select_commands_total', 'The number of SELECT commands executed from this client’s connections.'],
  UPDATE_COMMANDS: ['update_commands_total', 'The number of UPDATE commands executed from this client’s connections.'],
  OTHER_COMMANDS: ['other_commands_total', 'The number of other commands executed from this client’s connections.'],
  COMMIT_TRANSACTIONS: [
    'commit_transactions_total',
    'The number of COMMIT commands issued by this client’s connections.',
  ],
  ROLLBACK_TRANSACTIONS: [
    'rollback_transactions_total',
    'The number of ROLLBACK commands issued by this client’s connections.',
  ],
  DENIED_CONNECTIONS: ['denied_connections_total', 'The number of connections denied to this client.'],
  LOST_CONNECTIONS: [
    'lost_connections_total',
    'The number of this client’s connections that were terminated uncleanly.',
  ],
  ACCESS_DENIED: [
    'access_denied_total',
    'The number of times this client’s connections issued commands that were denied.',
  ],
  EMPTY_QUERIES: [
    'empty_queries_total',
    'The number of times this client’s connections sent empty queries to the server.',
  ],
  TOTAL_SSL_CONNECTIONS: [
    'total_ssl_connections_total',
    'The number of times this client’s connections connected using SSL to the server.',
  ],
  MAX_STATEMENT_TIME_EXCEEDED: [
    'max_statement_time_exceeded_total',
    'The number of times a statement was aborted, because it was executed longer than its MAX_STATEMENT_TIME threshold.',
  ],
}

export const userStatistics: readonly Collector[] = [
  statisticsCollector('info_schema.userstats', [5, 1], 'user', USER_COLUMNS),
  statisticsCollector('info_schema.clientstats', [5, 5], 'client', CLIENT_COLUMNS),
]

function statisticsCollector(
  name: string,
  since: readonly [number, number],
  subject: 'user' | 'client',
  metrics: Columns,
): Collector {
  return {
    name,
    since,
    async scrape({ query }, emit) {
      if (!hasUserstat((await query(USERSTAT)).rows)) return
      const { columns, rows } = await query(`SELECT * FROM information_schema.${subject}_statistics`)
      for (const row of rows) {
        // The first column is the subject itself.
        for (let i = 1; i < columns.length; i++) {
          const column = columns[i]!
          const metric = metrics[column.toUpperCase()]
          const value = toNumber(row[i])
          if (value === null) continue
          const type = metric === undefined ? 'untyped' : metric[0] === 'concurrent_connections' ? 'gauge' : 'counter'
          const [suffix, help] = metric ?? [column.toLowerCase(), `Unsupported metric from column ${column}`]
          emit(type, `info_schema_${subject}_statistics_${suffix}`, help, value, [subject, toText(row[0])])
        }
      }
    },
  }
}
