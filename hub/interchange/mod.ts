/** In and out by files: blocks of Prometheus, OpenMetrics text; what operators ask of a data directory at rest. */

export { type AnalyzeOptions, analyze } from './analyze.ts'
export { type DumpOptions, type DumpReport, dump } from './dump.ts'
export { type ExportOptions, exportPrometheus } from './export-prometheus.ts'
export { ImportLimitError } from './gathering.ts'
export { importOpenMetrics, OpenMetricsImportError, type OpenMetricsReport } from './import-openmetrics.ts'
export { type ImportReport, importPrometheus } from './import-prometheus.ts'
export { type HeadImportReport, importPrometheusHead } from './import-prometheus-head.ts'
export { type OpenedBlocks, openOwnBlocks } from './own-blocks.ts'
export { createProgress, dateOf, type Progress } from './progress.ts'
export { openPrometheusBlock, type PrometheusBlock } from './prometheus-block.ts'
export {
  type FoundBlock,
  looksLikePrometheus,
  type PrometheusDirectory,
  scanPrometheus,
} from './prometheus-directory.ts'
export { type RepairedBlock, repairBlock } from './repair.ts'
export { openStoredData, type StoredData } from './stored-data.ts'
export { type Finding, type VerifyReport, verifyData, verifyLog } from './verify.ts'
