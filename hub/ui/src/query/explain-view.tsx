/**
 * How the query ran: its plan as a tree, where it was cut for the workers, and what each operator read and took. The
 * figures are those of one real run, made with `explain=1`.
 */
import { useEffect, useState } from 'preact/hooks'
import { callApi } from '../api/client.ts'
import { formatDuration } from '../logic/duration.ts'
import { formatCount, formatMs, plural } from '../logic/format.ts'
import { type Explained, type PlanNode, type PlanRow, planRows, readExplained } from '../logic/plan.ts'
import { formatTime } from '../logic/time.ts'
import { useSettings } from '../state/settings.ts'
import { type PanelState, stepOf } from '../state/url-state.ts'
import { useApi } from '../state/use-api.ts'
import { Facts } from './facts.tsx'
import { Measure } from './measure.tsx'
import type { ViewProps } from './panel.tsx'
import { Start } from './start.tsx'
import { Annotations, Failure, LoadingBar } from './states.tsx'
import { EndInput, RangeInput, ResolutionInput } from './time-controls.tsx'

/** Operators in the document at once; more by a button. */
const ROWS_STEP = 200
/** Workers named under a cut. */
const MAX_SHARDS = 8
/** Levels; deeper ones stand below each other, lest nothing of their text is left. */
const MAX_INDENT = 16

type RunStats = {
  readonly timings?: { readonly execQueueTime?: number; readonly execTotalTime?: number }
  readonly samples?: { readonly totalQueryableSamples?: number }
}
type Answer = {
  readonly explained: Explained | null
  readonly stats: RunStats
  readonly resultCount: number
  readonly when: { readonly startMs: number; readonly endMs: number; readonly stepMs: number } | { readonly ms: number }
}

export function ExplainView({ panel, tick, onChange, onRunning }: ViewProps) {
  const { expr, explains, endMs, rangeMs } = panel
  const stepMs = stepOf(panel)
  const key = `${explains} ${endMs} ${explains === 'range' ? `${rangeMs} ${stepMs}` : ''} ${expr}`
  const loaded = useApi<Answer>(expr === '' ? null : key, tick, (signal) => ask(panel, signal))
  const { answer, failure, isLoading, startedMs, cancel } = loaded
  useEffect(() => onRunning(isLoading ? cancel : null), [isLoading])
  const explained = answer?.data.explained

  return (
    <>
      <div class="controls">
        <label class="setting-inline">
          <span>Explain</span>{' '}
          <select
            value={explains}
            onChange={(event) =>
              onChange({ ...panel, explains: event.currentTarget.value === 'range' ? 'range' : 'instant' })
            }
          >
            <option value="instant">Instant query</option>
            <option value="range">Range query</option>
          </select>
        </label>
        {explains === 'range' && <RangeInput panel={panel} onChange={onChange} />}
        <EndInput label={explains === 'range' ? 'End time' : 'Evaluation time'} panel={panel} onChange={onChange} />
        {explains === 'range' && <ResolutionInput panel={panel} onChange={onChange} />}
      </div>
      <LoadingBar startedMs={startedMs} />
      {failure && <Failure failure={failure} expr={expr} />}
      {answer && <Annotations warnings={answer.warnings} infos={answer.infos} />}
      {expr === '' && <Start onRun={(next) => onChange({ ...panel, expr: next })} />}
      {answer && !explained && <p class="note">This server does not explain queries.</p>}
      {answer && explained && (
        <div class={isLoading ? 'dimmed' : ''}>
          <RunFacts answer={answer.data} tookMs={answer.tookMs} />
          {explained.plan === null ? (
            <p class="note">The server told no plan for this query.</p>
          ) : (
            <PlanTable
              plan={explained.plan}
              onOpen={(expression) => onChange({ ...panel, expr: expression, tab: 'table' })}
            />
          )}
        </div>
      )}
    </>
  )
}

async function ask(panel: PanelState, signal: AbortSignal) {
  const { expr, explains, rangeMs } = panel
  const endMs = panel.endMs ?? Math.floor(Date.now() / 1000) * 1000
  const common = { query: expr, explain: '1', stats: 'all' }
  const stepMs = stepOf(panel)
  const startMs = endMs - rangeMs
  const isRange = explains === 'range'
  const form = isRange
    ? { ...common, start: String(startMs / 1000), end: String(endMs / 1000), step: String(stepMs / 1000) }
    : { ...common, time: String(endMs / 1000) }
  const answer = await callApi<{ result?: unknown; resultType?: unknown; stats?: RunStats }>(
    isRange ? 'query_range' : 'query',
    { form, signal },
  )
  const { result, resultType, stats } = answer.data
  const isList = Array.isArray(result) && (resultType === 'vector' || resultType === 'matrix')
  const data: Answer = {
    explained: readExplained(answer.explain),
    stats: stats ?? {},
    resultCount: isList ? result.length : 1,
    when: isRange ? { startMs, endMs, stepMs } : { ms: endMs },
  }
  return { ...answer, data }
}

