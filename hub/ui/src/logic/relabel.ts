/** What relabelling made of a target's labels, name by name. */
import type { LabelSet } from './labels.ts'

export type LabelChange = {
  readonly name: string
  readonly before: string | null
  readonly after: string | null
  /** `internal`: of discovery and scraping (`__…`), which never reach the samples. */
  readonly kind: 'kept' | 'changed' | 'added' | 'removed' | 'internal'
}

/** What the reader looks for comes first; within a kind by name. */
const ORDER: readonly LabelChange['kind'][] = ['changed', 'added', 'removed', 'kept', 'internal']

export function labelChanges(before: LabelSet, after: LabelSet): LabelChange[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
  return names
    .map((name) => {
      const [old, now] = [before[name] ?? null, after[name] ?? null]
      return { name, before: old, after: now, kind: kindOf(name, old, now) }
    })
    .sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind))
}

function kindOf(name: string, before: string | null, after: string | null): LabelChange['kind'] {
  if (before === null) return 'added'
  if (after === null) return name.startsWith('__') ? 'internal' : 'removed'
  return before === after ? 'kept' : 'changed'
}
