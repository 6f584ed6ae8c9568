import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { KIT, logTo, temporaryFolder, testClock, testDisk } from '../testing/env.ts'
import { type Query, type QueryResult, SqlError, type SqlValue } from './collector.ts'
import { COLLECTORS, DEFAULT_ON } from './collectors.ts'
import { runMysqldCases, scrapeCollector } from './conformance.ts'
import { createMysqlExporter, type MysqlTarget } from './mod.ts'

const folder = path.join(KIT, 'exporters/mysqld')
const temporary = temporaryFolder()
const skip = !fs.existsSync(folder) && 'kit is absent'
const readText = (name: string): string => fs.readFileSync(path.join(folder, name), 'utf8')

test('the kit: every scraper case', { skip }, async () => {
  const results = await runMysqldCases(readText)
  assert.equal(results.length, 27)
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

const REPLICA_HOST =
  "SELECT SERVER_ID , if(SESSION_ID='MASTER_SESSION_ID','writer','reader') AS ROLE , CPU , MASTER_SLAVE_LATENCY_IN_MICROSECONDS , REPLICA_LAG_IN_MILLISECONDS , LOG_STREAM_SPEED_IN_KiB_PER_SECOND , CURRENT_REPLAY_LATENCY_IN_MICROSECONDS FROM information_schema.replica_host_status"

/** Cases of the kit's kind for collectors that it has none of: what upstream's own tests ask of them. */
const OURS: readonly object[] = [
  ...[
    { version: '8.0.27', times: [0, 0], quantiles: [] },
    { version: '8.0.28', times: [30e-12, 50e-12], quantiles: [100, 150, 200] },
    { flavor: 'mariadb', version: '10.11.0', times: [0, 0], quantiles: [] },
  ].map(({ flavor, version, times, quantiles }) => ({
    name: `statements by digest of ${flavor ?? 'mysql'} ${version}`,
    scraper: ['ScrapePerfEventsStatements'],
    server: { flavor: flavor ?? 'mysql', version },
    queries: [
      {
        query: digestStatement(quantiles.length > 0),
        rows: [
          [
            'db1',
            'digest1',
            'SELECT * FROM test',
            100,
            1000,
            ...(quantiles.length > 0 ? [30, 50] : []),
            1,
            2,
            50,
            100,
          ].concat([150, 1, 2, 3, 100, 1, ...quantiles]),
        ],
      },
    ],
    expected: [
      ...[100, 1e-9, ...times, 1, 2, 50, 100, 150, 2, 1, 3, 100, 1].map((value) => ({ value, type: 'counter' })),
      { value: 1e-9, type: 'summary' },
    ].map((sample) => ({ ...sample, labels: { schema: 'db1', digest: 'digest1', digest_text: 'SELECT * FROM test' } })),
  })),
  {
    name: 'times of workers, the zero date is 0',
    scraper: ['ScrapePerfReplicationApplierStatsByWorker'],
    queries: [
      {
        query:
          'SELECT CHANNEL_NAME, WORKER_ID, LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, LAST_APPLIED_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP, LAST_APPLIED_TRANSACTION_START_APPLY_TIMESTAMP, LAST_APPLIED_TRANSACTION_END_APPLY_TIMESTAMP, APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, APPLYING_TRANSACTION_IMMEDIATE_COMMIT_TIMESTAMP, APPLYING_TRANSACTION_START_APPLY_TIMESTAMP FROM performance_schema.replication_applier_status_by_worker',
        rows: [
          ['c0', '0', ...Array(7).fill('0000-00-00 00:00:00.000000')],
          ['c1', '1', ...Array.from({ length: 7 }, (_, i) => `2019-03-14 00:0${i}:00.001000`)],
        ],
      },
    ],
    expected: [
      ...Array.from({ length: 7 }, () => ({ value: 0, labels: { channel_name: 'c0', member_id: '0' }, type: 'gauge' })),
      ...Array.from({ length: 7 }, (_, i) => {
        return { value: 1552521600.001 + 60 * i, labels: { channel_name: 'c1', member_id: '1' }, type: 'gauge' }
      }),
    ],
  },
  ...[
    { flags: [], now: 'NOW(6)' },
    { flags: ['--collect.heartbeat.utc'], now: 'UTC_TIMESTAMP(6)' },
  ].map(({ flags, now }) => ({
    name: `heartbeat by ${now}`,
    scraper: ['ScrapeHeartbeat'],
    flags: ['--collect.heartbeat.database', 'h-t', '--collect.heartbeat.table', 'h-t', ...flags],
    queries: [
      {
        query: `SELECT UNIX_TIMESTAMP(ts), UNIX_TIMESTAMP(${now}), server_id from \`h-t\`.\`h-t\``,
        rows: [['1487597613.001320', '1487598113.448042', 1]],
      },
    ],
    expected: [1487598113.448042, 1487597613.00132].map((value) => ({
      value,
      labels: { server_id: '1' },
      type: 'gauge',
    })),
  })),
  {
    name: 'replicas of a server that is not Aurora',
    scraper: ['ScrapeReplicaHost'],
    queries: [{ query: REPLICA_HOST, error: "Error 1109 (42S02): Unknown table 'REPLICA_HOST_STATUS'" }],
    expected: [],
  },
  {
    name: 'response times as a whole',
    scraper: ['ScrapeQueryResponseTime'],
    queries: [
      { query: 'SELECT @@query_response_time_stats', rows: [[1]] },
      {
        query: 'SELECT TIME, COUNT, TOTAL FROM INFORMATION_SCHEMA.QUERY_RESPONSE_TIME',
        rows: [
          [0.001, 124, 0.25],
          ['TOO LONG', 0, 'TOO LONG'],
        ],
      },
    ],
    expected: [{ value: 0.25, labels: {}, type: 'histogram' }],
  },
]

function digestStatement(isNew: boolean): string {
  const columns = [
    ...[
      'COUNT_STAR',
      'SUM_TIMER_WAIT',
      ...(isNew ? ['SUM_LOCK_TIME', 'SUM_CPU_TIME'] : []),
      'SUM_ERRORS',
      'SUM_WARNINGS',
    ],
    ...['SUM_ROWS_AFFECTED', 'SUM_ROWS_SENT', 'SUM_ROWS_EXAMINED', 'SUM_CREATED_TMP_DISK_TABLES'],
    ...['SUM_CREATED_TMP_TABLES', 'SUM_SORT_MERGE_PASSES', 'SUM_SORT_ROWS', 'SUM_NO_INDEX_USED'],
    ...(isNew ? ['QUANTILE_95', 'QUANTILE_99', 'QUANTILE_999'] : []),
  ]
  const group = ['SCHEMA_NAME', 'DIGEST', 'DIGEST_TEXT', ...columns].map((column) => `Q.${column}`)
  return `SELECT ifnull(SCHEMA_NAME, 'NONE') as SCHEMA_NAME, DIGEST, LEFT(DIGEST_TEXT, 120) as DIGEST_TEXT, ${columns.join(', ')} FROM ( SELECT * FROM performance_schema.events_statements_summary_by_digest WHERE SCHEMA_NAME NOT IN ('mysql', 'performance_schema', 'information_schema') AND LAST_SEEN > DATE_SUB(NOW(), INTERVAL 86400 SECOND) ORDER BY LAST_SEEN DESC )Q GROUP BY ${group.join(', ')} ORDER BY SUM_TIMER_WAIT DESC LIMIT 250`
}

test('cases of our own in the form of the kit', { skip }, async () => {
  const cases = OURS.map((one) => ({ flags: [], server: null, ...one }))
  const results = await runMysqldCases((name) => (name === 'cases.json' ? JSON.stringify({ cases }) : readText(name)))
  assert.deepEqual(
    results.filter(({ error }) => error !== null),
    [],
  )
})

test('a sum larger than 64 bits, and memory below zero, are read as upstream reads them', async () => {
  const rowOf = (row: readonly SqlValue[]) =>
    ({
      query: async () => ({ columns: [], rows: [row] }),
      server: { flavor: 'mysql', version: [8, 4, 0] },
      flags: {},
    }) as const
  const sums = await scrapeCollector(
    'perf_schema.eventsstatementssum',
    rowOf([...Array(19).fill(1), '36463827771516430384', 19]),
  )
  assert.equal(sums.find(({ name }) => name.endsWith('_timer_wait'))!.value, 36463827771516430384 / 1e12)
  const users = await scrapeCollector('sys.user_summary', rowOf(['u', 1, '120', 3, 4, '160', 6, 7, 8, '-16360', '-1']))
  assert.deepEqual(
    users.map(({ value, type }) => [value, type]),
    [
      [1, 'counter'],
      [120e-12, 'counter'],
      [3, 'counter'],
      [4, 'counter'],
      [160e-12, 'counter'],
      [6, 'gauge'],
      [7, 'counter'],
      [8, 'counter'],
      [0, 'gauge'],
      [0, 'counter'],
    ],
  )
})

/** Answers of a server that has everything: one row for each statement. */
const EVERYTHING: readonly (readonly [sql: RegExp, rows: readonly (readonly SqlValue[])[], columns?: string])[] = [
  [/SHOW GLOBAL VARIABLES WHERE/, [['userstat', 'ON']]],
  [/SHOW GLOBAL STATUS/, [['Innodb_buffer_pool_pages_dirty', '1']]],
  [/column_name FROM information_schema.columns WHERE/, [['STATUS']]],
  [/FROM information_schema.innodb_metrics/, [['buffer_pool_pages_dirty', 'buffer', 'gauge', '', 1]]],
  [/table_name = 'INNODB_SYS_TABLESPACES'/, [['INNODB_TABLESPACES']]],
  [/ROCKSDB_PERF_CONTEXT/, rocksdbRows()],
  [/user_statistics|client_statistics/, [Array(30).fill('1')], statisticsColumns()],
  [/replication_group_member_stats/, [Array(13).fill('1')], memberStatsColumns()],
  [/replication_group_members/, [['a', 'b']], 'CHANNEL_NAME,MEMBER_ID'],
  [/FROM mysql.user/, [Array(40).fill('1')], 'max_questions,max_updates,max_connections,max_user_connections'],
  [/SHOW SLAVE HOSTS/, [['1']], 'Server_id'],
  [/performance_schema.table_io_waits_summary_by_index_usage/, [['s', 't', 'NONE', ...Array(8).fill('1')]]],
]

test('every metric that upstream names is made by some collector', { skip }, async () => {
  const { metrics } = JSON.parse(readText('metrics.json')) as {
    metrics: { name: string; help: string; labels: string[] | null; collector: string }[]
  }
  const query: Query = async (sql) => {
    const answer = EVERYTHING.find(([pattern]) => pattern.test(sql))
    return { columns: (answer?.[2] ?? '').split(','), rows: answer?.[1] ?? [Array(40).fill('1')] }
  }
  const made = new Map<string, { help: string; labels: string[] }>()
  for (const name of COLLECTORS.keys()) {
    const context = { query, server: { flavor: 'mysql', version: [8, 4, 0] }, flags: {} } as const
    for (const sample of await scrapeCollector(name, context)) {
      const labels = Object.keys(sample.labels).filter((label) => label !== 'quantile' && label !== 'le')
      made.set(
        sample.name.replace(/_(?:bucket|sum|count)$/, (suffix) => (/latency|response/.test(sample.name) ? '' : suffix)),
        {
          help: sample.help,
          labels: labels.sort(),
        },
      )
    }
  }
  const missing: string[] = []
  for (const { name, help, labels, collector } of metrics) {
    // Two states of one statement cannot both be in one answer.
    if (collector === 'exporter' || /global_status|innodb_metrics/.test(collector)) continue
    const got = made.get(name)
    if (!got || got.help !== help || (labels && got.labels.join() !== [...labels].sort().join()))
      missing.push(`${name}: ${JSON.stringify(got)}, want ${help} ${labels}`)
  }
  assert.deepEqual(missing, [])
})

type Answers = Readonly<Record<string, QueryResult | Error>>

/** An exporter of a server with these answers, and the targets it connected to. */
function exporterWith({
  answers = {},
  flags = {},
  down = false,
}: {
  answers?: Answers
  flags?: Flags
  down?: boolean
}) {
  const targets: MysqlTarget[] = []
  const lines: string[] = []
  let open = 0
  const exporter = createMysqlExporter({
    disk: testDisk,
    clock: testClock,
    log: logTo((line) => lines.push(line)),
    flags,
    environment: { MYSQLD_EXPORTER_PASSWORD: 'secret', WHO: 'carol' },
    async connect(target) {
      targets.push(target)
      if (down) throw new Error('connect ECONNREFUSED')
      open++
      return {
        async query(sql) {
          const answer = answers[sql]
          if (answer === undefined) throw new SqlError(`unknown: ${sql}`, 1064)
          if (answer instanceof Error) throw answer
          return answer
        },
        async close() {
          open--
        },
      }
    },
  })
  return { exporter, targets, lines, open: () => open }
}

const VERSION: Answers = { 'SELECT @@version': { columns: ['v'], rows: [['10.11.6-MariaDB-0+deb12u1']] } }

test('a scrape: default collectors, their success, session variables, the connection closed', async () => {
  const { exporter, targets, lines, open } = exporterWith({
    answers: {
      ...VERSION,
      'SHOW GLOBAL STATUS': { columns: [], rows: [['Uptime', '10']] },
      'SHOW GLOBAL VARIABLES': { columns: [], rows: [['max_connections', '151']] },
    },
    flags: { 'mysqld.address': 'db:3307', 'mysqld.username': 'exporter', 'exporter.lock_wait_timeout': '5' },
  })
  const text = formatExposition(await exporter.collect())
  for (const line of [
    'mysql_up 1',
    'mysql_global_status_uptime 10',
    'mysql_global_variables_max_connections 151',
    'mysql_version_info{innodb_version="",version="",version_comment=""} 1',
    'mysql_exporter_collector_success{collector="collect.global_status"} 1',
    'mysql_exporter_collector_success{collector="collect.slave_status"} 0',
    'mysql_exporter_collector_success{collector="collect.info_schema.query_response_time"} 1',
  ])
    assert.ok(text.includes(`\n${line}\n`), `${line} in\n${text}`)
  assert.match(text, /collector_duration_seconds\{collector="connection"\} \S+\n/)
  assert.equal(text.match(/collector_success\{/g)!.length, DEFAULT_ON.size)
  const { host, port, user, password, sessionVariables } = targets[0]!
  assert.deepEqual([host, port, user, password], ['db', 3307, 'exporter', 'secret'])
  assert.deepEqual(sessionVariables, { lock_wait_timeout: '5' })
  await exporter.collect()
  assert.equal(lines.length, 3, 'one line for each failing collector, not one for each scrape')
  assert.equal(open(), 0)
})

test('a server that is down: mysql_up 0', async () => {
  const { exporter, lines } = exporterWith({ down: true })
  assert.match(
    formatExposition(await exporter.collect()),
    /^# HELP mysql_up Whether the MySQL server is up.\n# TYPE mysql_up gauge\nmysql_up 0\n# HELP mysqld_exporter_config/,
  )
  assert.match(lines[0]!, /connect ECONNREFUSED/)
})

test('a probe: target, auth_module, collect[]', async () => {
  const file = path.join(temporary, 'my.cnf')
  fs.writeFileSync(file, '[client]\nuser=a\npassword=b\n[client.eu]\nuser=c\n')
  const answers = { ...VERSION, 'SHOW GLOBAL STATUS': { columns: [], rows: [] } }
  const { exporter, targets } = exporterWith({ answers, flags: { 'config.my-cnf': file } })
  const probe = (query: string) => exporter.probe!(new URLSearchParams(query))
  const text = formatExposition(await probe('target=[::1]:3310&auth_module=client.eu&collect[]=global_status'))
  assert.match(text, /collector_success\{collector="collect.global_status"\} 1\n/)
  assert.equal(text.match(/collector_success\{/g)!.length, 1)
  assert.deepEqual([targets[0]!.host, targets[0]!.port, targets[0]!.user], ['::1', 3310, 'c'])
  await probe('target=unix:///run/mysqld.sock')
  assert.equal(targets[1]!.socket, '/run/mysqld.sock')
  await assert.rejects(probe(''), { name: 'ParameterError', message: 'target is required' })
  await assert.rejects(probe('target=a&auth_module=x'), /^ParameterError: Could not find config section \[x\]$/)
  await assert.rejects(probe('target=a:b:c'), /^ParameterError: failed to parse target/)
  const all = formatExposition(await probe('target=a&collect[]=nothing_of_this_name'))
  assert.equal(all.match(/collector_success\{/g)!.length, DEFAULT_ON.size)
})

test('flags fill what the option file leaves out, and its values may refer to the environment', async () => {
  const file = path.join(temporary, 'partial.cnf')
  fs.writeFileSync(file, '[client]\nuser = ${WHO}\n[other]\nuser=dave\npassword=own\n')
  const flags = { 'config.my-cnf': file, 'mysqld.address': 'db:3307', 'timeout-offset': '0.5' }
  const { exporter, targets } = exporterWith({ answers: VERSION, flags })
  await exporter.collect(undefined, 3000)
  await exporter.collect(new URLSearchParams('target=db9:1'), 400)
  await exporter.probe!(new URLSearchParams('target=db2:1&auth_module=other'))
  assert.deepEqual(
    targets.map(({ host, port, user, password, timeoutMs }) => [host, port, user, password, timeoutMs]),
    [
      ['db', 3307, 'carol', 'secret', 2500],
      ['db9', 1, 'carol', 'secret', 400],
      ['db2', 1, 'dave', 'own', 9500],
    ],
  )
})

test('a target of its own takes its section, and a reload reads the file again', async () => {
  const file = path.join(temporary, 'reload.cnf')
  fs.writeFileSync(file, '[client]\nuser=a\n[client.eu]\nuser=b\n')
  const flags = { 'config.my-cnf': file, auth_module: 'client.eu' }
  const { exporter, targets } = exporterWith({ answers: VERSION, flags })
  await exporter.collect()
  fs.writeFileSync(file, '[client]\nuser=a\n[client.eu]\nuser=c\n')
  exporter.reload!()
  await exporter.collect()
  fs.writeFileSync(file, '[client]\nuser=a\n')
  assert.throws(() => exporter.reload!(), /auth_module: unknown: "client.eu"/)
  const page = formatExposition(await exporter.collect())
  assert.match(page, /\nmysqld_exporter_config_last_reload_successful 0\n/)
  assert.deepEqual(
    targets.map(({ user }) => user),
    ['b', 'c', 'c'],
  )
})

test('collectors that the version does not have are left out', async () => {
  const answers = { 'SELECT @@version': { columns: [], rows: [['5.1.73-log']] } }
  const { exporter } = exporterWith({ answers })
  const text = formatExposition(await exporter.collect())
  assert.doesNotMatch(text, /innodb_cmp"/)
  assert.match(text, /collect.global_status/)
})

for (const [flags, message] of [
  [{ 'collect.global_state': 'true' }, /^Flag collect.global_state: unknown/],
  [{ 'mysqld.address': 'a:b:c' }, /must be HOST:PORT/],
  [{ 'config.my-cnf': '/nope' }, /^Flag config.my-cnf: /],
] as const)
  test(`flags ${JSON.stringify(flags)} are refused`, () => {
    assert.throws(
      () => exporterWith({ flags }),
      (e) => e instanceof FlagError && message.test(e.message),
    )
  })

test('statements of the named schemas are left out, beside those of the server itself', async () => {
  let asked: { readonly sql: string; readonly parameters: readonly string[] } | null = null
  const query: Query = async (sql, parameters = []) => {
    asked = { sql, parameters }
    return { columns: [], rows: [['shop', 'abc', 'SELECT ?', ...Array(12).fill('2000000000000')]] }
  }
  const samples = await scrapeCollector('perf_schema.eventsstatements', {
    query,
    server: { flavor: 'mariadb', version: [10, 11, 6] },
    flags: { 'collect.perf_schema.eventsstatements.exclude_schemas': ['sys', 'tmp'] },
  })
  const { sql, parameters } = asked!
  assert.deepEqual(parameters, ['mysql', 'performance_schema', 'information_schema', 'sys', 'tmp'])
  assert.match(sql, /NOT IN \(\?, \?, \?, \?, \?\)/)
  // MariaDB has neither CPU time nor quantiles.
  assert.doesNotMatch(sql, /SUM_CPU_TIME|QUANTILE/)
  // As upstream, they are 0 there: 14 counters, and the lines of a summary.
  assert.equal(samples.length, 14 + 5)
  assert.equal(samples.find(({ name }) => name.endsWith('_seconds_total'))!.value, 2)
})

test('response times become histograms, TOO LONG counts only', async () => {
  const rows = [
    ['      0.000001', 3, '   0.000002'],
    ['      1.000000', 2, '   1.500000'],
    ['TOO LONG', 1, 'TOO LONG'],
  ]
  const query: Query = async (sql) => {
    if (sql.includes('@@query_response_time_stats')) return { columns: [], rows: [[1]] }
    if (sql.endsWith('QUERY_RESPONSE_TIME')) return { columns: [], rows }
    throw new SqlError('no such table', 1109)
  }
  const samples = await scrapeCollector('info_schema.query_response_time', {
    query,
    server: { flavor: 'mysql', version: [5, 7, 0] },
    flags: {},
  })
  assert.deepEqual(
    samples.map(({ name, labels, value }) => [
      name.replace('mysql_info_schema_query_response_time_', ''),
      labels['le'],
      value,
    ]),
    [
      ['seconds_bucket', '1e-06', 3],
      ['seconds_bucket', '1', 5],
      ['seconds_bucket', '+Inf', 6],
      ['seconds_sum', undefined, 1.500002],
      ['seconds_count', undefined, 6],
    ],
  )
})

function rocksdbRows(): SqlValue[][] {
  return [
    ...'USER_KEY_COMPARISON_COUNT BLOCK_CACHE_HIT_COUNT BLOCK_READ_COUNT BLOCK_READ_BYTE GET_READ_BYTES'.split(' '),
    ...'MULTIGET_READ_BYTES ITER_READ_BYTES INTERNAL_KEY_SKIPPED_COUNT INTERNAL_DELETE_SKIPPED_COUNT'.split(' '),
    ...'INTERNAL_RECENT_SKIPPED_COUNT INTERNAL_MERGE_COUNT GET_FROM_MEMTABLE_COUNT SEEK_ON_MEMTABLE_COUNT'.split(' '),
    ...'NEXT_ON_MEMTABLE_COUNT PREV_ON_MEMTABLE_COUNT SEEK_CHILD_SEEK_COUNT BLOOM_MEMTABLE_HIT_COUNT'.split(' '),
    ...'BLOOM_MEMTABLE_MISS_COUNT BLOOM_SST_HIT_COUNT BLOOM_SST_MISS_COUNT KEY_LOCK_WAIT_COUNT'.split(' '),
    ...'IO_BYTES_WRITTEN IO_BYTES_READ NOT_ONE_OF_OURS'.split(' '),
  ].map((stat) => ['s', 't', '', stat, 1])
}

function statisticsColumns(): string {
  return 'USER,TOTAL_CONNECTIONS,CONCURRENT_CONNECTIONS,CONNECTED_TIME,BUSY_TIME,CPU_TIME,BYTES_RECEIVED,BYTES_SENT,BINLOG_BYTES_WRITTEN,ROWS_READ,ROWS_SENT,ROWS_DELETED,ROWS_INSERTED,ROWS_FETCHED,ROWS_UPDATED,TABLE_ROWS_READ,SELECT_COMMANDS,UPDATE_COMMANDS,OTHER_COMMANDS,COMMIT_TRANSACTIONS,ROLLBACK_TRANSACTIONS,DENIED_CONNECTIONS,LOST_CONNECTIONS,ACCESS_DENIED,EMPTY_QUERIES,TOTAL_SSL_CONNECTIONS,MAX_STATEMENT_TIME_EXCEEDED'
}

function memberStatsColumns(): string {
  return 'CHANNEL_NAME,VIEW_ID,MEMBER_ID,COUNT_TRANSACTIONS_IN_QUEUE,COUNT_TRANSACTIONS_CHECKED,COUNT_CONFLICTS_DETECTED,COUNT_TRANSACTIONS_ROWS_VALIDATING,TRANSACTIONS_COMMITTED_ALL_MEMBERS,LAST_CONFLICT_FREE_TRANSACTION,COUNT_TRANSACTIONS_REMOTE_IN_APPLIER_QUEUE,COUNT_TRANSACTIONS_REMOTE_APPLIED,COUNT_TRANSACTIONS_LOCAL_PROPOSED,COUNT_TRANSACTIONS_LOCAL_ROLLBACK'
}
