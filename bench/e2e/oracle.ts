/**
 * A target that knows the truth: every sample it serves is a function of the scrape's number and the series, so
 * whatever a hub holds can be told from what it should hold. It serves a number once, and remembers when.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MatrixRow } from './client.ts'

/** The value of `oracle_value{series="…"}` in scrape `n`: counters, gauges with all their bits, constants, noise. */
export function oracleValue(n: number, series: number): number {
  switch (series % 4) {
    case 0:
      return n * (series + 1)
    case 1:
      return Math.sin(n * (series + 1)) * 1e6
    case 2:
      return Math.floor(n / 10) + series / 4
    default:
      return noise(n, series)
  }
}

export type OracleScrape = { readonly n: number; readonly servedMs: number }

export class OracleTarget {
  readonly address: string
  readonly seriesCount: number
  readonly scrapes: readonly OracleScrape[]
  readonly close: () => Promise<void>

  private constructor(address: string, seriesCount: number, scrapes: OracleScrape[], close: () => Promise<void>) {
    this.address = address
    this.seriesCount = seriesCount
    this.scrapes = scrapes
    this.close = close
  }

  /** @param series how many, or which numbers they have: every fourth is noise, which nothing makes small */
  static async start(series: number | readonly number[] = 40): Promise<OracleTarget> {
    const numbers = typeof series === 'number' ? Array.from({ length: series }, (_, i) => i) : series
    const scrapes: OracleScrape[] = []
    const server = createServer((_, response) => {
      const n = scrapes.length
      scrapes.push({ n, servedMs: Date.now() })
      response.setHeader('content-type', 'text/plain; version=0.0.4')
      response.end(oraclePage(n, numbers))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    return new OracleTarget(`127.0.0.1:${port}`, numbers.length, scrapes, async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })
  }
}

function oraclePage(n: number, numbers: readonly number[]): string {
  let page = `# TYPE oracle_scrape gauge\noracle_scrape ${n}\n# TYPE oracle_value untyped\n`
  for (const i of numbers) page += `oracle_value{series="${i}"} ${oracleValue(n, i)}\n`
  return page
}

export type Verdict = {
  /** Numbers of the scrapes that are stored, by sample time in ms, in order of time. */
  readonly stored: ReadonlyMap<number, number>
  /** In words; empty when all is well. */
  readonly problems: readonly string[]
}

/**
 * Judges an export of `oracle_scrape[…]` and `oracle_value[…]` of one agent: nothing invented, nothing twice, nothing
 * changed, in order, and every scrape whole. Which scrapes are there is for the caller to judge.
 * @param sentCount scrapes that the target has served
 */
export function judge(
  scrapes: readonly MatrixRow[],
  values: readonly MatrixRow[],
  { sentCount, seriesCount }: { readonly sentCount: number; readonly seriesCount: number },
): Verdict {
  const problems: string[] = []
  if (scrapes.length !== 1) problems.push(`oracle_scrape has ${scrapes.length} series`)
  if (values.length !== seriesCount) problems.push(`oracle_value has ${values.length} series instead of ${seriesCount}`)
  const stored = new Map<number, number>()
  let lastMs = Number.NEGATIVE_INFINITY
  let lastN = -1
  for (const [seconds, text] of scrapes[0]?.values ?? []) {
    const timeMs = Math.round(seconds * 1000)
    const n = Number(text)
    if (timeMs <= lastMs) problems.push(`oracle_scrape has a sample at ${timeMs} after ${lastMs}`)
    if (!(Number.isInteger(n) && n >= 0 && n < sentCount)) problems.push(`scrape ${text} was never served`)
    if (n <= lastN) problems.push(`scrape ${n} is stored after scrape ${lastN}`)
    stored.set(timeMs, n)
    lastMs = timeMs
    lastN = n
  }
  for (const { metric, values: samples } of values) judgeSeries(Number(metric['series']), samples, stored, problems)
  return { stored, problems: problems.slice(0, 20) }
}

function judgeSeries(
  series: number,
  samples: MatrixRow['values'],
  stored: ReadonlyMap<number, number>,
  problems: string[],
): void {
  if (samples.length !== stored.size)
    problems.push(`series ${series} has ${samples.length} samples instead of ${stored.size}`)
  let lastMs = Number.NEGATIVE_INFINITY
  for (const [seconds, text] of samples) {
    const timeMs = Math.round(seconds * 1000)
    if (timeMs <= lastMs) problems.push(`series ${series} has a sample at ${timeMs} after ${lastMs}`)
    lastMs = timeMs
    const n = stored.get(timeMs)
    if (n === undefined) problems.push(`series ${series} has a sample at ${timeMs}, where no scrape is`)
    else if (!Object.is(Number(text), oracleValue(n, series)))
      problems.push(`series ${series} holds ${text} for scrape ${n} instead of ${oracleValue(n, series)}`)
  }
}

/** A finite double with random bits, the same for the same arguments. */
function noise(n: number, series: number): number {
  let state = (Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(series + 1, 0x85ebca6b)) >>> 0
  const next = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0
    state = Math.imul(state ^ (state >>> 12), 0x297a2d39) >>> 0
    state = (state ^ (state >>> 15)) >>> 0
    return state
  }
  const words = new Uint32Array([next(), next() & 0xbfff_ffff])
  const value = new Float64Array(words.buffer)[0]!
  return Number.isFinite(value) ? value : n / (series + 1)
}
