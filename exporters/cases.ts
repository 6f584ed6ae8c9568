/** Conformance of exporters: families against an expected page, line by line. */
import { formatExposition, type MetricFamily } from '../protocol/exposition/mod.ts'

export type CaseResult = { readonly name: string; readonly error: string | null }

/**
 * One case per expected line, and one per line too many. Values are compared as numbers (some pages of the kit spell
 * them in full), the order of families and series does not matter.
 */
export function comparePage(title: string, families: readonly MetricFamily[], expected: string): CaseResult[] {
  const linesOf = (text: string): string[] => text.split('\n').flatMap((line) => (line === '' ? [] : [plain(line)]))
  const got = linesOf(formatExposition(families))
  const want = linesOf(expected)
  const gotSet = new Set(got)
  const wantSet = new Set(want)
  const out = want.map((line) => ({ name: `${title}: ${line}`, error: gotSet.has(line) ? null : 'missing' }))
  for (const line of got) if (!wantSet.has(line)) out.push({ name: `${title}: ${line}`, error: 'unexpected' })
  if (got.length !== gotSet.size) out.push({ name: `${title}: no line twice`, error: 'a line stands there twice' })
  return out
}

const plain = (line: string): string =>
  line.startsWith('#') ? line : line.replace(/ ([-+.\de]+)$/, (_, value: string) => ` ${Number(value)}`)

/** Runs one case: what `check` throws is its error. */
export async function caseOf(name: string, check: () => void | Promise<void>): Promise<CaseResult> {
  try {
    await check()
    return { name, error: null }
  } catch (error) {
    return { name, error: (error as Error).message }
  }
}

/** `error` null when both have the same JSON text after sorting keys. */
export function expectEqual(got: unknown, want: unknown): void {
  const [a, b] = [stable(got), stable(want)]
  if (a !== b) throw new Error(`got ${a}, want ${b}`)
}

function stable(value: unknown): string {
  return JSON.stringify(value, (_, child) => {
    if (typeof child === 'number' && !Number.isFinite(child)) return formatNumber(child)
    if (child === null || typeof child !== 'object' || Array.isArray(child)) return child
    return Object.fromEntries(Object.entries(child).sort(([x], [y]) => (x < y ? -1 : 1)))
  })
}

const formatNumber = (value: number): string => (Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf')
