/**
 * Flags of Prometheus that change nothing here, taken so that the command lines of its packages, images and operators
 * start a hub unchanged; who gives one is told. Those with a meaning that we lack (`--agent`) stay unknown.
 * Names: Prometheus cmd/prometheus/main.go, 2.x and 3.x.
 */
import type { FlagDefinition, ParsedFlags } from '../../agent/cli/mod.ts'
import { HUB_FLAGS } from './flags.ts'

const WITH_VALUE = [
  'auto-gomemlimit.ratio',
  'rules.max-concurrent-evals',
  'scrape.discovery-reload-interval',
  'scrape.name-escaping-scheme',
  'scrape.timestamp-tolerance',
  'storage.remote.flush-deadline',
  'storage.tsdb.block-reload-interval',
  'storage.tsdb.delay-compact-file.path',
  'storage.tsdb.delayed-compaction.max-percent',
  'storage.tsdb.head-chunks-write-queue-size',
  'storage.tsdb.max-block-chunk-segment-size',
  'storage.tsdb.max-block-duration',
  'storage.tsdb.samples-per-chunk',
  'storage.tsdb.wal-compression-type',
  'web.console.libraries',
  'web.console.templates',
  'web.local-assets',
  'web.page-title',
  'web.read-timeout',
  'web.user-assets',
]

/** Those that may be given more than once. */
const LISTS = ['web.remote-write-receiver.accepted-protobuf-messages']

const SWITCHES = [
  'alertmanager.drain-notification-queue-on-shutdown',
  'auto-gomaxprocs',
  'auto-gomemlimit',
  'scrape.adjust-timestamps',
  'storage.tsdb.allow-overlapping-blocks',
  'storage.tsdb.allow-overlapping-compaction',
  'storage.tsdb.no-lockfile',
  'storage.tsdb.wal-compression',
]

const definition = (name: string, kind: FlagDefinition['kind']): FlagDefinition => ({
  name,
  kind,
  default: '',
  help: 'Without effect.',
})

export const UPSTREAM_FLAGS: readonly FlagDefinition[] = [
  ...WITH_VALUE.map((name) => definition(name, 'string')),
  ...LISTS.map((name) => definition(name, 'list')),
  ...SWITCHES.map((name) => definition(name, 'boolean')),
].filter(({ name }) => !HUB_FLAGS.some((flag) => flag.name === name))

/** Names of those that the command line gave. */
export function flagsWithoutEffect({ values }: ParsedFlags): string[] {
  return UPSTREAM_FLAGS.map(({ name }) => name).filter((name) => (values.get(name)?.[0] ?? '') !== '')
}
