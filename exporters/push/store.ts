/**
 * The groups of pushed metrics, in memory. Semantics: pushgateway storage/diskmetricstore.go (v1.11): what a push
 * replaces, the two times of each group, and which pushes would leave a page that no scraper takes. The check is of what
 * the push changes alone; upstream gathers everything anew for each.
 */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { compareStrings, quote } from '../../protocol/labels/mod.ts'
import {
  linesOf,
  metricText,
  PushError,
  type Pushed,
  type PushedFamily,
  type PushedMetric,
  PushLimitError,
  SEPARATOR,
  tooManySeries,
  withGroupLabels,
} from './families.ts'

export type GroupLabels = ReadonlyMap<string, string>
export type StoredFamily = { readonly family: PushedFamily; readonly timeMs: number }
export type Group = { readonly labels: GroupLabels; readonly families: Map<string, StoredFamily> }

export type PushLimits = { readonly maxGroups: number; readonly maxSeries: number }

/** On average, so that the limit of series is one of memory as well: one may have 16 MiB of labels or buckets. */
const SERIES_CHARS = 1024
const POINT_CHARS = 32

const TIME = 'push_time_seconds'
const FAILURE_TIME = 'push_failure_time_seconds'
const HELPS = {
  [TIME]: 'Last Unix time when changing this group in the Pushgateway succeeded.',
  [FAILURE_TIME]: 'Last Unix time when changing this group in the Pushgateway failed.',
}

export class PushStore {
  readonly #groups = new Map<string, Group>()
  readonly #limits: PushLimits
  /** Whose each series is. */
  readonly #owners = new Map<string, string>()
  /** How many groups have a family of this name, by type. */
  readonly #types = new Map<string, Map<string, number>>()
  #chars = 0
  /** Families of the page that no push may contradict. */
  readonly #reserved: () => readonly MetricFamily[]

  constructor(limits: PushLimits, reserved: () => readonly MetricFamily[] = () => []) {
    this.#limits = limits
    this.#reserved = reserved
  }

  get groupCount(): number {
    return this.#groups.size
  }

  get seriesCount(): number {
    return this.#owners.size
  }

  groups(): Iterable<Group> {
    return this.#groups.values()
  }

  /**
   * @param mode replace: all families of the group go; else those of the same name
   * @throws PushError when it was not taken; the group then knows the time of this failure
   */
  push(
    labels: GroupLabels,
    pushed: Pushed,
    options: { readonly replaces: boolean; readonly checks: boolean; readonly nowMs: number },
  ): void {
    const { replaces, checks, nowMs } = options
    const key = groupKey(labels)
    this.#checkGroups(key)
    try {
      if (pushed.hasTimestamps) throw new PushError('pushed metrics must not have timestamps')
      // The two times are ours to set.
      const families = [...pushed.families.values()]
        .filter(({ name }) => name !== TIME && name !== FAILURE_TIME)
        .map((family) => withGroupLabels(family, labels))
      if (checks) this.#check(key, families, replaces)
      this.#checkSeries(key, families)
      this.#apply(key, labels, families, { replaces, nowMs })
    } catch (error) {
      if (error instanceof PushError) this.#fail(key, labels, nowMs)
      throw error
    }
  }

  delete(labels: GroupLabels): void {
    const key = groupKey(labels)
    const group = this.#groups.get(key)
    if (!group) return
    for (const name of [...group.families.keys()]) this.#drop(key, group, name)
    this.#groups.delete(key)
  }

  clear(): void {
    this.#groups.clear()
    this.#owners.clear()
    this.#types.clear()
    this.#chars = 0
  }

  /** A group as it was when it was kept. */
  restore({ labels, families }: Group): void {
    const key = groupKey(labels)
    const group = this.#group(key, labels)
    for (const { family, timeMs } of families.values()) this.#set(key, group, family, timeMs)
  }

