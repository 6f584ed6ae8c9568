/** Options of evaluation in tests and benches: upstream's defaults, with a limit of samples that none meets by chance. */
import type { EngineOptions } from '../../contract.ts'

export const ENGINE_OPTIONS: EngineOptions = {
  lookbackMs: 300_000,
  defaultSubqueryStepMs: 60_000,
  maxSamples: 50_000_000,
  delayedNameRemoval: false,
  useStartTimestamps: false,
  typeAndUnitLabels: false,
  interrupted: () => null,
}
