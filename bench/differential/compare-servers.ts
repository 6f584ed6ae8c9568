/** The same questions to two servers; what differs is explained or found. */
import assert from 'node:assert/strict'
import type { Server } from '../e2e/world.ts'
import { type Answer, difference } from './compare.ts'
import { explanation } from './explained.ts'

export type Question = {
  readonly path: string
  readonly params: Readonly<Record<string, string | readonly string[]>>
}

export type Tally = { asked: number; errors: number; empty: number; readonly explained: Map<string, number> }

const IN_FLIGHT = 4
/** The first differences tell most; the rest are counted. */
const SHOWN = 10

async function ask(server: Server, { path, params }: Question): Promise<Answer> {
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(params))
    for (const each of typeof value === 'string' ? [value] : value) form.append(name, each)
  const isQuery = path.startsWith('/api/v1/query')
  const response = isQuery
    ? await fetch(server.url + path, { method: 'POST', body: form })
    : await fetch(`${server.url}${path}?${form}`)
  return { httpStatus: response.status, ...((await response.json()) as Omit<Answer, 'httpStatus'>) }
}

/** Fails with the first differences that nothing explains. */
export async function compareAll(
  { hub, prometheus }: { readonly hub: Server; readonly prometheus: Server },
  questions: readonly Question[],
  seed: number,
): Promise<Tally> {
  const found: string[] = []
  const tally: Tally = { asked: 0, errors: 0, empty: 0, explained: new Map() }
  let next = 0
  const client = async (): Promise<void> => {
    while (next < questions.length) {
      const question = questions[next++]!
      const [ours, theirs] = await Promise.all([ask(hub, question), ask(prometheus, question)])
      tally.asked++
      if (theirs.status === 'error') tally.errors++
      if ((theirs.data as { result?: unknown[] } | undefined)?.result?.length === 0) tally.empty++
      const differs = difference(ours, theirs)
      if (differs === null) continue
      const query = String(question.params['query'] ?? '')
      const reason = explanation(
        { path: question.path, query, isRange: question.path.endsWith('query_range') },
        ours,
        theirs,
      )
      if (reason === null) found.push(`${question.path} ${JSON.stringify(question.params)}\n    ${differs}`)
      else tally.explained.set(reason, (tally.explained.get(reason) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, client))
  assert.equal(
    found.length,
    0,
    `seed ${seed}: ${found.length} answers differ, ours first:\n${found.slice(0, SHOWN).join('\n')}`,
  )
  return tally
}

export function report(t: { diagnostic(message: string): void }, { asked, errors, empty, explained }: Tally): void {
  t.diagnostic(`${asked} answers compared: ${errors} of them errors, ${empty} empty`)
  for (const [reason, count] of explained) t.diagnostic(`${count} explained: ${reason}`)
}