  /** Of all groups together; of two types of one name, which only unchecked pushes can leave, the first stays, and of help the first there is. */
  families(): MetricFamily[] {
    const byName = new Map<string, { help: string; type: PushedFamily['type']; metrics: ReturnType<typeof linesOf> }>()
    for (const { families } of this.#groups.values())
      for (const { family } of families.values()) {
        const known = byName.get(family.name)
        if (known === undefined)
          byName.set(family.name, { help: family.help, type: family.type, metrics: linesOf(family) })
        else if (known.type === family.type) {
          known.help ||= family.help
          for (const line of linesOf(family)) known.metrics.push(line)
        }
      }
    return [...byName].map(([name, { help, type, metrics }]) => ({
      name,
      help: help === '' ? null : help,
      type,
      metrics,
    }))
  }

  #checkGroups(key: string): void {
    if (this.#groups.has(key) || this.#groups.size < this.#limits.maxGroups) return
    throw new PushLimitError(`there are ${this.#limits.maxGroups} groups already (heliograph.max-groups)`)
  }

  #checkSeries(key: string, families: readonly PushedFamily[]): void {
    const added = families.reduce((sum, { metrics }) => sum + metrics.length, 0)
    const own = this.#groups.get(key)
    const before = families.flatMap(({ name }) => own?.families.get(name)?.family ?? [])
    const replaced = before.reduce((sum, { metrics }) => sum + metrics.length, 0)
    const { maxSeries } = this.#limits
    if (this.#owners.size - replaced + added > maxSeries) throw tooManySeries(maxSeries)
    const chars = (all: readonly PushedFamily[]): number => all.reduce((sum, family) => sum + charsOf(family), 0)
    if (this.#chars - chars(before) + chars(families) > SERIES_CHARS * maxSeries)
      throw new PushLimitError(
        `labels and buckets would be longer than those of ${maxSeries} series of ${SERIES_CHARS} characters (heliograph.max-series)`,
      )
  }

  #check(key: string, families: readonly PushedFamily[], replaces: boolean): void {
    const group = this.#groups.get(key)
    const seen = new Set<string>()
    const reserved = new Map(this.#reserved().map((family) => [family.name, family]))
    const pushed = new Map(families.map(({ name, type }) => [name, type]))
    const typeOf = (other: string): string | undefined => pushed.get(other) ?? this.#keptType(key, other, replaces)
    for (const { name, type, help, metrics } of families) {
      const ours = reserved.get(name)
      if (ours && ours.type !== type)
        throw new PushError(
          `gathered metric family ${name} has type ${type.toUpperCase()} but should have ${ours.type.toUpperCase()}`,
        )
      if (ours && ours.help !== null && ours.help !== help)
        throw new PushError(
          `gathered metric family ${name} has help ${quote(help)} but should have ${quote(ours.help)}`,
        )
      const own = group?.families.get(name)?.family.type
      for (const [other, count] of this.#types.get(name) ?? [])
        if (other !== type && count > (other === own ? 1 : 0))
          throw new PushError(
            `collected metric "${name}" ${metricText(type, metrics[0]!)} is not a ${other.toUpperCase()}`,
          )
      for (const metric of metrics) {
        checkMetric(name, type, metric)
        const series = seriesKey(name, metric.labels)
        const owner = this.#owners.get(series)
        if (seen.has(series) || (owner !== undefined && owner !== key))
          throw new PushError(
            `collected metric "${name}" ${metricText(type, metric)} was collected before with the same name and label values`,
          )
        seen.add(series)
      }
      checkSuffixes(name, type, typeOf)
    }
  }

  /** The type of a family that is there after the push, apart from what is pushed. */
  #keptType(key: string, name: string, replaces: boolean): string | undefined {
    const own = this.#groups.get(key)?.families.get(name)?.family.type
    for (const [type, count] of this.#types.get(name) ?? []) if (count > (replaces && type === own ? 1 : 0)) return type
    return undefined
  }

  #apply(
    key: string,
    labels: GroupLabels,
    families: readonly PushedFamily[],
    { replaces, nowMs }: { readonly replaces: boolean; readonly nowMs: number },
  ): void {
    const group = this.#group(key, labels)
    if (replaces)
      for (const name of [...group.families.keys()])
        if (name !== TIME && name !== FAILURE_TIME) this.#drop(key, group, name)
    for (const family of families) this.#set(key, group, family, nowMs)
    this.#set(key, group, timeFamily(TIME, labels, nowMs), nowMs)
    if (!group.families.has(FAILURE_TIME)) this.#set(key, group, timeFamily(FAILURE_TIME, labels, 0), nowMs)
  }

  #fail(key: string, labels: GroupLabels, nowMs: number): void {
    const group = this.#group(key, labels)
    this.#set(key, group, timeFamily(FAILURE_TIME, labels, nowMs), nowMs)
    if (!group.families.has(TIME)) this.#set(key, group, timeFamily(TIME, labels, 0), nowMs)
  }

  #group(key: string, labels: GroupLabels): Group {
    let group = this.#groups.get(key)
    if (group === undefined) this.#groups.set(key, (group = { labels, families: new Map() }))
    return group
  }

