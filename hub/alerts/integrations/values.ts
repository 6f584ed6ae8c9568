/** What integrations do with the values of their configuration. */
import { createHash } from 'node:crypto'
import type { Values } from '../config/mod.ts'

export function text(values: Values, name: string, fallback = ''): string {
  const value = values[name]
  return typeof value === 'string' && value !== '' ? value : fallback
}

/** For services with a limit for identifiers. Semantics: Alertmanager notify/util.go, Key.Hash. */
export function groupDigest(groupKey: string): string {
  return createHash('sha256').update(groupKey).digest('hex')
}

/** At most so many characters, the last one a `…`. */
export function shortened(value: string, max: number): string {
  const chars = [...value]
  return chars.length <= max ? value : `${chars.slice(0, max - 1).join('')}…`
}
