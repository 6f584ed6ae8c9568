/**
 * Threads, tables, users, and the histogram of response times. Semantics: mysqld_exporter
 * collector/info_schema_processlist.go, info_schema_tables.go, mysql_user.go, info_schema_query_response_time.go (v0.20).
 */
import { histogramLines } from '../../protocol/exposition/mod.ts'
import { booleanFlag, integerFlag, stringFlag } from '../contract.ts'
import { type Collector, type QueryResult, SqlError, toNumber, toText } from './collector.ts'
import { emitTable, type TableColumn } from './tables.ts'

const processlist: Collector = {
  name: 'info_schema.processlist',
  since: [5, 1],
  flags: ['min_time', 'processes_by_user', 'processes_by_host'],
  async scrape({ query, flags }, emit) {
    const flag = `collect.${this.name}`
    const { rows } = await query(
      `SELECT user, SUBSTRING_INDEX(host, ':', 1) AS host, COALESCE(command, '') AS command, COALESCE(state, '') AS state, COUNT(*) AS processes, SUM(time) AS seconds FROM information_schema.processlist WHERE ID != connection_id() AND TIME >= ${integerFlag(flags, `${flag}.min_time`, 0)} GROUP BY user, host, command, state`,
    )
    const threads = new Map<string, { labels: string[]; count: number; seconds: number }>()
    const byHost = new Map<string, number>()
    const byUser = new Map<string, number>()
    for (const [user, host, command, state, processes, seconds] of rows) {
      const labels = ['command', threadState(toText(command)), 'state', threadState(toText(state))]
      const key = labels.join(' ')
      const sum = threads.get(key) ?? { labels, count: 0, seconds: 0 }
      const count = toNumber(processes) ?? 0
      sum.count += count
      sum.seconds += toNumber(seconds) ?? 0
      threads.set(key, sum)
      addTo(byHost, toText(host) || 'unknown', count)
      addTo(byUser, toText(user), count)
    }
    for (const [, { labels, count, seconds }] of sorted(threads)) {
      const help = 'The number of threads split by current state.'
      emit('gauge', 'info_schema_processlist_threads', help, count, labels)
      const secondsHelp = 'The number of seconds threads have used split by current state.'
      emit('gauge', 'info_schema_processlist_seconds', secondsHelp, seconds, labels)
    }
    if (booleanFlag(flags, `${flag}.processes_by_host`, true))
      for (const [host, count] of sorted(byHost)) {
        const help = 'The number of processes by host.'
        emit('gauge', 'info_schema_processlist_processes_by_host', help, count, ['client_host', host])
      }
    if (booleanFlag(flags, `${flag}.processes_by_user`, true))
      for (const [user, count] of sorted(byUser)) {
        const help = 'The number of processes by user.'
        emit('gauge', 'info_schema_processlist_processes_by_user', help, count, ['mysql_user', user])
      }
  },
}

/** `Waiting for X; Y` as `waiting_for_x_y`. */
function threadState(text: string): string {
  if (text === '') return 'unknown'
  return text
    .toLowerCase()
    .replace(/[;,:.()]/g, '')
    .replace(/[ -]/g, '_')
}

const addTo = (counts: Map<string, number>, key: string, count: number): void => {
  counts.set(key, (counts.get(key) ?? 0) + count)
}