  #set(key: string, group: Group, family: PushedFamily, timeMs: number): void {
    this.#drop(key, group, family.name)
    group.families.set(family.name, { family, timeMs })
    this.#chars += charsOf(family)
    for (const { labels } of family.metrics) this.#owners.set(seriesKey(family.name, labels), key)
    const types = this.#types.get(family.name) ?? new Map<string, number>()
    types.set(family.type, (types.get(family.type) ?? 0) + 1)
    this.#types.set(family.name, types)
  }

  #drop(key: string, group: Group, name: string): void {
    const stored = group.families.get(name)
    if (stored === undefined) return
    group.families.delete(name)
    this.#chars -= charsOf(stored.family)
    for (const { labels } of stored.family.metrics) {
      const series = seriesKey(name, labels)
      if (this.#owners.get(series) === key) this.#owners.delete(series)
    }
    const types = this.#types.get(name)!
    const left = types.get(stored.family.type)! - 1
    if (left > 0) types.set(stored.family.type, left)
    else types.delete(stored.family.type)
    if (types.size === 0) this.#types.delete(name)
  }
}

/** Whether the last change of a group was taken. */
export function isLastPushGood({ families }: Group): boolean {
  const seconds = (name: string): number => families.get(name)?.family.metrics[0]?.value ?? 0
  return seconds(FAILURE_TIME) <= seconds(TIME)
}

export function groupKey(labels: GroupLabels): string {
  return [...labels]
    .sort(([a], [b]) => compareStrings(a, b))
    .flat()
    .join(SEPARATOR)
}

function charsOf({ name, help, metrics }: PushedFamily): number {
  let sum = help.length
  for (const { labels, points } of metrics) {
    sum += name.length + POINT_CHARS * points.length
    for (const part of labels) sum += part.length
  }
  return sum
}

const seriesKey = (name: string, labels: readonly string[]): string => `${name}${SEPARATOR}${labels.join(SEPARATOR)}`

/**
 * @param typeOf of a family that is there after the push
 * Semantics: client_golang prometheus/registry.go, checkSuffixCollisions.
 */
function checkSuffixes(name: string, type: PushedFamily['type'], typeOf: (other: string) => string | undefined): void {
  for (const suffix of ['_count', '_sum', '_bucket'] as const) {
    const base = name.endsWith(suffix) ? typeOf(name.slice(0, -suffix.length)) : undefined
    if (base === 'histogram' || (base === 'summary' && suffix !== '_bucket'))
      throw new PushError(
        `collected metric named "${name}" collides with previously collected ${base} named "${name.slice(0, -suffix.length)}"`,
      )
    const hasPart = type === 'histogram' || (type === 'summary' && suffix !== '_bucket')
    if (hasPart && typeOf(name + suffix) !== undefined)
      throw new PushError(
        `collected ${suffix === '_bucket' ? 'histogram' : 'histogram or summary'} named "${name}" collides with previously collected metric named "${name}${suffix}"`,
      )
  }
}

/** Semantics: client_golang prometheus/registry.go, checkMetricConsistency. */
function checkMetric(name: string, type: PushedFamily['type'], metric: PushedMetric): void {
  const refuse = (why: string): never => {
    throw new PushError(`collected metric "${name}" ${metricText(type, metric)} ${why}`)
  }
  if (metric.foreign !== undefined) refuse(`is not a ${type.toUpperCase()}`)
  for (let i = 0; i < metric.labels.length; i += 2) {
    const label = metric.labels[i]!
    if (label.startsWith('__')) refuse(`has a label with an invalid name: ${label}`)
    if (type === 'summary' && label === 'quantile') refuse('must not have an explicit "quantile" label')
  }
}

function timeFamily(name: typeof TIME | typeof FAILURE_TIME, labels: GroupLabels, timeMs: number): PushedFamily {
  const metrics = [{ labels: [], value: timeMs / 1000, points: [], sum: 0, count: 0 }]
  return withGroupLabels({ name, type: 'gauge', help: HELPS[name], metrics }, labels)
}
