/** An instant answer as rows of a table. */
import type { HistogramValue, InstantData } from '../api/types.ts'
import { parseSample } from './format.ts'
import { formatSeries, type LabelSet } from './labels.ts'

export type Row = {
  readonly labels: LabelSet
  /** As the server wrote them; one of them has its own time only in a range of samples. */
  readonly samples: readonly { readonly text: string; readonly seconds?: number }[]
  /** To sort by; NaN for what is no number. */
  readonly order: number
  readonly seconds: number
}

export type SortBy = 'answer' | 'series' | 'value'
export type Sort = { readonly by: SortBy; readonly isDescending: boolean }

export function rowsOf(data: InstantData): Row[] {
  switch (data.resultType) {
    case 'scalar':
      return [
        {
          labels: {},
          samples: [{ text: data.result[1] }],
          order: parseSample(data.result[1]),
          seconds: data.result[0],
        },
      ]
    case 'string':
      return [{ labels: {}, samples: [{ text: data.result[1] }], order: NaN, seconds: data.result[0] }]
    case 'vector':
      return data.result.map(({ metric, value, histogram }) =>
        value
          ? { labels: metric, samples: [{ text: value[1] }], order: parseSample(value[1]), seconds: value[0] }
          : {
              labels: metric,
              samples: histogram ? [{ text: histogramText(histogram[1]) }] : [],
              order: parseSample(histogram?.[1].sum ?? 'NaN'),
              seconds: histogram?.[0] ?? 0,
            },
      )
    case 'matrix':
      return data.result.map(({ metric, values = [], histograms = [] }) => ({
        labels: metric,
        samples: [
          ...values.map(([seconds, text]) => ({ text, seconds })),
          ...histograms.map(([seconds, value]) => ({ text: histogramText(value), seconds })),
        ],
        order: parseSample(values.at(-1)?.[1] ?? 'NaN'),
        seconds: values.at(-1)?.[0] ?? histograms.at(-1)?.[0] ?? 0,
      }))
  }
}

const OPEN = ['(', '[', '(', '[']
const CLOSE = [']', ')', ')', ']']

function histogramText({ count, sum, buckets = [] }: HistogramValue): string {
  return [
    `count ${count}, sum ${sum}`,
    ...buckets.map(([rule, left, right, n]) => `${OPEN[rule] ?? '('}${left}, ${right}${CLOSE[rule] ?? ']'}: ${n}`),
  ].join('\n')
}

/** The server's order is kept until the reader asks for another: sort() and topk() mean something. */
export function sortRows(rows: readonly Row[], { by, isDescending }: Sort): readonly Row[] {
  if (by === 'answer') return rows
  const sign = isDescending ? -1 : 1
  if (by === 'value')
    // NaN sinks in both directions, as in Prometheus's sort().
    return [...rows].sort((a, b) =>
      Number.isNaN(a.order) || Number.isNaN(b.order)
        ? Number(Number.isNaN(a.order)) - Number(Number.isNaN(b.order))
        : sign * (a.order === b.order ? 0 : a.order < b.order ? -1 : 1),
    )
  return rows
    .map((row) => ({ row, key: formatSeries(row.labels) }))
    .sort((a, b) => sign * a.key.localeCompare(b.key, 'en', { numeric: true }))
    .map(({ row }) => row)
}

export function filterRows(rows: readonly Row[], text: string): readonly Row[] {
  const wanted = text.trim().toLowerCase()
  return wanted === '' ? rows : rows.filter(({ labels }) => formatSeries(labels).toLowerCase().includes(wanted))
}

/** With a column for every label, for CSV and the clipboard. */
export function tableOf(rows: readonly Row[]): string[][] {
  const names = [...new Set(rows.flatMap(({ labels }) => Object.keys(labels)))].sort()
  return [
    [...names, 'value', 'timestamp'],
    ...rows.flatMap(({ labels, samples, seconds }) =>
      samples.map((sample) => [
        ...names.map((name) => labels[name] ?? ''),
        sample.text,
        String(sample.seconds ?? seconds),
      ]),
    ),
  ]
}
