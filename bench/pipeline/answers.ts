/**
 * Whether a system stored what it was given: of every family, the number of samples and the sum of their values, asked
 * over the HTTP API, against the fleet's own count. No figure is reported before this holds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { FleetTotals } from './fleet-client.ts'

export const JOB = 'fleet'
const RANGE = '1d'
const SETTLE_MS = 30_000
const TOLERANCE = 1e-9
const CONCURRENT = 4
const SHOWN = 5

/** Samples stored, those that the scrapes add included. @throws Error that says what differs */
export async function checkAnswers(name: string, baseUrl: string, given: FleetTotals): Promise<number> {
  await settled(name, baseUrl, given.answered)
  const wrong: string[] = []
  let stored = 0
  const expect = (what: string, got: number, wanted: number, tolerance = 0): void => {
    if (!(Math.abs(got - wanted) <= tolerance * Math.abs(wanted))) wrong.push(`${what}: ${got}, given were ${wanted}`)
  }
  const todo = [...given.families]
  const worker = async (): Promise<void> => {
    for (let family = todo.pop(); family; family = todo.pop()) {
      const { samples, sum } = family
      const count = await scalar(baseUrl, `sum(count_over_time(${family.name}{job="${JOB}"}[${RANGE}]))`)
      stored += count
      expect(`samples of ${family.name}`, count, samples)
      const total = await scalar(baseUrl, `sum(sum_over_time(${family.name}{job="${JOB}"}[${RANGE}]))`)
      expect(`sum of ${family.name}`, total, sum, TOLERANCE)
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, worker))
  const scraped = await scalar(baseUrl, `sum(sum_over_time(scrape_samples_scraped{job="${JOB}"}[${RANGE}]))`)
  expect('sum of scrape_samples_scraped', scraped, given.samples)
  const reports = [
    'up',
    'scrape_duration_seconds',
    'scrape_samples_scraped',
    'scrape_samples_post_metric_relabeling',
    'scrape_series_added',
  ]
  const counts = await Promise.all(
    reports.map((each) => scalar(baseUrl, `sum(count_over_time(${each}{job="${JOB}"}[${RANGE}]))`)),
  )
  stored += counts.reduce((a, b) => a + b, 0)
  // Scrapes go on while the fleet gives nothing out: they leave reports, too.
  if (Math.min(...counts) < given.answered + given.refused) wrong.push(`reports of scrapes: ${counts.join(', ')}`)
  if (wrong.length > 0)
    throw new Error(
      `${name} did not store what it was given, in ${wrong.length} of ${2 * given.families.length + 2} checks:\n  ` +
        wrong.slice(0, SHOWN).join('\n  '),
    )
  return stored
}

/** Waits until every answered scrape can be queried. */
async function settled(name: string, baseUrl: string, answered: number): Promise<void> {
  let up = 0
  for (const until = Date.now() + SETTLE_MS; Date.now() < until; await sleep(250)) {
    up = await scalar(baseUrl, `sum(sum_over_time(up{job="${JOB}"}[${RANGE}]))`)
    if (up === answered) return
  }
  throw new Error(
    `${name} shows ${up} successful scrapes ${SETTLE_MS / 1000} s after the last of ${answered} pages was given out`,
  )
}

/** The one value of an instant query; 0 for an empty answer. */
async function scalar(baseUrl: string, query: string): Promise<number> {
  const response = await fetch(`${baseUrl}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query }),
    signal: AbortSignal.timeout(30_000),
  })
  const answer = (await response.json()) as {
    status: string
    error?: string
    data: { result: { value: [number, string] }[] }
  }
  if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`)
  return Number(answer.data.result[0]?.value[1] ?? 0)
}