function RunFacts({ answer, tookMs }: { readonly answer: Answer; readonly tookMs: number }) {
  const { settings } = useSettings()
  const { explained, stats, resultCount, when } = answer
  const seconds = (value: number | undefined): string => (value === undefined ? '–' : formatMs(value * 1000))
  const samplesRead = stats.samples?.totalQueryableSamples
  const steps = 'ms' in when ? 1 : Math.floor((when.endMs - when.startMs) / when.stepMs) + 1
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['ran', placeOf(explained!.threads)],
    ['in the hub', seconds(stats.timings?.execTotalTime)],
    ['of it queued', seconds(stats.timings?.execQueueTime)],
    ['round trip', formatMs(tookMs)],
    ['samples read', samplesRead === undefined ? '–' : formatCount(samplesRead)],
    ['steps', 'ms' in when ? '1' : `${formatCount(steps)} of ${formatDuration(when.stepMs)}`],
    ['result', plural(resultCount, 'series', 'series')],
    ['at', formatTime('ms' in when ? when.ms : when.endMs, settings.zone)],
  ]
  return <Facts facts={facts} />
}

function placeOf(threads: number): string {
  if (threads === 0) return 'in place, no worker'
  return threads === 1 ? 'in 1 worker' : `split over ${threads} workers`
}

function PlanTable({ plan, onOpen }: { readonly plan: PlanNode; readonly onOpen: (expression: string) => void }) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set())
  const [limit, setLimit] = useState(ROWS_STEP)
  const rows = planRows(plan, closed)
  const shown = rows.slice(0, limit)
  const toggle = (id: string): void => {
    const next = new Set(closed)
    if (!next.delete(id)) next.add(id)
    setClosed(next)
  }
  return (
    <>
      <div class="scroll">
        <table class="rows plan" aria-label="Plan">
          <thead>
            <tr>
              <th scope="col">Operator</th>
              <th scope="col" class="number">
                Series
              </th>
              <th scope="col" class="number">
                Samples
              </th>
              <th scope="col" title="With what it reads; of what ran in workers, the slowest worker's">
                Time
              </th>
              <th scope="col" title="Without what it reads; of all workers together">
                Own time
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <PlanRows key={row.id} row={row} onToggle={() => toggle(row.id)} onOpen={onOpen} />
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < rows.length && (
        <div class="tools">
          <span class="facts" role="status">
            showing {formatCount(shown.length)} of {formatCount(rows.length)} operators
          </span>
          <button type="button" onClick={() => setLimit(limit + ROWS_STEP)}>
            Show {formatCount(Math.min(ROWS_STEP, rows.length - shown.length))} more
          </button>
        </div>
      )}
    </>
  )
}

type RowProps = { readonly row: PlanRow; readonly onToggle: () => void; readonly onOpen: (expression: string) => void }

function PlanRows({ row, onToggle, onOpen }: RowProps) {
  const { node, level, isOpen, selfShare, timeShare } = row
  const hasInputs = node.inputs.length > 0
  const indent = { paddingLeft: `${Math.min(level - 1, MAX_INDENT) * 18}px` }
  return (
    <>
      {node.isCut && (
        <tr class="cut">
          <td colSpan={5}>
            <div style={indent}>
              <span aria-hidden="true">✂</span> cut here: below runs in {plural(node.shards.length, 'worker')}, each
              over its share of the series <ShardFacts node={node} />
            </div>
          </td>
        </tr>
      )}
      <tr>
        <td>
          <div class="plan-operator" style={indent}>
            {hasInputs ? (
              <button
                type="button"
                class="fold"
                aria-expanded={isOpen}
                aria-label={`${isOpen ? 'Fold' : 'Unfold'} ${node.operator}`}
                onClick={onToggle}
              >
                {isOpen ? '▾' : '▸'}
              </button>
            ) : (
              <span class="fold" />
            )}
            <strong>
              <span class="offscreen">Level {level}: </span>
              {node.operator}
            </strong>
            {node.isConstant && (
              <span class="tag" title="The same at every step, so it is computed once">
                constant
              </span>
            )}
            <button
              type="button"
              class="link plan-expression"
              title={`${node.expression}\nOpen as a query`}
              onClick={() => onOpen(node.expression)}
            >
              {node.expression}
            </button>
          </div>
        </td>
        <td class="number">{formatCount(node.series)}</td>
        <td class="number">{formatCount(node.samples)}</td>
        <td>
          <Measure share={timeShare} text={formatMs(node.timeMs)} />
        </td>
        <td>
          <Measure share={selfShare} text={`${formatMs(node.selfMs)} · ${Math.round(selfShare * 100)} %`} isOwn />
        </td>
      </tr>
    </>
  )
}

function ShardFacts({ node }: { readonly node: PlanNode }) {
  const shown = node.shards.slice(0, MAX_SHARDS)
  return (
    <span class="facts">
      {shown.map(({ series, samples, timeMs }, at) => (
        <span key={at} title={`${formatCount(samples)} samples`}>
          {' '}
          · {at + 1}: {plural(series, 'series', 'series')} in {formatMs(timeMs)}
        </span>
      ))}
      {shown.length < node.shards.length && ` · showing ${shown.length} of ${node.shards.length} workers`}
    </span>
  )
}
