/**
 * What this server can do, by area, for clients that adapt to it. Areas and names: Prometheus
 * cmd/prometheus/testdata/features.json (v3.14); those of builds and pages that are not ours are left out.
 */
import { SUPPORTED_KINDS } from '../../agent/discovery/mod.ts'
import { FUNCTIONS } from '../promql/functions.ts'
import { parserFeatures, START_ZEROS } from '../query/mod.ts'
import { templateFunctionNames } from '../rules/mod.ts'
import type { ApiDeps } from './deps.ts'

type Area = Readonly<Record<string, boolean>>

const OPERATORS =
  '!= !~ % * + - / < <= == =~ > >= @ ^ and atan2 avg bottomk count count_values group max min or quantile stddev stdvar sum topk unless'
const SYNTAX =
  'at_modifier bool by group_left group_right ignoring negative_offset offset on per_query_lookback_delta subqueries without'

const all = (names: Iterable<string>): Area => Object.fromEntries([...names].map((name) => [name, true]))

export function featuresOf(deps: ApiDeps): Readonly<Record<string, Area>> {
  const { features } = deps.settings()
  const has = (name: string): boolean => features.includes(name)
  const parser = parserFeatures(features)
  const experimental = parser.experimentalFunctions
  const areas = {
    api: {
      admin: deps.storage !== null,
      ...all('exclude_alerts label_values_match query_stats query_warnings'.split(' ')),
      lifecycle: deps.lifecycleEnabled,
      'openapi_3.1': true,
      'openapi_3.2': true,
      otlp_write_receiver: deps.otlpEnabled,
      remote_write_receiver: deps.remoteWriteEnabled,
      ...all(['time_range_labels', 'time_range_series']),
    },
    otlp_receiver: {
      delta_conversion: has('otlp-deltatocumulative'),
      native_delta_ingestion: has('otlp-native-delta-ingestion'),
    },
    prometheus: { agent_mode: false, auto_reload_config: has('auto-reload-config'), server_mode: true },
    promql: {
      ...all(SYNTAX.split(' ')),
      anchored: parser.extendedRangeSelectors,
      smoothed: parser.extendedRangeSelectors,
      delayed_name_removal: has('promql-delayed-name-removal'),
      duration_expr: parser.durationExpressions,
      ...Object.fromEntries(['fill', 'fill_left', 'fill_right'].map((name) => [name, parser.binopFillModifiers])),
      per_step_stats: has('promql-per-step-stats'),
      type_and_unit_labels: has('type-and-unit-labels'),
    },
    promql_functions: Object.fromEntries(
      [...FUNCTIONS.values()].map((signature) => [signature.name, !signature.experimental || experimental]),
    ),
    promql_operators: { ...all(OPERATORS.split(' ')), limit_ratio: experimental, limitk: experimental },
    rules: { concurrent_rule_eval: false, keep_firing_for: true, query_offset: true },
    scrape: {
      extra_scrape_metrics: true,
      start_timestamp_zero_ingestion: has(START_ZEROS),
      type_and_unit_labels: has('type-and-unit-labels'),
    },
    service_discovery_providers: all(SUPPORTED_KINDS),
    templating_functions: all(templateFunctionNames()),
    tsdb: { delayed_compaction: false, exemplar_storage: true, isolation: true, native_histograms: true },
  }
  return Object.fromEntries(Object.entries(areas).map(([name, area]) => [name, sorted(area)]))
}

function sorted(area: Area): Area {
  return Object.fromEntries(Object.entries(area).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
