/** What integrations do with the values of their configuration. */
import { createHash } from 'node:crypto'
import type { Values } from '../config/mod.ts'
import { readRendered } from './rendered.ts'

export type { Values } from '../config/mod.ts'

/** What an empty or absent one is, too, is the caller's to say. */
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

/** At most so many bytes of UTF-8, the last three a `…`. */
export function shortenedBytes(value: string, maxBytes: number): string {
  const bytes = Buffer.from(value)
  if (bytes.length <= maxBytes) return value
  let end = maxBytes - 3
  // Not within a character: its later bytes are 0b10xxxxxx.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return `${bytes.subarray(0, end).toString()}…`
}

/** Every string in plain data expanded, and read as what it is then. Semantics: Alertmanager template.DeepCopyWithTemplate. */
export function expandedTree(value: unknown, expand: (text: string) => string): unknown {
  if (typeof value === 'string') return readRendered(expand(value))
  if (Array.isArray(value)) return value.map((item) => expandedTree(item, expand))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [expand(name), expandedTree(item, expand)]))
}

/** Without what is empty. */
export function filled(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== ''))
}
