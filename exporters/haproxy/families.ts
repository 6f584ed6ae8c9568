/**
 * HAProxy's `show stat` (or its CSV page) and `show info` as families.
 * Semantics: haproxy_exporter haproxy_exporter.go, parseRow, exportCsvFields, parseInfo (v0.15).
 */
import { type Metric, type MetricFamily, readGoFloat } from '../../protocol/exposition/mod.ts'
import { BACKEND, type Column, FRONTEND, MILLISECOND_COLUMNS, SERVER, STATUS_COLUMN } from './columns.ts'
import { parseCsv } from './csv.ts'

export type StatOptions = {
  /** Columns of servers to export; null for all. */
  readonly serverFields: ReadonlySet<number> | null
  /** Servers in these states (`MAINT`, `no check`…, exactly as the CSV says) are left out. */
  readonly excludedServerStates: ReadonlySet<string>
}

export const DEFAULT_STAT_OPTIONS: StatOptions = { serverFields: null, excludedServerStates: new Set() }

export type HaproxyPage = {
  readonly families: readonly MetricFamily[]
  /** Records and values that could not be read, each in one sentence. */
  readonly errors: readonly string[]
}

const NAME_COLUMN = 0
const SERVER_COLUMN = 1
const TYPE_COLUMN = 32
/** HAProxy 1.3 had these; later versions only add. */
const MIN_COLUMNS = 33

/** @example haproxyFamilies(csv, DEFAULT_STAT_OPTIONS).families */
export function haproxyFamilies(csv: string, options: StatOptions): HaproxyPage {
  const { records, errors: broken } = parseCsv(csv)
  const errors = [...broken]
  const families = new Map<string, MetricFamily & { readonly metrics: Metric[] }>()
  const serverColumns = SERVER.filter(([index]) => options.serverFields?.has(index) ?? true)

  for (const record of records) {
    if (record.length < MIN_COLUMNS) {
      errors.push(`"${record[NAME_COLUMN]}" has ${record.length} fields, at least ${MIN_COLUMNS} expected`)
      continue
    }
    const proxy = record[NAME_COLUMN]!
    if (record[TYPE_COLUMN] === '0') addRow('frontend', FRONTEND, record, ['frontend', proxy])
    else if (record[TYPE_COLUMN] === '1') addRow('backend', BACKEND, record, ['backend', proxy])
    else if (record[TYPE_COLUMN] === '2' && !options.excludedServerStates.has(record[STATUS_COLUMN]!))
      addRow('server', serverColumns, record, ['backend', proxy, 'server', record[SERVER_COLUMN]!])
  }

  function addRow(kind: string, columns: readonly Column[], record: readonly string[], labels: string[]): void {
    for (const [index, type, metric, help, code] of columns) {
      const text = record[index]
      // Absent in this version, or without meaning for this row.
      if (text === undefined || text === '') continue
      const value = parseColumn(index, text)
      if (value === null) {
        errors.push(`column ${index} of "${record[NAME_COLUMN]}" "${record[SERVER_COLUMN]}": "${text}" is not a number`)
        continue
      }
      const name = `haproxy_${kind}_${metric}`
      let family = families.get(name)
      if (!family) families.set(name, (family = { name, type, help, metrics: [] }))
      family.metrics.push({ labels: code === undefined ? labels : withCode(labels, code), value })
    }
  }

  return { families: [...families.values()], errors }
}

/** `Name: value` lines; empty when there are none. */
export function haproxyInfoFamilies(info: string): MetricFamily[] {
  const fields = new Map<string, string>()
  for (const line of info.split('\n')) {
    const at = line.indexOf(': ')
    if (at > 0) fields.set(line.slice(0, at), line.slice(at + 2).trim())
  }
  const labels = ['release_date', fields.get('Release_date') ?? '', 'version', fields.get('Version') ?? '']
  const out: MetricFamily[] = [
    { name: 'haproxy_version_info', help: 'HAProxy version info.', type: 'gauge', metrics: [{ labels, value: 1 }] },
  ]
  const idle = fields.get('Idle_pct')
  if (idle !== undefined && /^\d+(?:\.\d+)?$/.test(idle))
    out.push({
      name: 'haproxy_process_idle_time_percent',
      help: 'Time spent waiting for events instead of processing them.',
      type: 'gauge',
      metrics: [{ labels: [], value: Number(idle) }],
    })
  return out
}

/** 1 for a proxy or server that takes connections. */
export function parseStatus(text: string): 0 | 1 {
  return ['UP', 'UP 1/3', 'UP 2/3', 'OPEN', 'no check', 'DRAIN'].includes(text) ? 1 : 0
}

function parseColumn(index: number, text: string): number | null {
  if (index === STATUS_COLUMN) return parseStatus(text)
  if (MILLISECOND_COLUMNS.includes(index)) {
    const ms = readGoFloat(text)
    return typeof ms === 'number' ? ms / 1000 : null
  }
  if (!/^[+-]?\d{1,19}$/.test(text)) return null
  const whole = BigInt(text.replace(/^\+/, ''))
  // Rounded, the largest that fits and the first that does not are one number.
  return whole === BigInt.asIntN(64, whole) ? Number(whole) : null
}

/** Labels stay in the order of their names. */
function withCode(labels: readonly string[], code: string): readonly string[] {
  const at = labels[0] === 'frontend' ? 0 : 2
  return [...labels.slice(0, at), 'code', code, ...labels.slice(at)]
}
