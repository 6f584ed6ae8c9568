/** The Alertmanager's side: alerts as it sees them, what mutes each, and its silences. */
import { useState } from 'preact/hooks'
import { callAlertmanager } from '../api/client.ts'
import type { NotifiedAlert, Silence } from '../api/types.ts'
import { formatAge } from '../logic/duration.ts'
import { plural } from '../logic/format.ts'
import { formatSeries } from '../logic/labels.ts'
import { draftsOf, draftsOfLabels, formatMatcher, type MatcherDraft } from '../logic/silence.ts'
import { formatTime } from '../logic/time.ts'
import { SeriesName } from '../query/series-name.tsx'
import { useSettings } from '../state/settings.ts'
import { useApi } from '../state/use-api.ts'
import { Ago, type Column, instant, List, ListFailure, State } from './list-page.tsx'
import { SilenceForm } from './silence-form.tsx'

/** What the form starts from; `round` tells one opening from the next. */
type FormStart = { readonly matchers: readonly MatcherDraft[]; readonly comment: string; readonly round: number }

export function Notifications({ tick }: { readonly tick: number }) {
  const [writes, setWrites] = useState(0)
  const round = tick + writes
  const alerts = useApi<readonly NotifiedAlert[]>('alerts', round, (signal) => callAlertmanager('alerts', { signal }))
  const silences = useApi<readonly Silence[]>('silences', round, (signal) => callAlertmanager('silences', { signal }))
  const [form, setForm] = useState<FormStart | null>(null)
  const open = (matchers: readonly MatcherDraft[], comment = ''): void =>
    setForm((old) => ({ matchers, comment, round: (old?.round ?? 0) + 1 }))
  return (
    <>
      <ListFailure failure={alerts.failure} what="Alertmanager" />
      <NotifiedAlerts
        loaded={alerts}
        silences={silences.answer?.data ?? []}
        onSilence={({ labels }) => open(draftsOfLabels(labels))}
      />
      {form && (
        <SilenceForm
          key={form.round}
          start={form}
          onClose={() => setForm(null)}
          onSaved={() => {
            setForm(null)
            setWrites((count) => count + 1)
          }}
        />
      )}
      <ListFailure failure={silences.failure} what="silences" />
      <Silences
        loaded={silences}
        alerts={alerts.answer?.data ?? []}
        onNew={() => open([{ name: 'alertname', op: '=', value: '' }])}
        onCopy={({ matchers, comment }) => open(draftsOf(matchers), comment)}
        onChanged={() => setWrites((count) => count + 1)}
      />
    </>
  )
}

type AlertsProps = {
  readonly loaded: ReturnType<typeof useApi<readonly NotifiedAlert[]>>
  readonly silences: readonly Silence[]
  readonly onSilence: (alert: NotifiedAlert) => void
}

function NotifiedAlerts({ loaded, silences, onSilence }: AlertsProps) {
  const { settings } = useSettings()
  const alerts = loaded.answer?.data ?? []
  const muted = alerts.filter(({ status }) => status.state === 'suppressed').length
  const columns: readonly Column<NotifiedAlert>[] = [
    {
      title: 'State',
      text: mutedWord,
      cell: (alert) => <State state={mutedWord(alert)} kind={mutedWord(alert) === 'active' ? 'crit' : 'unknown'} />,
    },
    {
      title: 'Alert',
      text: ({ labels }) => labels['alertname'] ?? '',
      cell: ({ labels }) => <strong>{labels['alertname'] ?? ''}</strong>,
    },
    {
      title: 'Labels',
      class: 'series',
      text: ({ labels }) => formatSeries(labels),
      cell: ({ labels: { alertname: _, ...rest } }) => <SeriesName labels={rest} />,
    },
    {
      title: 'Since',
      text: ({ startsAt }) => instant(startsAt) ?? 0,
      cell: ({ startsAt }) => <Ago timeMs={instant(startsAt)} zone={settings.zone} />,
    },
    {
      title: 'Receivers',
      text: ({ receivers = [] }) => receivers.map(({ name }) => name).join(', '),
      cell: ({ receivers = [] }) => receivers.map(({ name }) => name).join(', '),
    },
    {
      title: 'Muted by',
      text: (alert) => mutedBy(alert, silences, alerts).join(' '),
      cell: (alert) => mutedBy(alert, silences, alerts).map((reason) => <div key={reason}>{reason}</div>),
    },
    {
      title: 'Action',
      cell: (alert) => (
        <button type="button" onClick={() => onSilence(alert)}>
          Silence…
        </button>
      ),
    },
  ]
  return (
    <List
      title="Alerts at the Alertmanager"
      loaded={loaded}
      items={alerts}
      columns={columns}
      none="The Alertmanager knows no firing alert."
      extra={muted > 0 && <span class="facts">{muted} muted</span>}
    />
  )
}

