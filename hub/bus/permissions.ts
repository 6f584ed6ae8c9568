/** What one identity may publish and subscribe to: allow lists of patterns, compiled once per connection. */
import { isSubset, toWire } from './subjects.ts'

export interface Permissions {
  mayPublish(subject: string): boolean
  /** The whole pattern must lie within one allowed pattern. */
  maySubscribe(pattern: string): boolean
}

/** Decisions are remembered for this many subjects of each kind. */
const MAX_REMEMBERED = 256

export function compilePermissions(lists: {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
}): Permissions {
  return { mayPublish: compileList(lists.publish), maySubscribe: compileList(lists.subscribe) }
}

export const ALL_PERMITTED: Permissions = { mayPublish: () => true, maySubscribe: () => true }

function compileList(patterns: readonly string[]): (subject: string) => boolean {
  const allowed = patterns.map((pattern) => toWire(pattern).split('.'))
  const remembered = new Map<string, boolean>()
  return (subject) => {
    const known = remembered.get(subject)
    if (known !== undefined) return known
    const tokens = subject.split('.')
    const verdict = allowed.some((pattern) => isSubset(tokens, pattern))
    if (remembered.size >= MAX_REMEMBERED) remembered.clear()
    remembered.set(subject, verdict)
    return verdict
  }
}
