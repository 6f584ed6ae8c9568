/** The series notation of test scripts and rule unit tests, with its histogram literals. */
export { parseMetricLabels, parseSeriesDescription, type SeriesDescription } from './parse.ts'
export { printHistogram } from './print.ts'
export type { SequenceValue } from './values.ts'
