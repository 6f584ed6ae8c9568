/** The form of a silence: matchers, how long, who and why, and which alerts it would take right now. */
import { useState } from 'preact/hooks'
import { callAlertmanager } from '../api/client.ts'
import type { NotifiedAlert } from '../api/types.ts'
import { parseDuration } from '../logic/duration.ts'
import { plural } from '../logic/format.ts'
import { formatSeries } from '../logic/labels.ts'
import {
  draftProblem,
  formatMatcher,
  MATCH_OPS,
  type MatcherDraft,
  type MatchOp,
  matchersOf,
} from '../logic/silence.ts'
import { storage } from '../state/settings.ts'
import { useApi } from '../state/use-api.ts'

const CREATOR_KEY = 'heliograph.creator'
/** Alerts named in the preview. */
const MAX_NAMED = 5

type Props = {
  readonly start: { readonly matchers: readonly MatcherDraft[]; readonly comment: string }
  onClose(): void
  onSaved(): void
}

export function SilenceForm({ start, onClose, onSaved }: Props) {
  const [matchers, setMatchers] = useState(start.matchers)
  const [duration, setDuration] = useState('2h')
  const [createdBy, setCreatedBy] = useState(storage.getItem(CREATOR_KEY) ?? '')
  const [comment, setComment] = useState(start.comment)
  const [failure, setFailure] = useState('')
  const [isSaving, setIsSaving] = useState(false)
  const durationMs = parseDuration(duration)
  const problem = draftProblem({ matchers, durationMs, createdBy, comment })

  const save = async (): Promise<void> => {
    if (problem !== null || durationMs === null || isSaving) return
    setIsSaving(true)
    try {
      storage.setItem(CREATOR_KEY, createdBy.trim())
    } catch {
      // Not kept for the next silence.
    }
    const startMs = Date.now()
    const body = {
      matchers: matchersOf(matchers),
      startsAt: new Date(startMs).toISOString(),
      endsAt: new Date(startMs + durationMs).toISOString(),
      createdBy: createdBy.trim(),
      comment: comment.trim(),
    }
    try {
      await callAlertmanager('silences', { method: 'POST', body })
      onSaved()
    } catch (error) {
      setFailure((error as Error).message)
      setIsSaving(false)
    }
  }
  return (
    <section class="panel list" aria-label="New silence">
      <div class="tools">
        <h2>New silence</h2>
        <span class="spring" />
        <button type="button" onClick={onClose}>
          Close
        </button>
      </div>
      <MatcherRows matchers={matchers} onChange={setMatchers} />
      <div class="tools">
        <Field label="Lasts" value={duration} onChange={setDuration} isNarrow />
        <Field label="Created by" value={createdBy} onChange={setCreatedBy} />
        <Field label="Comment" value={comment} onChange={setComment} />
        <button type="button" class="primary" disabled={problem !== null || isSaving} onClick={() => void save()}>
          Create silence
        </button>
        <span class="facts" role="status">
          {problem}
        </span>
      </div>
      {failure !== '' && (
        <div class="message crit" role="alert">
          <strong>Not created</strong> <span class="wrap">{failure}</span>
        </div>
      )}
      <Preview matchers={matchers} />
    </section>
  )
}

type FieldProps = {
  readonly label: string
  readonly value: string
  readonly isNarrow?: boolean
  onChange(value: string): void
}

function Field({ label, value, isNarrow = false, onChange }: FieldProps) {
  return (
    <label class="setting-inline">
      {label}{' '}
      <input
        type="text"
        class={isNarrow ? 'narrow' : 'wide'}
        value={value}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
    </label>
  )
}

type RowsProps = {
  readonly matchers: readonly MatcherDraft[]
  onChange(matchers: readonly MatcherDraft[]): void
}

function MatcherRows({ matchers, onChange }: RowsProps) {
  const change = (at: number, part: Partial<MatcherDraft>): void =>
    onChange(matchers.map((each, index) => (index === at ? { ...each, ...part } : each)))
  return (
    <>
      {matchers.map(({ name, op, value }, at) => (
        <div key={at} class="matcher">
          <input
            type="text"
            class="wide"
            aria-label={`Label ${at + 1}`}
            value={name}
            onInput={(event) => change(at, { name: event.currentTarget.value })}
          />
          <select
            aria-label={`Operator ${at + 1}`}
            value={op}
            onChange={(event) => change(at, { op: event.currentTarget.value as MatchOp })}
          >
            {MATCH_OPS.map((each) => (
              <option key={each}>{each}</option>
            ))}
          </select>
          <input
            type="text"
            class="wide"
            aria-label={`Value ${at + 1}`}
            value={value}
            onInput={(event) => change(at, { value: event.currentTarget.value })}
          />
          <button
            type="button"
            aria-label={`Remove matcher ${at + 1}`}
            onClick={() => onChange(matchers.filter((_, index) => index !== at))}
          >
            Remove
          </button>
        </div>
      ))}
      <button type="button" onClick={() => onChange([...matchers, { name: '', op: '=', value: '' }])}>
        + Matcher
      </button>
    </>
  )
}

/** The server says which alerts match: its regular expressions are not the browser's. */
function Preview({ matchers }: { readonly matchers: readonly MatcherDraft[] }) {
  const named = matchers.filter(({ name }) => name.trim() !== '')
  const filter = new URLSearchParams(
    named.map((each) => ['filter', formatMatcher({ ...each, name: each.name.trim() })]),
  )
  const key = named.length === 0 ? null : filter.toString()
  const { answer, failure } = useApi<readonly NotifiedAlert[]>(key, 0, (signal) =>
    callAlertmanager(`alerts?${filter}`, { signal }),
  )
  if (failure && failure.kind !== 'canceled')
    return (
      <p class="note" role="status">
        The matchers cannot be tried: {failure.message}
      </p>
    )
  if (!answer || key === null) return null
  const alerts = answer.data
  const shown = alerts.slice(0, MAX_NAMED)
  return (
    <div class="note" role="status">
      Matches {plural(alerts.length, 'alert')} now
      {shown.length < alerts.length && `, showing ${shown.length} of ${alerts.length}`}
      {shown.map(({ fingerprint, labels }) => (
        <div key={fingerprint} class="mono wrap">
          {formatSeries(labels)}
        </div>
      ))}
    </div>
  )
}
