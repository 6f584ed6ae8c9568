/** Unit test files of rules, as `promtool test rules` reads them. Semantics: Prometheus cmd/promtool/unittest.go (v3.14). */
import {
  boolean,
  type Cursor,
  type Decoder,
  decodeYaml,
  duration,
  list,
  number,
  object,
  record,
  string,
} from '../../protocol/config/mod.ts'

export type UnitTestFile = {
  readonly file: string
  /** Patterns, relative to the file's folder. */
  readonly ruleFiles: readonly string[]
  readonly evaluationIntervalMs: number
  readonly groupEvalOrder: readonly string[]
  /** Values may be one representable number apart. */
  readonly fuzzyCompare: boolean
  readonly tests: readonly TestGroup[]
}

export type TestGroup = {
  readonly name: string
  readonly intervalMs: number
  /** Milliseconds since 1970 of the time 0 of this group. */
  readonly startMs: number
  readonly inputSeries: readonly { readonly series: string; readonly values: string }[]
  readonly alertTests: readonly AlertTest[]
  readonly exprTests: readonly ExprTest[]
  readonly externalLabels: Readonly<Record<string, string>>
  readonly externalUrl: string
}

export type AlertTest = {
  readonly evalTimeMs: number
  readonly alertname: string
  readonly expected: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly annotations: Readonly<Record<string, string>>
  }[]
}

export type ExprTest = {
  readonly expr: string
  readonly evalTimeMs: number
  readonly expected: readonly { readonly labels: string; readonly value: number; readonly histogram: string }[]
}

const labels = record(string)
const DEFAULT_INTERVAL_MS = 60_000

/** RFC 3339, or seconds since 1970. */
const startTimestamp: Decoder<number> = (at) => {
  const text = string(at)
  if (/^-?\d+(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1000)
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? at.fail(`start_timestamp must be an RFC 3339 time or a Unix time, got "${text}"`) : ms
}

/** YAML's .nan and .inf, and upstream's words. */
const value: Decoder<number> = (at) => {
  const text = string(at)
  if (/^[+-]?(?:\.?inf)$/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return /^\.?nan$/i.test(text) ? Number.NaN : number(at)
}

const testGroup = object(
  'main.testGroup',
  {
    interval: duration,
    input_series: list(
      object('main.series', { series: string, values: string }, (raw) => ({
        series: raw.series ?? '',
        values: raw.values ?? '',
      })),
    ),
    alert_rule_test: list(
      object(
        'main.alertTestCase',
        {
          eval_time: duration,
          alertname: string,
          exp_alerts: list(
            object('main.alert', { exp_labels: labels, exp_annotations: labels }, (raw) => ({
              labels: raw.exp_labels ?? {},
              annotations: raw.exp_annotations ?? {},
            })),
          ),
        },
        (raw, at): AlertTest => {
          if (!raw.alertname) at.fail('an item under alert_rule_test misses required attribute alertname')
          return { evalTimeMs: raw.eval_time ?? 0, alertname: raw.alertname!, expected: raw.exp_alerts ?? [] }
        },
      ),
    ),
    promql_expr_test: list(
      object(
        'main.promqlTestCase',
        {
          expr: string,
          eval_time: duration,
          exp_samples: list(
            object('main.sample', { labels: string, value, histogram: string }, (raw) => ({
              labels: raw.labels ?? '',
              value: raw.value ?? 0,
              histogram: raw.histogram ?? '',
            })),
          ),
        },
        (raw): ExprTest => ({
          expr: raw.expr ?? '',
          evalTimeMs: raw.eval_time ?? 0,
          expected: raw.exp_samples ?? [],
        }),
      ),
    ),
    external_labels: labels,
    external_url: string,
    name: string,
    start_timestamp: startTimestamp,
  },
  (raw) => raw,
)

const root = object(
  'main.unitTestFile',
  {
    rule_files: list(string),
    evaluation_interval: duration,
    group_eval_order: list(string),
    fuzzy_compare: boolean,
    tests: list(testGroup),
  },
  (raw, at: Cursor) => ({ raw, at }),
)

/** @throws ConfigError */
export function loadUnitTests(text: string, file: string, ignoreUnknown = false): UnitTestFile {
  const { raw, at } = decodeYaml(text, file, root, { ignoreUnknown }).value
  const order = raw.group_eval_order ?? []
  const repeated = order.find((name, i) => order.indexOf(name) !== i)
  if (repeated !== undefined) at.fail(`group name repeated in evaluation order: ${repeated}`)
  const evaluationIntervalMs = raw.evaluation_interval || DEFAULT_INTERVAL_MS
  return {
    file,
    ruleFiles: raw.rule_files ?? [],
    evaluationIntervalMs,
    groupEvalOrder: order,
    fuzzyCompare: raw.fuzzy_compare ?? false,
    tests: (raw.tests ?? []).map((test) => ({
      name: test.name ?? '',
      intervalMs: test.interval || evaluationIntervalMs,
      startMs: test.start_timestamp ?? 0,
      inputSeries: test.input_series ?? [],
      alertTests: test.alert_rule_test ?? [],
      exprTests: test.promql_expr_test ?? [],
      externalLabels: test.external_labels ?? {},
      externalUrl: test.external_url ?? '',
    })),
  }
}
