import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseStatus, type SqlValue } from './collector.ts'
import { scrapeCollector } from './conformance.ts'

for (const [text, value] of [
  ['ON', 1],
  ['Disabled', 0],
  ['Connecting', 0],
  ['non-Primary', 0],
  ['12.5', 12.5],
  ['1e3', 1000],
  ['2026-01-02 03:04:05', 1767323045],
  ['Jan 02 03:04:05 2026 GMT', 1767323045],
  ['Jan  2 03:04:05 2026 GMT', 1767323045],
  // MariaDB gives some times with microseconds.
  ['2026-01-02 03:04:05.678901', 1767323045],
  ['2026-02-30 03:04:05', null],
  ['2026-01-02 24:04:05', null],
  ['0000-00-00 00:00:00', null],
  ['inf', Infinity],
  ['18446744073709551615', 18446744073709551615],
  ['binlog.000012', null],
  ['1e400', null],
  ['8.0.35-log', null],
  ['0x10', null],
  ['constructor', null],
  ['', null],
  [null, null],
] as const)
  test(`parseStatus(${JSON.stringify(text)}) is ${value}`, () => assert.equal(parseStatus(text), value))

test('a server without a cluster has no galera metrics; latencies are five numbers or none', async () => {
  const namesOf = async (rows: readonly (readonly SqlValue[])[]) =>
    (
      await scrapeCollector('global_status', {
        query: async () => ({ columns: [], rows }),
        server: { flavor: 'mariadb', version: [10, 11, 0] },
        flags: {},
      })
    ).map(({ name }) => name)
  assert.deepEqual(
    await namesOf([
      ['wsrep_local_state_uuid', ''],
      ['wsrep_evs_repl_latency', '0.1/0.2/0.3/0.4/'],
    ]),
    [],
  )
  assert.deepEqual(
    await namesOf([
      ['wsrep_local_state_uuid', '6c06e583-686f-11e6-b9e3-8336ad58138c'],
      ['wsrep_evs_repl_latency', '0.1/0.2/0.3/0.4/5'],
    ]),
    [
      'mysql_galera_status_info',
      ...['min_seconds', 'avg_seconds', 'max_seconds', 'stdev', 'sample_size'].map(
        (part) => `mysql_galera_evs_repl_latency_${part}`,
      ),
    ],
  )
})

test('times of workers are those of whole nanoseconds', async () => {
  const times = ['2019-03-14 00:00:00.000001', '2024-11-30 23:59:59.999999', '2026-06-01 12:34:56.123457']
  const samples = await scrapeCollector('perf_schema.replication_applier_status_by_worker', {
    query: async () => ({ columns: [], rows: [['c', '1', ...times, '', null, '0000-00-00 00:00:00.000000', 'x']] }),
    server: { flavor: 'mysql', version: [8, 0, 28] },
    flags: {},
  })
  assert.deepEqual(
    samples.map(({ value }) => value),
    [1552521600000001000 / 1e9, 1733011199999999000 / 1e9, 1780317296123457000 / 1e9, 0, 0, 0, 0],
  )
})
