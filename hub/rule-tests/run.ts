/** Runs unit tests of rules. Semantics: Prometheus cmd/promtool/unittest.go (v3.14). */
import { formatDuration } from '../../protocol/durations/mod.ts'
import { compareLabels, formatLabels, type Labels, labelsFrom } from '../../protocol/labels/mod.ts'
import { formatFloat } from '../../protocol/samples/mod.ts'
import { DEFAULT_FEATURES } from '../promql/parser/mod.ts'
import { parseMetricLabels, parseSeriesDescription, printHistogram } from '../promql/series-description/mod.ts'
import { Group, type RuleGroup, type VectorSample } from '../rules/mod.ts'
import type { AlertTest, ExprTest, TestGroup, UnitTestFile } from './file.ts'
import { type TestFeatures, TestStore } from './store.ts'

export type RunOptions = {
  readonly file: UnitTestFile
  readonly groups: readonly RuleGroup[]
  /** Only groups of tests whose name matches one of these; none = all. */
  readonly run: readonly RegExp[]
  /** By default what needs no feature flag. */
  readonly features?: TestFeatures
}

const NO_FLAGS: TestFeatures = { parser: DEFAULT_FEATURES, delayedNameRemoval: false }

/** What failed, a text each; empty = all passed. */
export async function runUnitTests({ file, groups, run, features = NO_FLAGS }: RunOptions): Promise<string[]> {
  const chosen = run.length === 0 ? file.tests : file.tests.filter(({ name }) => run.some((each) => each.test(name)))
  const out: string[] = []
  for (const test of chosen) {
    try {
      out.push(...(await runGroup(test, { file, groups, features })))
    } catch (error) {
      out.push(`${test.name === '' ? '' : `${test.name}: `}${(error as Error).message}`)
    }
  }
  return out
}

async function runGroup(
  test: TestGroup,
  { file, groups: definitions, features }: Required<Omit<RunOptions, 'run'>>,
): Promise<string[]> {
  const { evaluationIntervalMs, groupEvalOrder, fuzzyCompare } = file
  const store = new TestStore(test, evaluationIntervalMs, features)
  const order = (name: string): number => Math.max(0, groupEvalOrder.indexOf(name))
  const groups = definitions
    .map((definition) => new Group(definition, { intervalMs: test.intervalMs, queryOffsetMs: 0 }))
    .sort((a, b) => order(a.definition.name) - order(b.definition.name))
  const failures: string[] = []
  const ends = [...test.alertTests, ...test.exprTests].map(({ evalTimeMs }) => evalTimeMs)
  const lastMs = Math.max(0, ...ends)
  for (let atMs = 0; atMs <= lastMs; atMs += evaluationIntervalMs) {
    const timeMs = test.startMs + atMs
    store.fill(timeMs)
    const errors = await evaluateRules(groups, timeMs, atMs, store, test)
    if (errors.length > 0) return [...failures, ...errors]
    for (const due of test.alertTests)
      if (due.evalTimeMs >= atMs && due.evalTimeMs < atMs + evaluationIntervalMs)
        failures.push(...checkAlerts(due, groups, test.name))
  }
  // As upstream, expressions see what there was at the last evaluation, which may be before their time.
  for (const each of test.exprTests) failures.push(...checkExpr(each, test, store, fuzzyCompare))
  return failures
}

async function evaluateRules(
  groups: readonly Group[],
  timeMs: number,
  atMs: number,
  store: TestStore,
  { externalLabels, externalUrl }: TestGroup,
): Promise<string[]> {
  const errors: string[] = []
  for (const group of groups) {
    await group.evaluate(timeMs, {
      query: async (expr, at) => store.query(expr, at),
      append: async (at, samples) => store.append(at, samples),
      notify: () => {},
      monotonic: () => 0,
      context: { externalLabels: labelsFrom(externalLabels), externalUrl },
      resendDelayMs: 0,
      outageToleranceMs: 0,
      forGracePeriodMs: 0,
    })
    for (const { rule, lastError } of group.status)
      if (lastError !== '') errors.push(`    rule: ${rule.name}, time: ${formatDuration(atMs)}, err: ${lastError}`)
  }
  return errors
}

type ShownAlert = { readonly labels: Labels; readonly annotations: Labels }

