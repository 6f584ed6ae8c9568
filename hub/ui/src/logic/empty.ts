/** Why an answer is empty: what to ask the server, and what its answers mean. */
import { formatLabelName, quote } from './labels.ts'

export type Matcher = { readonly type: string; readonly name: string; readonly value: string }
export type Selector = { readonly name: string; readonly matchers: readonly Matcher[] }

/** Vector selectors of a syntax tree of /api/v1/parse_query, each once. */
export function selectorsOf(tree: unknown): Selector[] {
  const found = new Map<string, Selector>()
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const item of node) visit(item)
    else if (node !== null && typeof node === 'object') {
      const { type, matchers } = node as { type?: unknown; matchers?: unknown }
      if ((type === 'vectorSelector' || type === 'matrixSelector') && Array.isArray(matchers)) {
        const list = matchers.filter(isMatcher)
        const name = list.find((m) => m.name === '__name__' && m.type === '=')?.value ?? ''
        const selector = { name, matchers: list.filter((m) => m.name !== '__name__' || m.type !== '=') }
        found.set(formatSelector(selector), selector)
      } else for (const value of Object.values(node)) visit(value)
    }
  }
  visit(tree)
  return [...found.values()]
}

function isMatcher(value: unknown): value is Matcher {
  const matcher = value as Partial<Matcher> | null
  return [matcher?.type, matcher?.name, matcher?.value].every((part) => typeof part === 'string')
}

export function formatSelector({ name, matchers }: Selector): string {
  const pairs = matchers.map((m) => `${formatLabelName(m.name)}${m.type}${quote(m.value)}`)
  const isPlain = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)
  if (name !== '' && !isPlain) pairs.unshift(quote(name))
  if (pairs.length === 0) return name === '' ? '{}' : name
  return `${isPlain ? name : ''}{${pairs.join(', ')}}`
}

/** Names that the wanted one may be a slip of, nearest first. */
export function nearestNames(wanted: string, names: readonly string[], count = 5): string[] {
  const limit = Math.max(2, Math.floor(wanted.length / 4))
  return names
    .map((name) => ({ name, distance: name.includes(wanted) ? 1 : editDistance(wanted, name, limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || a.name.length - b.name.length || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name)
}

/** Levenshtein, given up above `limit` (then limit + 1). */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    let best = i
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const value = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost)
      row.push(value)
      if (value < best) best = value
    }
    if (best > limit) return limit + 1
    previous = row
  }
  return previous[b.length]!
}
