/** The measured window of a phase: between two readings of CPU, wire and fleet, with memory looked at all along. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Fleet, FleetTotals } from './fleet-client.ts'
import type { Program } from './program.ts'
import { cpuByThread, cpuSeconds, type Memory, memory } from './usage.ts'

export type Schedule = { readonly intervalMs: number; readonly warmupMs: number; readonly durationMs: number }

export type ProgramWindow = {
  readonly cpuSeconds: number
  /** The same by name of thread. */
  readonly threads: Readonly<Record<string, number>>
  /** From the start of the program to the end of the warm-up: start, new series, code not yet optimised. */
  readonly warmupCpuSeconds: number
  readonly end: Memory
  readonly maxRssBytes: number
}
export type Window = {
  readonly seconds: number
  /** On the pages given out, and the `up` and `scrape_*` samples that a scrape adds, answered or not. */
  readonly samples: number
  readonly programs: Readonly<Record<string, ProgramWindow>>
}

/** `up` and four `scrape_*` series. */
export const REPORT_SAMPLES = 5
const MEMORY_EVERY_MS = 2000
const FIRST_SCRAPE_MS = 20_000
/** A target is scraped this often at least before anything is measured. */
const MIN_SCRAPES = 3

/**
 * Warms up, measures, and says so to `mark` at both ends, so that other counters are read at the same moments.
 * @throws Error if a program ends, or if the targets are not scraped at the interval
 */
export async function measureWindow(
  fleet: Fleet,
  programs: readonly Program[],
  { intervalMs, warmupMs, durationMs }: Schedule,
  mark: (edge: 'begin' | 'end') => void,
): Promise<Window> {
  await firstScrape(fleet, programs)
  await sleep(warmupMs)
  for (const program of programs) program.mustRun()
  const before = await fleet.totals()
  if (before.answered < MIN_SCRAPES * fleet.addresses.length)
    throw new Error(
      `${programs.map(({ name }) => name).join(' + ')}: only ${before.answered} scrapes of ${fleet.addresses.length} ` +
        `targets in ${warmupMs / 1000} s of warm-up`,
    )
  const cpuBefore = programs.map(({ pid }) => cpuSeconds(pid))
  const threadsBefore = programs.map(({ pid }) => cpuByThread(pid))
  const startedAt = performance.now()
  mark('begin')
  const maxRss = programs.map(() => 0)
  const look = (): Memory[] =>
    programs.map(({ pid }, i) => {
      const now = memory(pid)
      maxRss[i] = Math.max(maxRss[i]!, now.rssBytes)
      return now
    })
  for (;;) {
    const left = durationMs - (performance.now() - startedAt)
    if (left <= 0) break
    await sleep(Math.min(MEMORY_EVERY_MS, left))
    for (const program of programs) program.mustRun()
    look()
  }
  const after = await fleet.totals()
  const cpuAfter = programs.map(({ pid }) => cpuSeconds(pid))
  const threadsAfter = programs.map(({ pid }) => cpuByThread(pid))
  const seconds = (performance.now() - startedAt) / 1000
  mark('end')
  const end = look()
  checkPace(before, after, fleet.addresses.length, seconds, intervalMs)
  return {
    seconds,
    samples: samplesOf(after) - samplesOf(before),
    programs: Object.fromEntries(
      programs.map(({ name }, i) => [
        name,
        {
          cpuSeconds: cpuAfter[i]! - cpuBefore[i]!,
          threads: Object.fromEntries(
            Object.entries(threadsAfter[i]!).map(([thread, spent]) => [
              thread,
              spent - (threadsBefore[i]![thread] ?? 0),
            ]),
          ),
          warmupCpuSeconds: cpuBefore[i]!,
          end: end[i]!,
          maxRssBytes: maxRss[i]!,
        },
      ]),
    ),
  }
}

/** Prometheus passes its targets on up to 5 s after its start; the warm-up counts from the first scrape. */
async function firstScrape(fleet: Fleet, programs: readonly Program[]): Promise<void> {
  for (const until = Date.now() + FIRST_SCRAPE_MS; Date.now() < until; await sleep(50)) {
    for (const program of programs) program.mustRun()
    if ((await fleet.totals()).answered > 0) return
  }
  throw new Error(`${programs.map(({ name }) => name).join(' + ')}: no scrape within ${FIRST_SCRAPE_MS / 1000} s`)
}

function samplesOf({ samples, answered, refused }: FleetTotals): number {
  return samples + REPORT_SAMPLES * (answered + refused)
}

/** A system that skips scrapes would look cheap. */
function checkPace(
  before: FleetTotals,
  after: FleetTotals,
  targets: number,
  seconds: number,
  intervalMs: number,
): void {
  const scrapes = after.answered + after.refused - before.answered - before.refused
  const due = (targets * seconds * 1000) / intervalMs
  if (Math.abs(scrapes - due) > targets + 0.02 * due)
    throw new Error(`${scrapes} scrapes in ${seconds.toFixed(1)} s where ${Math.round(due)} were due`)
}
