/** The kit's statsd cases: lines, packets, mappings, and events into metrics. */
import type { Metric, MetricFamily } from '../../protocol/exposition/mod.ts'
import { type CaseResult, caseOf, expectEqual } from '../cases.ts'
import { type EventKind, newLineCounters, type StatsdEvent } from './event.ts'
import { handleEvent } from './events.ts'
import { decodeLines, parseLine } from './line.ts'
import { Mapper } from './mapper.ts'
import { loadMappingConfig } from './mapping-config.ts'
import { Registry } from './registry.ts'
import { newStatsdCounters, selfFamilies } from './self-metrics.ts'
import { escapeMetricName, type TagStyles } from './tags.ts'

type KitEvent = {
  readonly type: EventKind
  readonly name: string
  readonly value: number
  readonly relative?: boolean
  readonly labels: Readonly<Record<string, string>>
}
type Input = { readonly input?: string; readonly inputBase64?: string }
type Lines = { readonly cases: readonly (Input & { name: string; parsing: readonly string[]; events: KitEvent[] })[] }
type Packets = {
  readonly parsing: readonly string[]
  readonly cases: readonly (Input & { name: string; events: KitEvent[] })[]
}
type Expected = Readonly<Record<string, unknown>> & { readonly present?: boolean }
type Mappings = {
  readonly cases: readonly {
    readonly name: string
    readonly config: string
    readonly configError: boolean
    readonly lookups?: readonly { statsdMetric: string; metricType: EventKind; expect: Expected }[]
  }[]
  readonly actions: readonly { name: string; config: string; configError: boolean; action?: string }[]
  readonly escapeMetricName: readonly { input: string; output: string }[]
  readonly multipleMatches: { readonly config: string; readonly expect: Readonly<Record<string, string>> }
}
type KitSeries = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }
type Scenario = {
  readonly name: string
  readonly config?: string
  readonly events?: readonly KitEvent[]
  readonly packetBase64?: string
  readonly expect?: readonly KitSeries[]
  readonly expectValues?: readonly KitSeries[]
  readonly expectSeries?: readonly KitSeries[]
  readonly expectErrorCounter?: Readonly<Record<string, number>>
  readonly expectSummaryHasQuantiles?: string
}
type Scenarios = {
  readonly conflictingMetricsConfig: string
  readonly conflictingMetrics: readonly Scenario[]
  readonly scenarios: readonly Scenario[]
}

/** @param readText a file of `exporters/statsd` by its name */
export async function runStatsdCases(readText: (name: string) => string): Promise<CaseResult[]> {
  const read = (name: string): unknown => JSON.parse(readText(name))
  return [
    ...(await lineCases(read('lines.json') as Lines)),
    ...(await packetCases(read('packets.json') as Packets)),
    ...(await mapperCases(read('mapper.json') as Mappings)),
    ...(await exporterCases(read('exporter.json') as Scenarios)),
    await caseOf('config.example.yml loads', () => {
      expectEqual(loadMappingConfig(readText('config.example.yml'), 'config.example.yml').mappings.length > 0, true)
    }),
  ]
}

/** Upstream's table lists the first events only: more may follow. */
function lineCases({ cases }: Lines): Promise<CaseResult[]> {
  return Promise.all(
    cases.map((one) =>
      caseOf(`line ${one.name}: ${one.input ?? one.inputBase64} [${one.parsing}]`, () =>
        expectEqual(eventsOf(one, one.parsing).slice(0, one.events.length), one.events.map(plain)),
      ),
    ),
  )
}

function packetCases({ cases, parsing }: Packets): Promise<CaseResult[]> {
  return Promise.all(
    cases.map((one) => caseOf(`packet ${one.name}`, () => expectEqual(eventsOf(one, parsing), one.events.map(plain)))),
  )
}

async function mapperCases({ cases, actions, escapeMetricName: escapes, multipleMatches }: Mappings) {
  const out: CaseResult[] = []
  for (const { name, config, configError, lookups = [] } of cases)
    out.push(
      await caseOf(`mapper ${name}`, () => {
        const mapper = mapperOf(config, configError)
        // Twice: the second answer is the cache's.
        for (const _ of [1, 2])
          for (const { statsdMetric, metricType, expect } of lookups)
            checkLookup(mapper!, statsdMetric, metricType, expect)
      }),
    )
  for (const { name, config, configError, action } of actions)
    out.push(
      await caseOf(`action ${name}`, () => {
        const mapper = mapperOf(config, configError)
        if (action !== undefined) expectEqual(mapper?.config.mappings[0]?.action, action)
      }),
    )
  for (const { input, output } of escapes)
    out.push(await caseOf(`escape ${input}`, () => expectEqual(escapeMetricName(input), output)))
  const mapper = mapperOf(multipleMatches.config, false)!
  for (const [name, expected] of Object.entries(multipleMatches.expect))
    out.push(await caseOf(`multiple matches ${name}`, () => expectEqual(mapper.find(name, 'counter')?.name, expected)))
  return out
}

function checkLookup(mapper: Mapper, name: string, kind: EventKind, expect: Expected): void {
  const found = mapper.find(name, kind)
  const dropped = found?.mapping.action === 'drop'
  if (expect.present !== undefined) expectEqual(found !== null && !dropped, expect.present)
  if (found === null || dropped) return
  const { mapping, labels } = found
  const got: Readonly<Record<string, unknown>> = {
    present: true,
    name: found.name,
    labels: recordOf(labels),
    quantiles: mapping.summary.quantiles,
    buckets: mapping.buckets,
    maxAgeSeconds: mapping.summary.maxAgeMs / 1000,
    ageBuckets: mapping.summary.ageBuckets,
    bufCap: mapping.summary.bufCap,
    matchMetricType: mapping.kind,
    ttlSeconds: mapping.ttlMs / 1000,
    scale: mapping.scale,
  }
  // A lookup that names no metric expects no match, or a mapping that drops.
  if (expect['name'] === undefined && expect.present === undefined)
    throw new Error(`got ${found.name}, want no mapping`)
  for (const [key, value] of Object.entries(expect)) expectEqual({ [key]: got[key] }, { [key]: value })
}

