/**
 * The storage engines: InnoDB's monitor, metrics and tablespaces, TokuDB's status. Semantics: mysqld_exporter
 * collector/engine_innodb.go, engine_tokudb.go, info_schema_innodb_metrics.go, info_schema_innodb_sys_tablespaces.go.
 */
import { type Collector, type Emit, metricName, parseStatus, type SqlValue, toNumber, toText } from './collector.ts'

const engineInnodb: Collector = {
  name: 'engine_innodb_status',
  since: [5, 1],
  async scrape({ query }, emit) {
    const { rows } = await query('SHOW ENGINE INNODB STATUS')
    const monitor = toText(rows[0]?.[2])
    const queries = /(\d+) queries inside InnoDB, (\d+) queries in queue/.exec(monitor)
    const views = /(\d+) read views open inside InnoDB/.exec(monitor)
    if (queries) {
      emit('gauge', 'engine_innodb_queries_inside_innodb', 'Queries inside InnoDB.', Number(queries[1]))
      emit('gauge', 'engine_innodb_queries_in_queue', 'Queries in queue.', Number(queries[2]))
    }
    if (views)
      emit('gauge', 'engine_innodb_read_views_open_inside_innodb', 'Read views open inside InnoDB.', Number(views[1]))
  },
}

const engineTokudb: Collector = {
  name: 'engine_tokudb_status',
  since: [5, 6],
  async scrape({ query }, emit) {
    for (const [, name, value] of (await query('SHOW ENGINE TOKUDB STATUS')).rows) {
      const number = parseStatus(value)
      if (number === null) continue
      const words = toText(name)
        .toLowerCase()
        .replace(/[>,:()]/g, '')
        .replace(/[+/]/g, 'and')
      const metric = `engine_tokudb_${words.replace(/[ -]/g, '_')}`
      emit('untyped', metricName(metric), 'Generic metric from SHOW ENGINE TOKUDB STATUS.', number)
    }
  },
}

const innodbMetrics: Collector = {
  name: 'info_schema.innodb_metrics',
  since: [5, 6],
  async scrape({ query }, emit) {
    // MariaDB 10.5 has `enabled`, others `status`.
    const enabled = await query(
      "SELECT column_name FROM information_schema.columns WHERE table_schema = 'information_schema' AND table_name = 'INNODB_METRICS' AND column_name IN ('status', 'enabled') LIMIT 1",
    )
    const column = toText(enabled.rows[0]?.[0]).toLowerCase()
    if (column !== 'status' && column !== 'enabled')
      throw new Error('information_schema.INNODB_METRICS has neither a column STATUS nor ENABLED')
    const value = column === 'status' ? 'enabled' : '1'
    const { rows } = await query(
      `SELECT name, subsystem, type, comment, count FROM information_schema.innodb_metrics WHERE \`${column}\` = '${value}'`,
    )
    for (const row of rows) emitInnodbMetric(row, emit)
  },
}

function emitInnodbMetric([name, subsystem, type, comment, count]: readonly SqlValue[], emit: Emit): void {
  const value = toNumber(count)
  if (value === null) return
  const counter = toText(name)
  const prefix = 'info_schema_innodb_metrics'
  if (subsystem === 'buffer_page_io') {
    const match = /^buffer_page_(read|written)_(.*)$/.exec(counter)
    if (!match) return
    const [, operation, page] = match
    const help = `Total number of buffer pages ${operation} total.`
    emit('counter', `${prefix}_buffer_page_${operation}_total`, help, value, ['type', page!])
    return
  }
  const state = subsystem === 'buffer' ? /^buffer_pool_pages_(.*)$/.exec(counter)?.[1] : undefined
  // The total is the sum of the others.
  if (state === 'total') return
  if (state === 'dirty')
    emit('gauge', `${prefix}_buffer_pool_dirty_pages`, 'Total number of dirty pages in the buffer pool.', value)
  else if (state !== undefined) {
    const help = 'Total number of buffer pool pages by state.'
    emit('gauge', `${prefix}_buffer_pool_pages`, help, value, ['state', state])
  } else {
    // Unlike status variables, these keep their case.
    const generic = `${prefix}_${toText(subsystem)}_${counter}`.replace(/[^a-zA-Z0-9_]/g, '_')
    // Some counters run negative: https://bugs.mysql.com/bug.php?id=75966
    const isCounter = (type === 'counter' || type === 'status_counter') && value >= 0
    emit(isCounter ? 'counter' : 'gauge', isCounter ? `${generic}_total` : generic, toText(comment), value)
  }
}

const innodbTablespaces: Collector = {
  name: 'info_schema.innodb_tablespaces',
  since: [5, 7],
  async scrape({ query, server }, emit) {
    const found = await query(
      "SELECT table_name FROM information_schema.tables WHERE table_name = 'INNODB_SYS_TABLESPACES' OR table_name = 'INNODB_TABLESPACES'",
    )
    const table = toText(found.rows[0]?.[0])
    if (table !== 'INNODB_SYS_TABLESPACES' && table !== 'INNODB_TABLESPACES')
      throw new Error('information_schema has neither INNODB_SYS_TABLESPACES nor INNODB_TABLESPACES')
    const [major, minor] = server.version
    const hasSpaceType = server.flavor !== 'mariadb' || major < 10 || (major === 10 && minor < 5)
    const fileFormat = `ifnull((SELECT column_name FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = 'information_schema' AND TABLE_NAME = '${table}' AND COLUMN_NAME = 'FILE_FORMAT' LIMIT 1), 'NONE') as FILE_FORMAT`
    const spaceType = hasSpaceType ? "ifnull(SPACE_TYPE, 'NONE') as SPACE_TYPE, " : ''
    const { rows } = await query(
      `SELECT SPACE, NAME, ${fileFormat}, ifnull(ROW_FORMAT, 'NONE') as ROW_FORMAT, ${spaceType}FILE_SIZE, ALLOCATED_SIZE FROM information_schema.\`${table}\``,
    )
    for (const row of rows) {
      const [space, name, format, rowFormat] = row
      const tablespace = ['tablespace_name', toText(name)]
      const [fileSize, allocatedSize] = row.slice(-2)
      emit(
        'gauge',
        'info_schema_innodb_tablespace_space_info',
        'The Tablespace information and Space ID.',
        toNumber(space) ?? 0,
        [
          ...tablespace,
          'file_format',
          toText(format),
          'row_format',
          toText(rowFormat),
          'space_type',
          hasSpaceType ? toText(row[4]) : '',
        ],
      )
      emit(
        'gauge',
        'info_schema_innodb_tablespace_file_size_bytes',
        'The apparent size of the file, which represents the maximum size of the file, uncompressed.',
        toNumber(fileSize) ?? 0,
        tablespace,
      )
      emit(
        'gauge',
        'info_schema_innodb_tablespace_allocated_size_bytes',
        'The actual size of the file, which is the amount of space allocated on disk.',
        toNumber(allocatedSize) ?? 0,
        tablespace,
      )
    }
  },
}

export const innodbCollectors: readonly Collector[] = [engineInnodb, engineTokudb, innodbMetrics, innodbTablespaces]
