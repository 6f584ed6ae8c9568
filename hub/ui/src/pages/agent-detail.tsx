/** One agent: what is missing of it and why, and what its own ring says when it is asked. */
import { useState } from 'preact/hooks'
import { callApi } from '../api/client.ts'
import type { Agent, Gap, GapsData, InstantData } from '../api/types.ts'
import { formatAge, formatDuration } from '../logic/duration.ts'
import { formatCount, plural } from '../logic/format.ts'
import { type GapKind, gapLengthMs, gapReason, gapStripes, missedSlots } from '../logic/gaps.ts'
import { rowsOf } from '../logic/rows.ts'
import { formatTime } from '../logic/time.ts'
import { Failure, LoadingBar } from '../query/states.tsx'
import { RowTable } from '../query/table-view.tsx'
import { useSettings } from '../state/settings.ts'
import { useApi } from '../state/use-api.ts'
import { type Column, List, ListFailure, State } from './list-page.tsx'

const SPANS = { 'last hour': 3_600_000, 'last 24 h': 86_400_000, 'last 7 d': 7 * 86_400_000 } as const
type Span = keyof typeof SPANS

type Ledger = { readonly gaps: readonly Gap[]; readonly startMs: number; readonly endMs: number }

export function AgentDetail({ agent, tick }: { readonly agent: Agent; readonly tick: number }) {
  return (
    <>
      <Gaps agent={agent.agent} tick={tick} />
      {agent.status === 'approved' && <Ring agent={agent.agent} />}
    </>
  )
}

function Gaps({ agent, tick }: { readonly agent: string; readonly tick: number }) {
  const { settings } = useSettings()
  const [span, setSpan] = useState<Span>('last 24 h')
  const loaded = useApi<Ledger>(`${agent} ${span}`, tick, async (signal) => {
    const endMs = Date.now()
    const startMs = endMs - SPANS[span]
    const range = `start=${startMs / 1000}&end=${endMs / 1000}`
    const answer = await callApi<GapsData>(`agents/${encodeURIComponent(agent)}/gaps?${range}`, { signal })
    return { ...answer, data: { gaps: answer.data.gaps ?? [], startMs, endMs } }
  })
  const ledger = loaded.answer?.data
  const columns: readonly Column<Gap>[] = [
    { title: 'Target', class: 'mono', text: ({ target }) => target, cell: ({ target }) => target },
    {
      title: 'From',
      class: 'time',
      text: ({ fromMs }) => fromMs,
      cell: ({ fromMs }) => formatTime(fromMs, settings.zone),
    },
    { title: 'To', class: 'time', text: ({ toMs }) => toMs, cell: ({ toMs }) => formatTime(toMs, settings.zone) },
    { title: 'Length', class: 'number', text: gapLengthMs, cell: (gap) => formatAge(gapLengthMs(gap)) },
    {
      title: 'Scrapes',
      class: 'number',
      text: (gap) => missedSlots(gap) ?? 0,
      cell: (gap) => {
        const missed = missedSlots(gap)
        return missed === null ? '–' : `${formatCount(missed)} of ${formatDuration(gap.intervalMs)}`
      },
    },
    {
      title: 'State',
      text: ({ reason }) => gapReason(reason).kind,
      cell: ({ reason }) => <State state={gapReason(reason).kind} />,
    },
    {
      title: 'Reason',
      text: ({ reason }) => `${reason} ${gapReason(reason).text}`,
      cell: ({ reason }) => (
        <>
          {gapReason(reason).text} <span class="tag">{reason}</span>
        </>
      ),
    },
  ]
  return (
    <>
      <ListFailure failure={loaded.failure} what={`gap ledger of ${agent}`} />
      <List
        title={`Gaps of ${agent}`}
        loaded={loaded}
        items={ledger?.gaps ?? []}
        columns={columns}
        none="No gap is known in this time."
        extra={
          <select
            aria-label="Time of the gaps"
            value={span}
            onChange={(event) => setSpan(event.currentTarget.value as Span)}
          >
            {Object.keys(SPANS).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        }
        head={ledger && <Strip ledger={ledger} />}
      />
    </>
  )
}

const STRIP_CELLS = 480

function Strip({ ledger: { gaps, startMs, endMs } }: { readonly ledger: Ledger }) {
  const { settings } = useSettings()
  const stripes = gapStripes(gaps, startMs, endMs, STRIP_CELLS)
  const counts = new Map<GapKind, number>()
  for (const { reason } of gaps) counts.set(gapReason(reason).kind, (counts.get(gapReason(reason).kind) ?? 0) + 1)
  const said = [...counts].map(([kind, count]) => `${plural(count, 'gap')} ${kind}`).join(', ')
  return (
    <figure class="strip">
      <svg viewBox="0 0 1 1" preserveAspectRatio="none" role="img" aria-label={said === '' ? 'No gap' : said}>
        <rect class="strip-ground" width="1" height="1" />
        {stripes.map(({ from, to, kind }) => (
          <rect key={from} class={`strip-${kind}`} x={from} width={to - from} height="1" />
        ))}
      </svg>
      <figcaption class="facts">
        <span>{formatTime(Math.floor(startMs / 1000) * 1000, settings.zone)}</span>
        <span>{said}</span>
        <span>{formatTime(Math.floor(endMs / 1000) * 1000, settings.zone)}</span>
      </figcaption>
    </figure>
  )
}

/** Asks the agent over the bus, for what has not come yet. */
function Ring({ agent }: { readonly agent: string }) {
  const [text, setText] = useState('up')
  const [asked, setAsked] = useState({ query: '', round: 0 })
  const loaded = useApi<InstantData>(asked.query === '' ? null : `${agent} ${asked.query}`, asked.round, (signal) =>
    callApi<InstantData>(`agents/${encodeURIComponent(agent)}/query`, { form: { query: asked.query }, signal }),
  )
  const rows = loaded.answer && rowsOf(loaded.answer.data)
  const ask = (): void => setAsked(({ round }) => ({ query: text.trim(), round: round + 1 }))
  return (
    <section class="panel list" aria-label={`Ring of ${agent}`}>
      <div class="tools">
        <h2>Ask its ring</h2>
        <input
          type="text"
          class="wide"
          aria-label="Selector"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
          onKeyDown={(event) => event.key === 'Enter' && ask()}
        />
        <button type="button" onClick={ask}>
          Ask
        </button>
        <span class="facts">a plain selector; answered by the agent itself, over the bus</span>
      </div>
      <LoadingBar startedMs={loaded.startedMs} />
      {loaded.failure && <Failure failure={loaded.failure} expr={asked.query} />}
      {rows && rows.length === 0 && <p class="empty">The ring holds no such series now.</p>}
      {rows && rows.length > 0 && <RowTable rows={rows} />}
    </section>
  )
}