async function exporterCases({ conflictingMetricsConfig, conflictingMetrics, scenarios }: Scenarios) {
  const out: CaseResult[] = []
  for (const one of conflictingMetrics)
    out.push(await caseOf(`conflict ${one.name}`, () => runScenario({ ...one, config: conflictingMetricsConfig })))
  for (const one of scenarios) out.push(await caseOf(`exporter ${one.name}`, () => runScenario(one)))
  return out
}

function runScenario(one: Scenario): void {
  const mapper = mapperOf(one.config ?? '', false)!
  const registry = new Registry({ maxSeries: 1000 })
  const counters = newStatsdCounters()
  const handle = (event: StatsdEvent): void => void handleEvent(event, { mapper, registry, counters }, 0)
  for (const { type, labels, ...event } of one.events ?? [])
    handle({ relative: false, ...event, kind: type, labels: new Map(Object.entries(labels)), times: 1 })
  if (one.packetBase64 !== undefined)
    decodeLines(bytesOf(one.packetBase64), counters, (line) => parseLine(line, stylesOf(ALL_STYLES), counters, handle))
  const families = [...registry.families(0), ...selfFamilies({ counters, mapper, registry, relay: null, drops: 0 })]
  for (const { name, labels, value } of [...(one.expect ?? []), ...(one.expectValues ?? [])])
    expectEqual({ [name]: valueOfSeries(families, name, labels) }, { [name]: value })
  for (const { name, labels } of one.expectSeries ?? [])
    if (valueOfSeries(families, name, labels) === undefined) throw new Error(`no ${name}${JSON.stringify(labels)}`)
  for (const [series, value] of Object.entries(one.expectErrorCounter ?? {})) {
    const [, name = '', label = '', text = ''] = /^(\w+)\{(\w+)="(.*)"\}$/.exec(series) ?? []
    expectEqual(valueOfSeries(families, name, { [label]: text }), value)
  }
  const summary = one.expectSummaryHasQuantiles
  if (summary !== undefined) {
    const metrics = families.find(({ name }) => name === summary)?.metrics ?? []
    expectEqual(
      metrics.filter(({ labels }) => labels.at(-2) === 'quantile').map(({ labels }) => labels.at(-1)),
      ['0.5', '0.9', '0.99'],
    )
  }
}

/** Of a summary or histogram its sum, as upstream's helper reads them. */
function valueOfSeries(
  families: readonly MetricFamily[],
  wanted: string,
  labels: Readonly<Record<string, string>>,
): number | undefined {
  const matches = (metric: Metric): boolean => {
    const own = recordOf(metric.labels)
    return (
      Object.keys(own).length === Object.keys(labels).length &&
      Object.entries(labels).every(([name, value]) => own[name] === value)
    )
  }
  for (const { name, type, metrics } of families) {
    const isObserver = type === 'summary' || type === 'histogram'
    for (const metric of metrics) {
      const shown = isObserver && metric.suffix === '_sum' ? [name, `${name}_sum`] : [name + (metric.suffix ?? '')]
      if (shown.includes(wanted) && matches(metric)) return metric.value
    }
  }
  return undefined
}

function mapperOf(config: string, isBad: boolean): Mapper | null {
  let mapper: Mapper | null = null
  let problem = ''
  try {
    mapper = new Mapper(loadMappingConfig(config, 'mapping.yml'), { cacheSize: 100 })
  } catch (error) {
    problem = (error as Error).message
  }
  if (isBad === (mapper !== null)) throw new Error(isBad ? 'a bad configuration was taken' : problem)
  return mapper
}

const ALL_STYLES = ['dogstatsd', 'influxdb', 'librato', 'signalfx']

const stylesOf = (names: readonly string[]): TagStyles => ({
  dogstatsd: names.includes('dogstatsd'),
  influxdb: names.includes('influxdb'),
  librato: names.includes('librato'),
  signalfx: names.includes('signalfx'),
})

function eventsOf({ input, inputBase64 }: Input, parsing: readonly string[]): KitEvent[] {
  const out: KitEvent[] = []
  const counters = newLineCounters()
  const bytes = inputBase64 === undefined ? new TextEncoder().encode(input) : bytesOf(inputBase64)
  decodeLines(bytes, counters, (line) =>
    parseLine(line, stylesOf(parsing), counters, ({ kind, name, value, relative, labels, times }) => {
      for (let i = 0; i < times; i++)
        out.push(plain({ type: kind, name, value, relative, labels: Object.fromEntries(labels) }))
    }),
  )
  return out
}

/** Only gauges tell whether they are relative. */
const plain = ({ type, name, value, relative, labels }: KitEvent): KitEvent => ({
  type,
  name,
  value,
  labels,
  ...(type === 'gauge' ? { relative: relative ?? false } : {}),
})

const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))

function recordOf(pairs: readonly string[]): Record<string, string> {
  const out: Record<string, string> = {}
  for (let i = 0; i < pairs.length; i += 2) out[pairs[i]!] = pairs[i + 1]!
  return out
}
