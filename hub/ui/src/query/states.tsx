/** What a panel says besides its data: loading, empty and why, failed and where, partial. */
import { useEffect, useState } from 'preact/hooks'
import { type ApiFailure, callApi } from '../api/client.ts'
import { formatSelector, nearestNames, type Selector, selectorsOf } from '../logic/empty.ts'
import { errorPosition } from '../logic/error-position.ts'
import type { LabelSet } from '../logic/labels.ts'

/** A thin bar after 200 ms (by the style sheet), the elapsed time after two seconds. */
export function LoadingBar({ startedMs }: { readonly startedMs: number }) {
  const [seconds, setSeconds] = useState(0)
  useEffect(() => {
    setSeconds(0)
    if (startedMs === 0) return
    const timer = setInterval(() => setSeconds(Math.floor((performance.now() - startedMs) / 1000)), 500)
    return () => clearInterval(timer)
  }, [startedMs])
  if (startedMs === 0) return null
  return (
    <div class="loading" role="progressbar" aria-label="Query is running">
      {seconds >= 2 && <span class="loading-time">{seconds} s</span>}
    </div>
  )
}

export function Failure({ failure, expr }: { readonly failure: ApiFailure; readonly expr: string }) {
  if (failure.kind === 'canceled') return <p class="note">Canceled. Run asks again.</p>
  const at = errorPosition(failure.message, expr)
  return (
    <div class="message crit" role="alert">
      <strong>Error</strong> <span class="tag">{failure.kind}</span> <span class="wrap">{failure.message}</span>
      {at && (
        <pre class="position">
          {at.line}
          {'\n'}
          {' '.repeat(at.column - 1)}^ line {at.lineNumber}, column {at.column}
        </pre>
      )}
    </div>
  )
}

export function Annotations({
  warnings,
  infos,
}: {
  readonly warnings: readonly string[]
  readonly infos: readonly string[]
}) {
  if (warnings.length + infos.length === 0) return null
  return (
    <div role="status">
      {warnings.map((text) => (
        <div key={text} class="message warn">
          <strong>Warning</strong> <span class="wrap">{text}</span>
        </div>
      ))}
      {infos.map((text) => (
        <div key={text} class="message info">
          <strong>Info</strong> <span class="wrap">{text}</span>
        </div>
      ))}
    </div>
  )
}

const MAX_SELECTORS = 5

/** An empty answer, and what the server says about each of its selectors in that range. */
export function Empty({
  expr,
  startMs,
  endMs,
}: {
  readonly expr: string
  readonly startMs: number
  readonly endMs: number
}) {
  const [reasons, setReasons] = useState<readonly string[]>([])
  useEffect(() => {
    const controller = new AbortController()
    setReasons([])
    explain(expr, { start: String(startMs / 1000), end: String(endMs / 1000) }, controller.signal).then(
      setReasons,
      // The reason is an extra: without it the plain statement stands.
      () => {},
    )
    return () => controller.abort()
  }, [expr, startMs, endMs])
  return (
    <div class="empty" role="status">
      <strong>Empty answer</strong>
      {reasons.length === 0 ? (
        <p>The expression is valid and has no result here.</p>
      ) : (
        <ul>
          {reasons.map((reason) => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
    </div>
  )
}

async function explain(expr: string, range: { start: string; end: string }, signal: AbortSignal): Promise<string[]> {
  const { data } = await callApi<unknown>('parse_query', { form: { query: expr }, signal })
  const reasons: string[] = []
  for (const selector of selectorsOf(data).slice(0, MAX_SELECTORS))
    reasons.push(await reasonOf(selector, range, signal))
  return reasons
}

async function reasonOf(
  selector: Selector,
  range: { start: string; end: string },
  signal: AbortSignal,
): Promise<string> {
  const exists = async (what: Selector): Promise<boolean> => {
    const form = { 'match[]': formatSelector(what), limit: '1', ...range }
    return (await callApi<readonly LabelSet[]>('series', { form, signal })).data.length > 0
  }
  const text = formatSelector(selector)
  if (await exists(selector)) return `${text} has series in this range, but no value where the expression looks.`
  if (selector.name === '') return `No series matches ${text} in this range.`
  const bare = { name: selector.name, matchers: [] }
  if (selector.matchers.length > 0 && (await exists(bare))) {
    for (const matcher of selector.matchers) {
      const alone = { name: selector.name, matchers: [matcher] }
      if (selector.matchers.length > 1 && !(await exists(alone)))
        return `${selector.name} exists, but ${formatSelector({ name: '', matchers: [matcher] })} matches none of it.`
    }
    return `${selector.name} exists, but no series of it matches ${formatSelector({ name: '', matchers: selector.matchers })}.`
  }
  const { data: names } = await callApi<readonly string[]>('label/__name__/values', { signal })
  if (names.includes(selector.name)) return `${selector.name} exists, but has no series in this range.`
  const near = nearestNames(selector.name, names)
  return `No metric is named ${selector.name}${near.length > 0 ? `. Near it: ${near.join(', ')}` : ''}.`
}
