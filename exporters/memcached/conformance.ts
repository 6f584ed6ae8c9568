/** The kit's memcached cases: captured answers of a server against the expected page, and the readings of values. */
import { type CaseResult, caseOf, comparePage, expectEqual } from '../cases.ts'
import { bySlab, parseStats } from './answers.ts'
import { memcachedFamilies } from './families.ts'

type Cases = {
  readonly acceptance: readonly string[]
  readonly settings: readonly { readonly input: Record<string, string>; readonly ok: boolean }[]
  readonly timeval: readonly { readonly input: string; readonly ok: boolean; readonly value?: number }[]
}

/** @param readText a file of `exporters/memcached` by its name */
export async function runMemcachedCases(readText: (name: string) => string): Promise<CaseResult[]> {
  const cases = JSON.parse(readText('metrics.json')) as Cases
  const answer = (name: string) => parseStats(name, readText(`${name}.txt`))
  const { families } = memcachedFamilies(
    answer('stats'),
    answer('stats-settings'),
    bySlab(answer('stats-items')),
    bySlab(answer('stats-slabs')),
  )
  const expected = readText('expected.metrics')
  const out = comparePage('expected.metrics', families, expected)
  const lines = new Set(expected.split('\n'))
  for (const line of cases.acceptance)
    out.push({ name: `acceptance: ${line}`, error: lines.has(line) ? null : 'not in expected.metrics' })
  const complete: Record<string, string> = { cmd_set: '0', cas_misses: '0', cas_hits: '0', cas_badval: '0' }
  for (const { input, ok } of cases.settings)
    out.push(
      await caseOf(`settings ${JSON.stringify(input)}`, () => {
        const { errors } = memcachedFamilies(new Map(Object.entries(complete)), entries(input), new Map(), new Map())
        expectEqual(errors.length === 0, ok)
      }),
    )
  for (const { input, ok, value } of cases.timeval)
    out.push(
      await caseOf(`timeval ${input}`, () => {
        const stats = entries({ ...complete, rusage_user: input })
        const page = memcachedFamilies(stats, new Map(), new Map(), new Map())
        const family = page.families.find(({ name }) => name === 'memcached_process_user_cpu_seconds_total')
        expectEqual([page.errors.length === 0, family?.metrics[0]?.value], [ok, ok ? value : undefined])
      }),
    )
  return out
}

const entries = (record: Record<string, string>): Map<string, string> => new Map(Object.entries(record))
