/** The questions of the bench: what dashboards, alerts and people ask. */

export type BenchQuery = {
  readonly name: string
  readonly path: string
  readonly params: Readonly<Record<string, string>>
  /** Long enough that two workers should share it. */
  readonly isHeavy: boolean
}

const HOUR_S = 3600

/** @param endS a whole number of steps; @param hours of data */
export function benchQueries(endS: number, hours: number): BenchQuery[] {
  const out: BenchQuery[] = []
  const add = (name: string, path: string, params: Record<string, string>, isHeavy = false): void =>
    void out.push({ name, path: `/api/v1/${path}`, params, isHeavy })
  const instant = (name: string, query: string, isHeavy = false): void =>
    add(name, 'query', { query, time: String(endS) }, isHeavy)
  const range = (name: string, query: string, ofHours: number, step: number, isHeavy = false): void => {
    const start = String(endS - Math.min(ofHours, hours) * HOUR_S + 2 * step)
    add(name, 'query_range', { query, start, end: String(endS), step: String(step) }, isHeavy)
  }
  instant('instant: up', 'up')
  instant('instant: alert expression', 'sum by (instance) (rate(http_requests_total{code="500"}[5m])) > 1')
  instant('instant: CPU by host', 'sum by (instance) (rate(cpu_seconds_total{mode!="idle"}[5m]))')
  instant('instant: all pods', 'sum by (namespace) (rate(pod_requests_total[5m]))')
  instant('instant: topk of pods', 'topk(10, rate(pod_requests_total[5m]))')
  instant('instant: regex over pods', 'count(pod_requests_total{pod=~".*7.*3"})')
  instant('instant: a day of memory', 'avg_over_time(memory_bytes[1d])')
  instant('instant: subquery', 'max_over_time(sum by (instance) (rate(cpu_seconds_total[5m]))[1h:1m])')
  range('1 h: CPU by mode', 'sum by (mode) (rate(cpu_seconds_total[5m]))', 1, 15)
  range('1 h: pods by namespace', 'sum by (namespace) (rate(pod_requests_total[5m]))', 1, 15, true)
  range('1 h: pods, maximum', 'max by (namespace) (max_over_time(pod_requests_total[10m]))', 1, 15, true)
  range(
    '1 h: quantile by host',
    'histogram_quantile(0.9, sum by (le, instance) (rate(request_duration_seconds_bucket[5m])))',
    1,
    15,
  )
  range(
    '6 h: error ratio',
    'sum by (instance) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (instance) (rate(http_requests_total[5m]))',
    6,
    60,
  )
  range(
    '6 h: join with a version',
    'sum by (instance) (rate(cpu_seconds_total{mode="user"}[5m])) * on (instance) group_left (version) build_info',
    6,
    60,
  )
  range('6 h: topk', 'topk(5, sum by (instance) (rate(cpu_seconds_total[5m])))', 6, 60)
  range('6 h: quantile over time', 'quantile_over_time(0.95, memory_bytes[1h])', 6, 300)
  range('24 h: CPU by mode', 'avg by (mode) (rate(cpu_seconds_total[5m]))', 24, 60, true)
  range('24 h: memory of all hosts', 'memory_bytes', 24, 300)
  range(
    '24 h: quantile',
    'histogram_quantile(0.99, sum by (le) (rate(request_duration_seconds_bucket[5m])))',
    24,
    120,
    true,
  )
  range('24 h: regex', 'sum(rate(http_requests_total{code=~"4..|5..",instance=~"host-[0-4].*"}[5m]))', 24, 120)
  add('label values', 'label/pod/values', {})
  add('series of a namespace', 'series', {
    'match[]': 'pod_requests_total{namespace="ns-3"}',
    start: String(endS - HOUR_S),
    end: String(endS),
  })
  return out
}
