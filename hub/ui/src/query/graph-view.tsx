/** The range answer: time controls, the plot, its legend, and what the plot cannot show. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { askRange } from '../api/range.ts'
import type { Aligned, Grid, RangeAnswer } from '../logic/align.ts'
import { csv } from '../logic/csv.ts'
import { formatDuration } from '../logic/duration.ts'
import { formatCount, plural } from '../logic/format.ts'
import { commonLabels, formatSeries, seriesKey } from '../logic/labels.ts'
import { assignSlots } from '../logic/palette.ts'
import { formatTime } from '../logic/time.ts'
import { downloadText } from '../state/download.ts'
import { REFRESH_MS, useSettings } from '../state/settings.ts'
import { type PanelState, stepOf } from '../state/url-state.ts'
import { useApi } from '../state/use-api.ts'
import { Legend } from './legend.tsx'
import type { ViewProps } from './panel.tsx'
import { Plot } from './plot.tsx'
import { Start } from './start.tsx'
import { Annotations, Empty, Failure, LoadingBar } from './states.tsx'
import { EndInput, RangeInput, ResolutionInput } from './time-controls.tsx'

/** Lines drawn unless the reader asks for all. */
const MAX_LINES = 300

type Answer = { readonly grid: Grid; readonly range: RangeAnswer }

export function GraphView({ panel, tick, onChange, onRunning }: ViewProps) {
  const { expr, rangeMs, endMs } = panel
  const { settings } = useSettings()
  const stepMs = stepOf(panel)
  const isLive = REFRESH_MS[settings.refresh] > 0
  const [drawsAll, setDrawsAll] = useState(false)
  useEffect(() => setDrawsAll(false), [expr])
  const loaded = useApi<Answer>(expr === '' ? null : `${rangeMs} ${endMs} ${stepMs} ${expr}`, tick, async (signal) => {
    const grid = gridOf(panel, stepMs, isLive)
    const form = {
      query: expr,
      start: String(grid.startMs / 1000),
      end: String(grid.endMs / 1000),
      step: String(grid.stepMs / 1000),
    }
    const answer = await askRange(form, signal)
    return { ...answer, data: { grid, range: answer.data } }
  })
  const { answer, failure, isLoading, startedMs, cancel } = loaded
  useEffect(() => onRunning(isLoading ? cancel : null), [isLoading])

  const all = answer?.data.range.seriesCount ?? 0
  const aligned = useMemo(
    () => answer && answer.data.range.aligned(answer.data.grid, drawsAll ? Infinity : MAX_LINES),
    [answer, drawsAll],
  )

  return (
    <>
      <div class="controls">
        <RangeInput panel={panel} onChange={onChange} />
        <EndInput label="End time" panel={panel} onChange={onChange} />
        <ResolutionInput panel={panel} onChange={onChange} />
        <label class="check">
          <input
            type="checkbox"
            checked={panel.yMin === 0}
            onChange={(event) => onChange({ ...panel, yMin: event.currentTarget.checked ? 0 : null })}
          />
          From zero
        </label>
        <span class="facts">
          {answer &&
            `${plural(all, 'series', 'series')} · step ${formatDuration(answer.data.grid.stepMs)} · ${Math.round(answer.tookMs)} ms`}
        </span>
        <span class="spring" />
        {aligned && aligned.ys.length > 0 && (
          <button type="button" onClick={() => downloadText('graph.csv', csv(csvTable(aligned)), 'text/csv')}>
            CSV
          </button>
        )}
      </div>
      <LoadingBar startedMs={startedMs} />
      {failure && <Failure failure={failure} expr={expr} />}
      {answer && <Annotations warnings={answer.warnings} infos={answer.infos} />}
      {all > MAX_LINES && !drawsAll && (
        <div class="message info" role="status">
          Drawing {MAX_LINES} of {formatCount(all)} series. <code>topk(20, …)</code> finds the largest.{' '}
          <button type="button" onClick={() => setDrawsAll(true)}>
            Draw all
          </button>
        </div>
      )}
      {expr === '' && <Start onRun={(next) => onChange({ ...panel, expr: next })} />}
      {answer && all === 0 && <Empty expr={expr} startMs={answer.data.grid.startMs} endMs={answer.data.grid.endMs} />}
      {answer && aligned && all > 0 && (
        <Graph
          aligned={aligned}
          grid={answer.data.grid}
          panel={panel}
          isDimmed={isLoading}
          onZoom={(startMs, zoomEndMs) => {
            const second = zoomEndMs - startMs < 60_000 ? 1 : 1000
            const end = Math.round(zoomEndMs / second) * second
            onChange({ ...panel, rangeMs: Math.max(second, Math.round((end - startMs) / second) * second), endMs: end })
          }}
        />
      )}
    </>
  )
}

/** A live graph steps on multiples of its step, lest every refresh samples other instants and the lines flicker. */
function gridOf({ rangeMs, endMs }: PanelState, stepMs: number, isLive: boolean): Grid {
  if (endMs !== null) return { startMs: endMs - rangeMs, endMs, stepMs }
  const unit = isLive ? stepMs : Math.min(stepMs, 1000)
  const end = Math.floor(Date.now() / unit) * unit
  return { startMs: end - Math.floor(rangeMs / stepMs) * stepMs, endMs: end, stepMs }
}

type GraphProps = {
  readonly aligned: Aligned
  readonly grid: Grid
  readonly panel: PanelState
  readonly isDimmed: boolean
  readonly onZoom: (startMs: number, endMs: number) => void
}

function Graph({ aligned, grid, panel, isDimmed, onZoom }: GraphProps) {
  const slots = useMemo(() => assignSlots(aligned.labels), [aligned])
  const keys = useMemo(() => aligned.labels.map(seriesKey), [aligned])
  const common = useMemo(() => commonLabels(aligned.labels), [aligned])
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set())
  const highlight = useRef<((index: number | null) => void) | null>(null)
  const notes = [
    aligned.undrawable > 0 && `${plural(aligned.undrawable, 'value')} NaN or infinite, not drawn`,
    aligned.histograms > 0 &&
      `${plural(aligned.histograms, 'series', 'series')} of native histograms, not drawn: try histogram_quantile()`,
  ].filter((note) => note !== false)
  return (
    <>
      <Plot
        aligned={aligned}
        grid={grid}
        slots={slots}
        keys={keys}
        common={common}
        hidden={hidden}
        yMin={panel.yMin}
        isDimmed={isDimmed}
        onZoom={onZoom}
        highlight={highlight}
      />
      {notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      <Legend
        aligned={aligned}
        slots={slots}
        keys={keys}
        common={common}
        hidden={hidden}
        onHide={setHidden}
        onPoint={(index) => highlight.current?.(index)}
      />
    </>
  )
}

/** Steps down, series across; a gap is an empty cell. */
function csvTable({ xs, ys, labels }: Aligned): string[][] {
  return [
    ['time', ...labels.map(formatSeries)],
    ...xs.map((seconds, step) => [
      `${formatTime(Math.round(seconds * 1000), 'utc').replace(' ', 'T')}Z`,
      ...ys.map((row) => (row[step] === null ? '' : String(row[step]))),
    ]),
  ]
}
