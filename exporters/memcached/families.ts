/**
 * Memcached's statistics as families. A key that is absent is skipped: versions differ. A value that cannot be read
 * is left out and makes `memcached_up` 0.
 * Semantics: memcached_exporter pkg/exporter/exporter.go, Collect (v0.16).
 */
import { type FamilyType, type Metric, type MetricFamily, readGoFloat } from '../../protocol/exposition/mod.ts'
import type { SlabStats, Stats } from './answers.ts'
import {
  command,
  EXTSTORE,
  GENERAL,
  ITEMS,
  LRU_CRAWLER,
  PROXY,
  type Reading,
  type Rule,
  SETTINGS,
  SLABS,
  slabCommand,
} from './rules.ts'

export type MemcachedPage = {
  readonly families: readonly MetricFamily[]
  /** Values that could not be read. */
  readonly errors: readonly string[]
}

/**
 * @param settings null when the server did not answer `stats settings`: `memcached_up` is then 0
 * @example memcachedFamilies(new Map([['uptime', '2']]), new Map(), new Map(), new Map())
 */
export function memcachedFamilies(
  stats: Stats,
  settings: Stats | null,
  items: SlabStats,
  slabs: SlabStats,
): MemcachedPage {
  const page = new Page()
  const version = stats.get('version') ?? ''
  page.add('version', 'gauge', 'The version of this memcached server.', ['version', version])
  page.apply(GENERAL, stats)
  page.addSets(command('cmd_set', 'set', 'hit'), stats, null, ['cas_misses', 'cas_hits', 'cas_badval'])
  if (stats.has('extstore_limit_maxbytes')) page.apply(EXTSTORE, stats)
  if (stats.has('proxy_backend_total')) page.apply(PROXY, stats)
  for (const [slab, values] of items) page.apply(ITEMS, values, slab)
  for (const [slab, values] of slabs) {
    // Up to memcached 1.4 the slabs say mem_requested, since 1.5 the items do; both would be one series twice.
    const rules = items.get(slab)?.has('mem_requested') ? SLABS.filter(({ key }) => key !== 'mem_requested') : SLABS
    page.apply(rules, values, slab)
    page.addSets(slabCommand('cmd_set', 'set', 'hit'), values, slab, ['cas_hits', 'cas_badval'])
  }
  if (settings === null) page.errors.push('stats settings: no answer')
  else {
    page.apply(SETTINGS, settings)
    if (settings.get('lru_crawler') === 'yes') page.apply(LRU_CRAWLER, settings)
  }
  page.add('up', 'gauge', UP_HELP, [], page.errors.length === 0 ? 1 : 0)
  return page
}

/** What is said of a server that does not answer. */
export function memcachedDown(): MetricFamily[] {
  return [{ name: 'memcached_up', help: UP_HELP, type: 'gauge', metrics: [{ labels: [], value: 0 }] }]
}

const UP_HELP = 'Could the memcached server be reached.'

class Page implements MemcachedPage {
  readonly errors: string[] = []
  readonly #families = new Map<string, MetricFamily & { readonly metrics: Metric[] }>()

  get families(): MetricFamily[] {
    return [...this.#families.values()]
  }

  add(metric: string, type: FamilyType, help: string, labels: readonly string[], value = 1): void {
    const name = `memcached_${metric}`
    let family = this.#families.get(name)
    if (!family) this.#families.set(name, (family = { name, type, help, metrics: [] }))
    family.metrics.push({ labels, value })
  }

  apply(rules: readonly Rule[], values: Stats, slab: string | null = null): void {
    for (const { key, metric, type, help, labels, reading } of rules) {
      const value = this.#read(values, key, reading)
      if (value !== null) this.add(metric, type, help, withSlab(labels, slab), value)
    }
  }

  /** Memcached counts cas commands in `cmd_set` too: what is left when they are taken out. */
  addSets({ key, metric, type, help, labels }: Rule, values: Stats, slab: string | null, cas: readonly string[]): void {
    let sets = 0
    for (const name of [key, ...cas]) {
      const value = this.#read(values, name, 'number')
      if (value === null) {
        if (!values.has(name)) this.errors.push(`${name}: absent`)
        return
      }
      sets += name === key ? value : -value
    }
    this.add(metric, type, help, withSlab(labels, slab), sets)
  }

  /** null when absent or unreadable; the latter is an error. */
  #read(values: Stats, key: string, reading: Reading): number | null {
    const text = values.get(key)
    if (text === undefined) return null
    const value = parseValue(text, reading)
    if (value === null) this.errors.push(`${key}: "${text}" is not a ${reading}`)
    return value
  }
}

/** In the order of their names, as every exporter prints them. */
function withSlab(labels: readonly string[], slab: string | null): readonly string[] {
  if (slab === null) return labels
  const at = labels.findIndex((name, i) => i % 2 === 0 && name > 'slab')
  const index = at < 0 ? labels.length : at
  return [...labels.slice(0, index), 'slab', slab, ...labels.slice(index)]
}

/** `3.5` as a timeval is 3 s and 5 µs: memcached pads its own, other servers may not. */
function parseValue(text: string, reading: Reading): number | null {
  if (reading === 'yes/no') return text === 'yes' ? 1 : text === 'no' ? 0 : null
  if (reading === 'timeval') {
    const [seconds, micros, ...rest] = text.split('.').map(readGoFloat)
    return typeof seconds === 'number' && typeof micros === 'number' && rest.length === 0
      ? seconds + micros / 1e6
      : null
  }
  const number = readGoFloat(text)
  return typeof number === 'number' ? number : null
}