/** The state after the evaluation at or before the test's time. */
function checkAlerts(test: AlertTest, groups: readonly Group[], name: string): string[] {
  const got: ShownAlert[] = groups
    .flatMap(({ status }) => status)
    .filter(({ rule, alerting }) => alerting !== null && rule.name === test.alertname)
    .flatMap(({ alerting }) => [...alerting!.active.values()])
    .filter(({ state }) => state === 'firing')
    .map(({ labels, annotations }) => ({ labels, annotations: labelsFrom(annotations) }))
  const expected: ShownAlert[] = test.expected.map(({ labels, annotations }) => ({
    labels: labelsFrom({ ...labels, alertname: test.alertname }),
    annotations: labelsFrom(annotations),
  }))
  const [want, have] = [showAlerts(expected), showAlerts(got)]
  if (want === have) return []
  const title = name === '' ? '' : `    name: ${name},\n`
  const time = formatDuration(test.evalTimeMs)
  return [
    `${title}    alertname: ${test.alertname}, time: ${time}, \n        exp:${indent(want)}, \n        got:${indent(have)}`,
  ]
}

function showAlerts(alerts: readonly ShownAlert[]): string {
  const sorted = alerts.toSorted(
    (a, b) => compareLabels(a.labels, b.labels) || compareLabels(a.annotations, b.annotations),
  )
  if (sorted.length === 0) return '[]'
  const lines = sorted.map(
    ({ labels, annotations }, i) =>
      `${i}:\n  Labels:${formatLabels(labels)}\n  Annotations:${formatLabels(annotations)}`,
  )
  return `[\n${lines.join(',\n')}\n]`
}

const indent = (text: string): string => text.replaceAll('\n', '\n            ')

function checkExpr(test: ExprTest, group: TestGroup, store: TestStore, fuzzy: boolean): string[] {
  const where = `    expr: ${JSON.stringify(test.expr)}, time: ${formatDuration(test.evalTimeMs)},`
  let got: readonly VectorSample[]
  let expected: readonly VectorSample[]
  try {
    got = sorted(store.query(test.expr, group.startMs + test.evalTimeMs))
    expected = sorted(test.expected.map(expectedSample))
  } catch (error) {
    return [`${where} err: ${(error as Error).message}`]
  }
  const same = got.length === expected.length && got.every((sample, i) => isSame(sample, expected[i]!, fuzzy))
  return same ? [] : [`${where}\n        exp: ${show(expected)}\n        got: ${show(got)}`]
}

function expectedSample({ labels, value, histogram }: ExprTest['expected'][number]): VectorSample {
  const parsedLabels = labels === '' ? labelsFrom({}) : parseMetricLabels(labels)
  if (histogram === '') return { labels: parsedLabels, value }
  const [first, ...more] = parseSeriesDescription(`{} ${histogram}`).values
  if (first?.kind !== 'histogram' || more.length > 0) throw new Error(`expected one histogram, got "${histogram}"`)
  return { labels: parsedLabels, value: 0, histogram: first.histogram }
}

const sorted = (samples: readonly VectorSample[]): VectorSample[] =>
  samples.toSorted((a, b) => compareLabels(a.labels, b.labels))

function isSame(a: VectorSample, b: VectorSample, fuzzy: boolean): boolean {
  if (compareLabels(a.labels, b.labels) !== 0 || Boolean(a.histogram) !== Boolean(b.histogram)) return false
  if (a.histogram) return printHistogram(a.histogram) === printHistogram(b.histogram!)
  if (a.value === b.value || (Number.isNaN(a.value) && Number.isNaN(b.value))) return true
  return fuzzy && isNeighbour(a.value, b.value)
}

/** Nothing lies between the two. */
function isNeighbour(a: number, b: number): boolean {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false
  const bits = new BigInt64Array(Float64Array.of(a, b).buffer)
  const [x, y] = Array.from(bits, (each) => (each < 0n ? -(each & 0x7fffffffffffffffn) : each)) as [bigint, bigint]
  return x - y === 1n || y - x === 1n
}

function show(samples: readonly VectorSample[]): string {
  if (samples.length === 0) return 'nil'
  return samples
    .map(({ labels, value, histogram }) => {
      const shown = histogram ? JSON.stringify(printHistogram(histogram)) : formatFloat(value)
      return `{Labels: ${JSON.stringify(formatLabels(labels))}, ${histogram ? 'Histogram' : 'Value'}: ${shown}}`
    })
    .join(', ')
}
