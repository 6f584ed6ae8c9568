/**
 * `SHOW GLOBAL STATUS` and `SHOW GLOBAL VARIABLES`. Semantics: mysqld_exporter collector/global_status.go,
 * global_variables.go (v0.20).
 */
import { readGoFloat } from '../../protocol/exposition/mod.ts'
import { type Collector, type Emit, metricName, parseStatus, type QueryResult, toText } from './collector.ts'

export const globalStatus: Collector = {
  name: 'global_status',
  since: [5, 1],
  async scrape({ query }, emit) {
    emitGlobalStatus(await query('SHOW GLOBAL STATUS'), emit)
  },
}

export const globalVariables: Collector = {
  name: 'global_variables',
  since: [5, 1],
  async scrape({ query }, emit) {
    emitGlobalVariables(await query('SHOW GLOBAL VARIABLES'), emit)
  },
}

type Group = readonly [name: string, help: string, label: string]
const GROUPS: Readonly<Record<string, Group>> = {
  com: ['commands_total', 'Total number of executed MySQL commands.', 'command'],
  handler: ['handlers_total', 'Total number of executed MySQL handlers.', 'handler'],
  connection_errors: ['connection_errors_total', 'Total number of MySQL connection errors.', 'error'],
  innodb_rows: ['innodb_row_ops_total', 'Total number of MySQL InnoDB row operations.', 'operation'],
  performance_schema: [
    'performance_schema_lost_total',
    'Total number of MySQL instrumentations that could not be loaded or created due to memory constraints.',
    'instrumentation',
  ],
}
const GROUPED = /^(com|handler|connection_errors|innodb_buffer_pool_pages|innodb_rows|performance_schema)_(.*)$/
const GALERA_STATUS = ['wsrep_local_state_uuid', 'wsrep_cluster_state_uuid', 'wsrep_provider_version']

/** Values that are neither numbers nor words for them are left out. */
export function emitGlobalStatus({ rows }: QueryResult, emit: Emit): void {
  const texts = new Map<string, string>()
  for (const row of rows) {
    const key = metricName(toText(row[0]))
    const value = parseStatus(row[1])
    if (value === null) {
      texts.set(key, toText(row[1]))
      continue
    }
    const [, group, rest] = GROUPED.exec(key) ?? []
    if (group === undefined || rest === undefined)
      emit('untyped', `global_status_${key}`, 'Generic metric from SHOW GLOBAL STATUS.', value)
    else if (group === 'innodb_buffer_pool_pages') emitBufferPoolPages(rest, value, emit)
    else {
      const [name, help, label] = GROUPS[group]!
      emit('counter', `global_status_${name}`, help, value, [label, rest])
    }
  }
  // Without a cluster it is there, and empty.
  if (texts.get('wsrep_local_state_uuid')) {
    const labels = GALERA_STATUS.flatMap((name) => [name, texts.get(name) ?? ''])
    emit('gauge', 'galera_status_info', 'PXC/Galera status information.', 1, labels)
  }
  emitReplicationLatency(texts.get('wsrep_evs_repl_latency') ?? '', emit)
}

function emitBufferPoolPages(rest: string, value: number, emit: Emit): void {
  if (['data', 'free', 'misc', 'old'].includes(rest)) {
    const help = 'Innodb buffer pool pages by state.'
    emit('gauge', 'global_status_buffer_pool_pages', help, value, ['state', rest])
  } else if (rest === 'dirty')
    emit('gauge', 'global_status_buffer_pool_dirty_pages', 'Innodb buffer pool dirty pages.', value)
  else if (rest !== 'total') {
    const help = 'Innodb buffer pool page state changes.'
    emit('counter', 'global_status_buffer_pool_page_changes_total', help, value, ['operation', rest])
  }
}

/** `min/avg/max/stddev/samples`. */
function emitReplicationLatency(text: string, emit: Emit): void {
  const values = text.split('/').map(readGoFloat)
  if (values.length !== 5 || !values.every((value) => typeof value === 'number')) return
  const parts: readonly (readonly [name: string, help: string])[] = [
    ['min_seconds', 'Min value.'],
    ['avg_seconds', 'Avg value.'],
    ['max_seconds', 'Max value.'],
    ['stdev', 'Standard Deviation.'],
    ['sample_size', 'Sample Size.'],
  ]
  parts.forEach(([name, help], i) => {
    const full = `PXC/Galera group communication latency. ${help}`
    emit('gauge', `galera_evs_repl_latency_${name}`, full, values[i]!)
  })
}

const VERSION = ['innodb_version', 'version', 'version_comment']

export function emitGlobalVariables({ rows }: QueryResult, emit: Emit): void {
  const texts = new Map<string, string>()
  for (const row of rows) {
    const key = metricName(toText(row[0]))
    const value = parseStatus(row[1])
    if (value === null) texts.set(key, toText(row[1]))
    else emit('gauge', `global_variables_${key}`, 'Generic gauge metric from SHOW GLOBAL VARIABLES.', value)
  }
  const version = VERSION.flatMap((name) => [name, texts.get(name) ?? ''])
  emit('gauge', 'version_info', 'MySQL version and distribution.', 1, version)
  const cluster = texts.get('wsrep_cluster_name') ?? ''
  if (cluster !== '')
    emit('gauge', 'galera_variables_info', 'PXC/Galera variables information.', 1, ['wsrep_cluster_name', cluster])
  const options = texts.get('wsrep_provider_options') ?? ''
  if (options !== '') emit('gauge', 'galera_gcache_size_bytes', 'PXC/Galera gcache size.', gcacheBytes(options))
  const isolation = texts.get('transaction_isolation') ?? texts.get('tx_isolation') ?? ''
  if (isolation !== '') emit('gauge', 'transaction_isolation', 'MySQL transaction isolation.', 1, ['level', isolation])
}

function gcacheBytes(options: string): number {
  const [, size, unit] = /gcache\.size = (\d+)([MG]?);/.exec(options) ?? []
  if (size === undefined) return 0
  return Number(size) * (unit === 'M' ? 2 ** 20 : unit === 'G' ? 2 ** 30 : 1)
}