function mutedWord({ status }: NotifiedAlert): string {
  if ((status.silencedBy ?? []).length > 0) return 'silenced'
  if ((status.inhibitedBy ?? []).length > 0) return 'inhibited'
  return (status.mutedBy ?? []).length > 0 ? 'muted' : status.state
}

/** Each reason in words, the ids resolved where they are known. */
function mutedBy({ status }: NotifiedAlert, silences: readonly Silence[], alerts: readonly NotifiedAlert[]): string[] {
  return [
    ...(status.silencedBy ?? []).map((id) => {
      const silence = silences.find((each) => each.id === id)
      return silence ? `silence of ${silence.createdBy}: ${silence.comment}` : `silence ${id}`
    }),
    ...(status.inhibitedBy ?? []).map((id) => {
      const source = alerts.find(({ fingerprint }) => fingerprint === id)
      return `inhibited by ${source ? formatSeries(source.labels) : `alert ${id}`}`
    }),
    ...(status.mutedBy ?? []).map((name) => `time interval ${name}`),
  ]
}

type SilencesProps = {
  readonly loaded: ReturnType<typeof useApi<readonly Silence[]>>
  readonly alerts: readonly NotifiedAlert[]
  onNew(): void
  onCopy(silence: Silence): void
  onChanged(): void
}

function Silences({ loaded, alerts, onNew, onCopy, onChanged }: SilencesProps) {
  const { settings } = useSettings()
  const [showsExpired, setShowsExpired] = useState(false)
  const [problem, setProblem] = useState('')
  const all = loaded.answer?.data ?? []
  const shown = all.filter(({ status }) => showsExpired || status.state !== 'expired')
  const expire = async (id: string): Promise<void> => {
    try {
      await callAlertmanager(`silence/${encodeURIComponent(id)}`, { method: 'DELETE' })
      setProblem('')
    } catch (error) {
      setProblem((error as Error).message)
    }
    onChanged()
  }
  const columns: readonly Column<Silence>[] = [
    {
      title: 'State',
      text: ({ status }) => status.state,
      cell: ({ status }) => <State state={status.state} kind={status.state === 'active' ? 'good' : 'unknown'} />,
    },
    {
      title: 'Matchers',
      class: 'mono',
      text: ({ matchers }) => draftsOf(matchers).map(formatMatcher).join(', '),
      cell: ({ matchers }) => draftsOf(matchers).map(formatMatcher).join(', '),
    },
    {
      title: 'Silences now',
      class: 'number',
      text: (silence) => affected(silence, alerts),
      cell: (silence) => plural(affected(silence, alerts), 'alert'),
    },
    {
      title: 'Ends',
      text: ({ endsAt }) => instant(endsAt) ?? 0,
      cell: ({ endsAt }) => <Ends timeMs={instant(endsAt)} text={formatTime(Date.parse(endsAt), settings.zone)} />,
    },
    { title: 'By', text: ({ createdBy }) => createdBy, cell: ({ createdBy }) => createdBy },
    { title: 'Comment', class: 'wrap', text: ({ comment }) => comment, cell: ({ comment }) => comment },
    {
      title: 'Action',
      cell: (silence) => (
        <span class="actions">
          {silence.status.state !== 'expired' && (
            <button type="button" onClick={() => void expire(silence.id)}>
              Expire
            </button>
          )}
          <button type="button" onClick={() => onCopy(silence)}>
            {silence.status.state === 'expired' ? 'Recreate…' : 'Copy…'}
          </button>
        </span>
      ),
    },
  ]
  return (
    <List
      title="Silences"
      loaded={loaded}
      items={shown}
      total={all.length}
      columns={columns}
      none="Nothing is silenced."
      extra={
        <>
          <label class="check">
            <input
              type="checkbox"
              checked={showsExpired}
              onChange={(event) => setShowsExpired(event.currentTarget.checked)}
            />
            Expired ones
          </label>
          <button type="button" onClick={onNew}>
            New silence…
          </button>
        </>
      }
      head={
        problem !== '' && (
          <div class="message crit" role="alert">
            <strong>Not expired</strong> <span class="wrap">{problem}</span>
          </div>
        )
      }
    />
  )
}

function affected({ id }: Silence, alerts: readonly NotifiedAlert[]): number {
  return alerts.filter(({ status }) => (status.silencedBy ?? []).includes(id)).length
}

function Ends({ timeMs, text }: { readonly timeMs: number | null; readonly text: string }) {
  if (timeMs === null) return <>never</>
  const leftMs = timeMs - Date.now()
  return <time title={text}>{leftMs > 0 ? `in ${formatAge(leftMs)}` : `${formatAge(-leftMs)} ago`}</time>
}