const sorted = <T>(map: ReadonlyMap<string, T>): [string, T][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

const DATABASES =
  "SELECT SCHEMA_NAME FROM information_schema.schemata WHERE SCHEMA_NAME NOT IN ('mysql', 'performance_schema', 'information_schema', 'sys')"
const TABLE_COLUMNS = [
  ['VERSION', '0'],
  ['ROW_FORMAT', 'NONE'],
  ['TABLE_ROWS', '0'],
  ['DATA_LENGTH', '0'],
  ['INDEX_LENGTH', '0'],
  ['DATA_FREE', '0'],
  ['CREATE_OPTIONS', 'NONE'],
]

const tables: Collector = {
  name: 'info_schema.tables',
  since: [5, 1],
  flags: ['databases'],
  async scrape({ query, flags }, emit) {
    const wanted = stringFlag(flags, `collect.${this.name}.databases`, '*')
    const databases = wanted === '*' ? (await query(DATABASES)).rows.map(([name]) => toText(name)) : wanted.split(',')
    const columns = TABLE_COLUMNS.map(([name, fallback]) => `ifnull(${name}, '${fallback}') as ${name}`)
    const sql = `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ifnull(ENGINE, 'NONE') as ENGINE, ${columns.join(', ')} FROM information_schema.tables WHERE TABLE_SCHEMA = ?`
    for (const database of databases)
      for (const row of (await query(sql, [database])).rows) {
        const table = ['schema', toText(row[0]), 'table', toText(row[1])]
        const details = [
          'type',
          toText(row[2]),
          'engine',
          toText(row[3]),
          'row_format',
          toText(row[5]),
          'create_options',
          toText(row[10]),
        ]
        const help = "The version number of the table's .frm file"
        emit('gauge', 'info_schema_table_version', help, toNumber(row[4]) ?? 0, [...table, ...details])
        const rowsHelp = 'The estimated number of rows in the table from information_schema.tables'
        emit('gauge', 'info_schema_table_rows', rowsHelp, toNumber(row[6]) ?? 0, table)
        const sizeHelp = 'The size of the table components from information_schema.tables'
        ;['data_length', 'index_length', 'data_free'].forEach((component, i) => {
          emit('gauge', 'info_schema_table_size', sizeHelp, toNumber(row[7 + i]) ?? 0, [
            ...table,
            'component',
            component,
          ])
        })
      }
  },
}

const USERS =
  'SELECT user, host, Select_priv, Insert_priv, Update_priv, Delete_priv, Create_priv, Drop_priv, Reload_priv, Shutdown_priv, Process_priv, File_priv, Grant_priv, References_priv, Index_priv, Alter_priv, Show_db_priv, Super_priv, Create_tmp_table_priv, Lock_tables_priv, Execute_priv, Repl_slave_priv, Repl_client_priv, Create_view_priv, Show_view_priv, Create_routine_priv, Alter_routine_priv, Create_user_priv, Event_priv, Trigger_priv, Create_tablespace_priv, max_questions, max_updates, max_connections, max_user_connections FROM mysql.user'

const users: Collector = {
  name: 'mysql.user',
  since: [5, 1],
  flags: ['privileges'],
  async scrape({ query, flags }, emit) {
    const { columns, rows } = await query(USERS)
    const labels = [
      [0, 'mysql_user'],
      [1, 'hostmask'],
    ] as const
    if (booleanFlag(flags, `collect.${this.name}.privileges`, false))
      for (const row of rows)
        columns.forEach((column, i) => {
          const text = toText(row[i])
          if (!column.endsWith('_priv') || (text !== 'Y' && text !== 'N')) return
          const own = ['mysql_user', toText(row[0]), 'hostmask', toText(row[1])]
          emit('gauge', `mysql_${column.toLowerCase()}`, `${column} by user.`, text === 'Y' ? 1 : 0, own)
        })
    const metrics = ['max_questions', 'max_updates', 'max_connections', 'max_user_connections'].map(
      (name): TableColumn => [columns.indexOf(name), 'gauge', `mysql_${name}`, `The number of ${name} by user.`],
    )
    emitTable({ labels, metrics }, { rows }, emit)
  },
}

const RESPONSE_TIMES: readonly (readonly [table: string, name: string, help: string])[] = [
  ['QUERY_RESPONSE_TIME', 'query', 'The number of all queries by duration they took to execute.'],
  ['QUERY_RESPONSE_TIME_READ', 'read_query', 'The number of read queries by duration they took to execute.'],
  ['QUERY_RESPONSE_TIME_WRITE', 'write_query', 'The number of write queries by duration they took to execute.'],
]

const queryResponseTime: Collector = {
  name: 'info_schema.query_response_time',
  since: [5, 5],
  async scrape({ query }, _emit, emitLines) {
    let isOn: number | null
    try {
      isOn = toNumber((await query('SELECT @@query_response_time_stats')).rows[0]?.[0])
    } catch (error) {
      // Only Percona Server and MariaDB's plugin have it.
      if (error instanceof SqlError) return
      throw error
    }
    if (isOn !== 1) return
    for (const [table, name, help] of RESPONSE_TIMES) {
      let result: QueryResult
      try {
        result = await query(`SELECT TIME, COUNT, TOTAL FROM INFORMATION_SCHEMA.${table}`)
      } catch (error) {
        // Reads and writes apart are Percona's alone.
        if (table !== 'QUERY_RESPONSE_TIME' && error instanceof SqlError) continue
        throw error
      }
      emitLines('histogram', `info_schema_${name}_response_time_seconds`, help, responseTimeLines(result))
    }
  },
}

/** Bounds come as padded text, the last as `TOO LONG`. */
function responseTimeLines({ rows }: QueryResult) {
  const buckets: number[] = []
  let count = 0
  let sum = 0
  for (const [time, queries, total] of rows) {
    count += toNumber(queries) ?? 0
    sum += Number(toText(total).trim()) || 0
    const bound = Number(toText(time).trim()) || 0
    if (bound !== 0) buckets.push(bound, count)
  }
  return histogramLines([], buckets, sum, count)
}

export const schemaCollectors: readonly Collector[] = [processlist, tables, users, queryResponseTime]
