/** The instant answer: a sortable table with a named limit, copied or saved whole. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { callApi } from '../api/client.ts'
import type { InstantData } from '../api/types.ts'
import { csv, tsv } from '../logic/csv.ts'
import { formatCount, plural } from '../logic/format.ts'
import { filterRows, type Row, rowsOf, type Sort, type SortBy, sortRows, tableOf } from '../logic/rows.ts'
import { formatTime } from '../logic/time.ts'
import { copyText, downloadText } from '../state/download.ts'
import { useSettings } from '../state/settings.ts'
import { useApi } from '../state/use-api.ts'
import type { ViewProps } from './panel.tsx'
import { SeriesName } from './series-name.tsx'
import { Start } from './start.tsx'
import { Annotations, Empty, Failure, LoadingBar } from './states.tsx'
import { EndInput } from './time-controls.tsx'

/** Rows in the document at once; more by a button. */
const ROWS_STEP = 500
/** Of a range of samples in one cell. */
const MAX_SAMPLES = 100
/** What an instant query looks back over, for the explanation of an empty answer. */
const LOOKBACK_MS = 300_000

type Answer = { readonly rows: readonly Row[]; readonly type: string; readonly timeMs: number }

export function TableView({ panel, tick, onChange, onRunning }: ViewProps) {
  const { expr, endMs } = panel
  const { settings } = useSettings()
  const loaded = useApi<Answer>(expr === '' ? null : `${endMs} ${expr}`, tick, async (signal) => {
    const timeMs = endMs ?? Math.floor(Date.now() / 1000) * 1000
    const form = { query: expr, time: String(timeMs / 1000) }
    const answer = await callApi<InstantData>('query', { form, signal })
    return { ...answer, data: { rows: rowsOf(answer.data), type: answer.data.resultType, timeMs } }
  })
  const { answer, failure, isLoading, startedMs, cancel } = loaded
  useEffect(() => onRunning(isLoading ? cancel : null), [isLoading])

  return (
    <>
      <div class="controls">
        <EndInput label="Evaluation time" panel={panel} onChange={onChange} />
        {answer && (
          <span class="facts">
            {plural(answer.data.rows.length, answer.data.type === 'vector' ? 'row' : `${answer.data.type} row`)} at{' '}
            {formatTime(answer.data.timeMs, settings.zone)} · {Math.round(answer.tookMs)} ms
          </span>
        )}
      </div>
      <LoadingBar startedMs={startedMs} />
      {failure && <Failure failure={failure} expr={expr} />}
      {answer && <Annotations warnings={answer.warnings} infos={answer.infos} />}
      {expr === '' && <Start onRun={(next) => onChange({ ...panel, expr: next })} />}
      {answer && answer.data.rows.length === 0 && (
        <Empty expr={expr} startMs={answer.data.timeMs - LOOKBACK_MS} endMs={answer.data.timeMs} />
      )}
      {answer && answer.data.rows.length > 0 && (
        <div class={isLoading ? 'dimmed' : ''}>
          <RowTable rows={answer.data.rows} />
        </div>
      )}
    </>
  )
}

const NEXT: Readonly<Record<'series' | 'value', readonly Sort[]>> = {
  series: [
    { by: 'series', isDescending: false },
    { by: 'series', isDescending: true },
  ],
  value: [
    { by: 'value', isDescending: true },
    { by: 'value', isDescending: false },
  ],
}
const UNSORTED: Sort = { by: 'answer', isDescending: false }

export function RowTable({ rows }: { readonly rows: readonly Row[] }) {
  const [sort, setSort] = useState<Sort>(UNSORTED)
  const [filter, setFilter] = useState('')
  const [limit, setLimit] = useState(ROWS_STEP)
  const [note, setNote] = useState('')
  const sorted = useMemo(() => sortRows(filterRows(rows, filter), sort), [rows, filter, sort])
  const shown = sorted.slice(0, limit)

  const header = (by: 'series' | 'value', title: string) => (
    <th scope="col" class={by} aria-sort={ariaSort(sort, by)}>
      <button type="button" onClick={() => setSort(following(sort, by))}>
        {title} <span aria-hidden="true">{sort.by !== by ? '↕' : sort.isDescending ? '↓' : '↑'}</span>
      </button>
    </th>
  )
  return (
    <>
      <div class="tools">
        <label class="field">
          <span class="offscreen">Filter rows</span>
          <input
            type="search"
            placeholder="Filter rows"
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </label>
        <span class="facts" role="status">
          {shown.length < rows.length && `showing ${formatCount(shown.length)} of ${formatCount(rows.length)}`}
        </span>
        <span class="spring" />
        <span class="facts" role="status">
          {note}
        </span>
        <button
          type="button"
          onClick={async () =>
            setNote((await copyText(tsv(tableOf(sorted)))) ? 'Copied' : 'The browser refused to copy')
          }
        >
          Copy
        </button>
        <button type="button" onClick={() => downloadText('query.csv', csv(tableOf(sorted)), 'text/csv')}>
          CSV
        </button>
      </div>
      <div class="scroll">
        <table class="rows">
          <thead>
            <tr>
              {header('series', 'Series')}
              {header('value', 'Value')}
            </tr>
          </thead>
          <tbody>
            {shown.map((row, index) => (
              <tr key={index}>
                <td class="series">
                  <SeriesName labels={row.labels} />
                </td>
                <td class="value">{cellText(row)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < sorted.length && (
        <button type="button" class="more" onClick={() => setLimit(limit + ROWS_STEP)}>
          Show {formatCount(Math.min(ROWS_STEP, sorted.length - shown.length))} more
        </button>
      )}
    </>
  )
}

/** The samples of one cell, with what the limit hides named. */
function cellText({ samples }: Row): string {
  const lines = samples
    .slice(0, MAX_SAMPLES)
    .map(({ text, seconds }) => (seconds === undefined ? text : `${text} @${seconds}`))
  if (samples.length > MAX_SAMPLES) lines.push(`… showing ${MAX_SAMPLES} of ${formatCount(samples.length)}`)
  return lines.join('\n')
}

function following(sort: Sort, by: 'series' | 'value'): Sort {
  const at = NEXT[by].findIndex((next) => next.by === sort.by && next.isDescending === sort.isDescending)
  return NEXT[by][at + 1] ?? UNSORTED
}

function ariaSort(sort: Sort, by: SortBy): 'ascending' | 'descending' | 'none' {
  return sort.by !== by ? 'none' : sort.isDescending ? 'descending' : 'ascending'
}
