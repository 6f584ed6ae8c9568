/**
 * Signatures of every PromQL function: what the parser checks and the engine dispatches on.
 * Semantics: Prometheus promql/parser/functions.go (v3.14).
 */
import type { ValueType } from './ast.ts'

export type FunctionSignature = {
  readonly name: string
  readonly argTypes: readonly ValueType[]
  /**
   * 0: exactly `argTypes.length` arguments. n > 0: the last type may be left out, or given up to n times. -1: the
   * last type may be left out or repeated without limit.
   */
  readonly variadic: number
  readonly returnType: ValueType
  readonly experimental: boolean
}

const V: ValueType = 'vector'
const M: ValueType = 'matrix'
const S: ValueType = 'scalar'
const T: ValueType = 'string'

type Options = { readonly returns?: ValueType; readonly variadic?: number; readonly experimental?: boolean }

function signatures(
  names: string,
  argTypes: readonly ValueType[],
  { returns = V, variadic = 0, experimental = false }: Options = {},
): [string, FunctionSignature][] {
  return names.split(' ').map((name) => [name, { name, argTypes, variadic, returnType: returns, experimental }])
}

export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = new Map([
  ...signatures('abs absent ceil exp floor ln log10 log2 sgn sort sort_desc sqrt timestamp', [V]),
  ...signatures('acos acosh asin asinh atan atanh cos cosh deg rad sin sinh tan tanh', [V]),
  ...signatures('histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar', [V]),
  ...signatures('days_in_month day_of_month day_of_week day_of_year hour minute month year', [V], { variadic: 1 }),
  ...signatures('rate increase delta irate idelta deriv changes resets', [M]),
  ...signatures('avg_over_time count_over_time last_over_time max_over_time min_over_time present_over_time', [M]),
  ...signatures('stddev_over_time stdvar_over_time sum_over_time absent_over_time', [M]),
  ...signatures('first_over_time', [M]),
  ...signatures('mad_over_time', [M], { experimental: true }),
  ...signatures('start_timestamp', [V], { experimental: true }),
  ...signatures('ts_of_first_over_time ts_of_last_over_time ts_of_max_over_time ts_of_min_over_time', [M], {
    experimental: true,
  }),
  ...signatures('quantile_over_time', [S, M]),
  ...signatures('predict_linear', [M, S]),
  ...signatures('double_exponential_smoothing', [M, S, S], { experimental: true }),
  ...signatures('clamp', [V, S, S]),
  ...signatures('clamp_max clamp_min', [V, S]),
  ...signatures('round', [V, S], { variadic: 1 }),
  ...signatures('histogram_fraction', [S, S, V]),
  ...signatures('histogram_quantile', [S, V]),
  ...signatures('histogram_quantiles', [V, T, S, S], { variadic: 9, experimental: true }),
  ...signatures('info', [V, V], { variadic: 1, experimental: true }),
  ...signatures('label_replace', [V, T, T, T, T]),
  ...signatures('label_join', [V, T, T, T], { variadic: -1 }),
  ...signatures('sort_by_label sort_by_label_desc', [V, T], { variadic: -1, experimental: true }),
  ...signatures('scalar', [V], { returns: S }),
  ...signatures('vector', [S]),
  ...signatures('pi time', [], { returns: S }),
  ...signatures('start end range step', [], { returns: S, experimental: true }),
  ...signatures('max_of min_of', [S, S], { returns: S, experimental: true }),
])
