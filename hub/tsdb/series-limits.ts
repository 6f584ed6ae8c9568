/** Whether a new series would exceed a limit, and which. */
import { type Labels, labelValue } from '../../protocol/labels/mod.ts'
import type { HeadOptions, SeriesLimit } from './head-contract.ts'
import type { SeriesIndex } from './series-index.ts'

const JOB = 'job'

export function exceededLimit(labels: Labels, limits: Required<HeadOptions>, index: SeriesIndex): SeriesLimit | null {
  if (labels.length > 2 * limits.maxLabelsPerSeries) return 'labels_per_series'
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i]!.length > limits.maxLabelNameLength) return 'label_name_length'
    if (labels[i + 1]!.length > limits.maxLabelValueLength) return 'label_value_length'
  }
  const { live } = index
  if (live >= limits.maxSeries) return 'series'
  // No job can have more than all have.
  if (live < limits.maxSeriesPerJob || index.liveWith(JOB, labelValue(labels, JOB)) < limits.maxSeriesPerJob)
    return null
  return 'series_per_job'
}
