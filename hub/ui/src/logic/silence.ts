/** Silences as the page writes and reads them. Semantics: Alertmanager API v2, silence matchers. */
import type { SilenceMatcher } from '../api/types.ts'
import { formatLabelName, type LabelSet, quote } from './labels.ts'

export const MATCH_OPS = ['=', '!=', '=~', '!~'] as const
export type MatchOp = (typeof MATCH_OPS)[number]

/** One row of the form. */
export type MatcherDraft = { readonly name: string; readonly op: MatchOp; readonly value: string }

export function opOf({ isRegex, isEqual = true }: SilenceMatcher): MatchOp {
  return isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!='
}

export function formatMatcher({ name, op, value }: MatcherDraft): string {
  return `${formatLabelName(name)}${op}${quote(value)}`
}

export function draftsOf(matchers: readonly SilenceMatcher[]): MatcherDraft[] {
  return matchers.map((matcher) => ({ name: matcher.name, op: opOf(matcher), value: matcher.value }))
}

/** Exactly this alert. */
export function draftsOfLabels(labels: LabelSet): MatcherDraft[] {
  return Object.entries(labels).map(([name, value]) => ({ name, op: '=', value }))
}

/** Rows without a name are not filled in yet. */
export function matchersOf(drafts: readonly MatcherDraft[]): SilenceMatcher[] {
  return drafts
    .filter(({ name }) => name.trim() !== '')
    .map(({ name, op, value }) => ({
      name: name.trim(),
      value,
      isRegex: op === '=~' || op === '!~',
      isEqual: op === '=' || op === '=~',
    }))
}

/** Why the form cannot be sent, in words; null when it can. */
export function draftProblem(draft: {
  readonly matchers: readonly MatcherDraft[]
  readonly durationMs: number | null
  readonly createdBy: string
  readonly comment: string
}): string | null {
  const named = draft.matchers.filter(({ name }) => name.trim() !== '')
  if (named.length === 0) return 'A matcher is needed, such as alertname = "…"'
  if (named.every(({ op, value }) => (op === '=' || op === '=~') && value === ''))
    return 'At least one matcher must not match the empty value, or everything would be silenced'
  if (draft.durationMs === null) return 'The duration must read like 2h or 1d12h'
  if (draft.createdBy.trim() === '') return 'Who creates the silence?'
  return draft.comment.trim() === '' ? 'A comment says why' : null
}
