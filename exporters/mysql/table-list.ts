/**
 * The tables that tables.ts reads; long because they are many, and data. Semantics: mysqld_exporter collector/*.go
 * (v0.20).
 */
import { PERFORMANCE_SCHEMA, PICO } from './performance-schema.ts'
import type { Table } from './tables.ts'

export const TABLES: readonly Table[] = [
  {
    name: 'info_schema.innodb_cmp',
    since: [5, 5],
    sql: 'SELECT page_size, compress_ops, compress_ops_ok, compress_time, uncompress_ops, uncompress_time FROM information_schema.innodb_cmp',
    labels: [[0, 'page_size']],
    metrics: [
      [
        1,
        'counter',
        'info_schema_innodb_cmp_compress_ops_total',
        'Number of times a B-tree page of the size PAGE_SIZE has been compressed.',
      ],
      [
        2,
        'counter',
        'info_schema_innodb_cmp_compress_ops_ok_total',
        'Number of times a B-tree page of the size PAGE_SIZE has been successfully compressed.',
      ],
      [
        3,
        'counter',
        'info_schema_innodb_cmp_compress_time_seconds_total',
        'Total time in seconds spent in attempts to compress B-tree pages.',
      ],
      [
        4,
        'counter',
        'info_schema_innodb_cmp_uncompress_ops_total',
        'Number of times a B-tree page of the size PAGE_SIZE has been uncompressed.',
      ],
      [
        5,
        'counter',
        'info_schema_innodb_cmp_uncompress_time_seconds_total',
        'Total time in seconds spent in uncompressing B-tree pages.',
      ],
    ],
  },
  {
    name: 'info_schema.innodb_cmpmem',
    since: [5, 5],
    sql: 'SELECT page_size, buffer_pool_instance, pages_used, pages_free, relocation_ops, relocation_time FROM information_schema.innodb_cmpmem',
    labels: [
      [0, 'page_size'],
      [1, 'buffer_pool'],
    ],
    metrics: [
      [
        2,
        'counter',
        'info_schema_innodb_cmpmem_pages_used_total',
        'Number of blocks of the size PAGE_SIZE that are currently in use.',
      ],
      [
        3,
        'counter',
        'info_schema_innodb_cmpmem_pages_free_total',
        'Number of blocks of the size PAGE_SIZE that are currently available for allocation.',
      ],
      [
        4,
        'counter',
        'info_schema_innodb_cmpmem_relocation_ops_total',
        'Number of times a block of the size PAGE_SIZE has been relocated.',
      ],
      [
        5,
        'counter',
        'info_schema_innodb_cmpmem_relocation_time_seconds_total',
        'Total time in seconds spent in relocating blocks.',
        1000,
      ],
    ],
  },
  {
    name: 'info_schema.tablestats',
    since: [5, 1],
    sql: 'SELECT TABLE_SCHEMA, TABLE_NAME, ROWS_READ, ROWS_CHANGED, ROWS_CHANGED_X_INDEXES FROM information_schema.table_statistics',
    labels: [
      [0, 'schema'],
      [1, 'table'],
    ],
    metrics: [
      [2, 'counter', 'info_schema_table_statistics_rows_read_total', 'The number of rows read from the table.'],
      [3, 'counter', 'info_schema_table_statistics_rows_changed_total', 'The number of rows changed in the table.'],
      [
        4,
        'counter',
        'info_schema_table_statistics_rows_changed_x_indexes_total',
        'The number of rows changed in the table, multiplied by the number of indexes changed.',
      ],
    ],
    needsUserstat: true,
  },
  {
    name: 'info_schema.schemastats',
    since: [5, 1],
    sql: 'SELECT TABLE_SCHEMA, SUM(ROWS_READ) AS ROWS_READ, SUM(ROWS_CHANGED) AS ROWS_CHANGED, SUM(ROWS_CHANGED_X_INDEXES) AS ROWS_CHANGED_X_INDEXES FROM information_schema.TABLE_STATISTICS GROUP BY TABLE_SCHEMA;',
    labels: [[0, 'schema']],
    metrics: [
      [1, 'counter', 'info_schema_schema_statistics_rows_read_total', 'The number of rows read from the schema.'],
      [2, 'counter', 'info_schema_schema_statistics_rows_changed_total', 'The number of rows changed in the schema.'],
      [
        3,
        'counter',
        'info_schema_schema_statistics_rows_changed_x_indexes_total',
        'The number of rows changed in the schema, multiplied by the number of indexes changed.',
      ],
    ],
    needsUserstat: true,
  },
  {
    name: 'auto_increment.columns',
    since: [5, 1],
    sql: "SELECT c.table_schema, c.table_name, column_name, auto_increment, pow(2, case data_type when 'tinyint' then 7 when 'smallint' then 15 when 'mediumint' then 23 when 'int' then 31 when 'bigint' then 63 end+(column_type like '% unsigned'))-1 as max_int FROM information_schema.columns c STRAIGHT_JOIN information_schema.tables t ON (BINARY c.table_schema=t.table_schema AND BINARY c.table_name=t.table_name) WHERE c.extra = 'auto_increment' AND t.auto_increment IS NOT NULL",
    labels: [
      [0, 'schema'],
      [1, 'table'],
      [2, 'column'],
    ],
    metrics: [
      [
        3,
        'gauge',
        'info_schema_auto_increment_column',
        'The current value of an auto_increment column from information_schema.',
      ],
      [
        4,
        'gauge',
        'info_schema_auto_increment_column_max',
        'The max value of an auto_increment column from information_schema.',
      ],
    ],
  },
  ...PERFORMANCE_SCHEMA,
  {
    name: 'sys.user_summary',
    since: [5, 7],
    // Memory that another thread frees is taken from the wrong account.
    notNegative: [9, 10],
    sql: 'SELECT user, statements, statement_latency, table_scans, file_ios, file_io_latency, current_connections, total_connections, unique_hosts, current_memory, total_memory_allocated FROM sys.x$user_summary',
    labels: [[0, 'user']],
    metrics: [
      [1, 'counter', 'sys_statements_total', ' The total number of statements for the user'],
      [2, 'counter', 'sys_statement_latency', 'The total wait time of timed statements for the user', PICO],
      [3, 'counter', 'sys_table_scans_total', 'The total number of table scans for the user'],
      [4, 'counter', 'sys_file_ios_total', 'The total number of file I/O events for the user'],
      [5, 'counter', 'sys_file_io_seconds_total', 'The total wait time of timed file I/O events for the user', PICO],
      [6, 'gauge', 'sys_current_connections', 'The current number of connections for the user'],
      [7, 'counter', 'sys_connections_total', 'The total number of connections for the user'],
      [
        8,
        'counter',
        'sys_unique_hosts_total',
        'The number of distinct hosts from which connections for the user have originated',
      ],
      [9, 'gauge', 'sys_current_memory_bytes', 'The current amount of allocated memory for the user'],
      [10, 'counter', 'sys_memory_allocated_bytes_total', 'The total amount of allocated memory for the user'],
    ],
  },
]
