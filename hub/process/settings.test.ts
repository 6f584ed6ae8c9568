import assert from 'node:assert/strict'
import test from 'node:test'
import { parseFlags } from '../../agent/cli/mod.ts'
import { loadPrometheusConfig } from '../../protocol/config/mod.ts'
import { HUB_FLAGS } from './flags.ts'
import { ingestOptions } from './ingest-options.ts'
import { type HubSettings, hubSettings } from './settings.ts'
import { UPSTREAM_FLAGS } from './upstream-flags.ts'

const settingsOf = (...argv: string[]): HubSettings => hubSettings(parseFlags([...HUB_FLAGS, ...UPSTREAM_FLAGS], argv))

test('the command lines of the Docker image and of the operator start a hub, which says what has no effect', () => {
  const settings = settingsOf(
    '--config.file=/etc/prometheus/prometheus.yml',
    '--storage.tsdb.path=/prometheus',
    '--web.console.libraries=/usr/share/prometheus/console_libraries',
    '--web.console.templates=/usr/share/prometheus/consoles',
    '--storage.tsdb.retention.time=10d',
    '--no-storage.tsdb.wal-compression',
    '--web.enable-lifecycle',
  )
  assert.equal(settings.dataPath, '/prometheus')
  assert.deepEqual(settings.withoutEffect, [
    '--web.console.libraries',
    '--web.console.templates',
    '--storage.tsdb.wal-compression',
  ])
  assert.equal(settings.all['web.console.libraries'], undefined)
})

test('of features, unknown ones and those that nothing acts upon are named', () => {
  const { features, withoutEffect } = settingsOf('--enable-feature=auto-reload-config,promql-per-step-stats,nonsense')
  assert.deepEqual(features, ['auto-reload-config', 'promql-per-step-stats', 'nonsense'])
  assert.deepEqual(withoutEffect, ['--enable-feature=nonsense'])
  assert.deepEqual(settingsOf().withoutEffect, [])
})

test('zeros at start timestamps are asked for by their flag, as far back as half a block', () => {
  const flag = '--enable-feature=created-timestamp-zero-ingestion'
  assert.deepEqual(settingsOf(flag).withoutEffect, [])
  const { hub, storage } = loadPrometheusConfig('', { file: 'p.yml', files: null, environment: {} })
  const reach = (...flags: string[]) => ingestOptions(settingsOf(...flags), { hub, storage }).startZeroReachMs
  assert.equal(reach(), undefined)
  assert.equal(reach(flag), 3_600_000)
  assert.equal(reach(flag, '--storage.tsdb.min-block-duration=1h'), 1_800_000)
})

test('deltas are stored as they are or made cumulative, not both', () => {
  const [asTheyAre, cumulative] = ['otlp-native-delta-ingestion', 'otlp-deltatocumulative']
  for (const name of [asTheyAre, cumulative]) assert.deepEqual(settingsOf(`--enable-feature=${name}`).withoutEffect, [])
  assert.throws(() => settingsOf(`--enable-feature=${asTheyAre},${cumulative}`), /cannot enable .* at the same time/)
})

test('the memory of the head has a size within bounds', () => {
  const size = (text: string) => settingsOf(`--storage.tsdb.head-max-size=${text}`).headMaxBytes
  assert.equal(settingsOf().headMaxBytes, 2 ** 33)
  assert.equal(size('512MB'), 2 ** 29)
  for (const text of ['17GB', '1KB', '0', '5', 'x'])
    assert.throws(() => size(text), /--storage.tsdb.head-max-size: /, text)
})

test('a flag with a meaning that is lacking stays unknown', () => {
  assert.throws(() => settingsOf('--agent'), /unknown long flag '--agent'/)
})

test('files are looked at again only with the feature, every 30 s by default', () => {
  assert.equal(settingsOf().autoReloadMs, 0)
  assert.equal(settingsOf('--enable-feature=auto-reload-config').autoReloadMs, 30_000)
  assert.equal(
    settingsOf('--enable-feature=auto-reload-config', '--config.auto-reload-interval=5m').autoReloadMs,
    300_000,
  )
})

test('flags of 3.14 that change nothing here are known, and one may be given twice', () => {
  const protocol = '--web.remote-write-receiver.accepted-protobuf-messages'
  const { withoutEffect } = settingsOf('--storage.tsdb.delay-compact-file.path=x', `${protocol}=a`, `${protocol}=b`)
  assert.deepEqual(withoutEffect, ['--storage.tsdb.delay-compact-file.path', protocol])
})

test('counts may have an exponent, as the default of Prometheus has', () => {
  assert.equal(settingsOf('--query.max-samples=5e7').maxSamples, 50_000_000)
  assert.throws(() => settingsOf('--query.max-samples=5e-7'), /must be a whole number/)
})

test('other origins are none by default, and a regular expression', () => {
  assert.equal(settingsOf().corsOrigin, '')
  assert.equal(settingsOf('--web.cors.origin=.*').corsOrigin, '.*')
  assert.throws(() => settingsOf('--web.cors.origin=('), /--web.cors.origin: error parsing regexp: missing closing \)/)
})
