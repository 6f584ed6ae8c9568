/** The exposition formats: text 0.0.4 and OpenMetrics 1.0 on bytes, read and written. */
export type { FamilyType, Metric, MetricFamily } from './family.ts'
export { counter, formatGoFloat, gauge, histogramLines, metricTypeOf, summaryLines } from './family.ts'
