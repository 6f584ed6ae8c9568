/** What is measured of one system: with many live series, and with many samples of few. */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuByThread, cpuSeconds, memory } from '../pipeline/usage.ts'
import { sendRequests } from './sender.ts'
import type { Running, System } from './systems.ts'
import type { Written } from './write-file.ts'

/** After the last request, before memory is read: what runs behind is over by then. */
const SETTLE_MS = 10_000
const ANSWER_MS = 180_000

export type LiveSeries = {
  readonly rssBytes: number
  readonly rssMaxBytes: number
  /** While the series are new: the first step. */
  readonly createCpuSeconds: number
  readonly createSamples: number
  /** All later steps, and what ran behind them. */
  readonly steadyCpuSeconds: number
  readonly steadySamples: number
  readonly wallSeconds: number
  /** From the start after kill -9 to the right answer. */
  readonly readySeconds: number
  /** Acknowledged samples of the checked family that the kill has cost. */
  readonly lostSamples: number
  readonly threads: Readonly<Record<string, number>>
}

/** Writes everything, reads the memory, kills, and waits until the series are back. */
export async function measureLiveSeries(system: System, folder: string, written: Written): Promise<LiveSeries> {
  const running = await system.start(folder)
  const { program, writeUrl } = running
  const rss = new RssWatch(program.pid)
  try {
    const startedMs = Date.now()
    const idle = cpuSeconds(program.pid)
    const steadyFrom = written.stepRequests[1]!
    await sendRequests(writeUrl, written.file, 0, steadyFrom, steadyFrom)
    const created = cpuSeconds(program.pid)
    await sendRequests(writeUrl, written.file, steadyFrom, written.requests, steadyFrom)
    const wallSeconds = (Date.now() - startedMs) / 1000
    await sleep(SETTLE_MS)
    const steady = cpuSeconds(program.pid)
    const threads = cpuByThread(program.pid)
    const rssBytes = memory(program.pid).rssBytes
    const steps = written.stepRequests.length - 1
    await mustAnswer(running, written)
    await program.kill()
    const killedMs = Date.now()
    const again = await system.start(folder)
    try {
      const lostSamples = await answersAgain(again, written, system.mayLose)
      return {
        lostSamples,
        rssBytes,
        rssMaxBytes: rss.max,
        createCpuSeconds: created - idle,
        createSamples: written.samples / steps,
        steadyCpuSeconds: steady - created,
        steadySamples: (written.samples * (steps - 1)) / steps,
        wallSeconds,
        readySeconds: (Date.now() - killedMs) / 1000,
        threads,
      }
    } finally {
      await again.program[Symbol.asyncDispose]()
    }
  } finally {
    rss.stop()
    await program[Symbol.asyncDispose]()
  }
}

/** Bytes a sample on disk when all is compacted. */
export async function measureDisk(system: System, folder: string, written: Written): Promise<number> {
  const running = await system.start(folder)
  try {
    await sendRequests(running.writeUrl, written.file, 0, written.requests, written.stepRequests[1]!)
    await mustAnswer(running, written)
    const bytes = await system.compactedBytes(running, folder)
    await mustAnswer(running, written)
    return bytes / written.samples
  } finally {
    await running.program[Symbol.asyncDispose]()
  }
}

/** Number and sum of one family's samples, until they are what was sent. */
async function mustAnswer({ url, program }: Running, { checked, endMs, spanMs }: Written): Promise<void> {
  const range = `${checked.name}[${Math.ceil(spanMs / 1000) + 60}s]`
  let last = ''
  for (const until = Date.now() + ANSWER_MS; Date.now() < until; await sleep(20)) {
    program.mustRun()
    const samples = await ask(url, `sum(count_over_time(${range}))`, endMs)
    const sum = await ask(url, `sum(sum_over_time(${range}))`, endMs)
    last = `${samples} samples with the sum ${sum}`
    if (samples === checked.samples && Math.abs(sum - checked.sum) <= 1e-9 * Math.abs(checked.sum)) return
  }
  throw new Error(`${program.name}: ${checked.samples} samples with the sum ${checked.sum} were sent, it has ${last}`)
}

/** After a kill: resolves when it answers, to how many samples are gone. @throws Error if it may not lose any, and has */
async function answersAgain(running: Running, written: Written, mayLose: boolean): Promise<number> {
  if (!mayLose) {
    await mustAnswer(running, written)
    return 0
  }
  const range = `${written.checked.name}[${Math.ceil(written.spanMs / 1000) + 60}s]`
  for (const until = Date.now() + ANSWER_MS; Date.now() < until; await sleep(20)) {
    running.program.mustRun()
    const samples = await ask(running.url, `sum(count_over_time(${range}))`, written.endMs)
    if (samples > 0) return written.checked.samples - samples
  }
  throw new Error(`${running.program.name} answers nothing after the kill`)
}

async function ask(url: string, query: string, timeMs: number): Promise<number> {
  const answer = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}&time=${timeMs / 1000}`).catch(
    () => null,
  )
  if (!answer?.ok) return Number.NaN
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
  return Number(data.result[0]?.value[1] ?? Number.NaN)
}

class RssWatch {
  max = 0
  readonly #timer: NodeJS.Timeout

  constructor(pid: number) {
    this.#timer = setInterval(() => {
      try {
        this.max = Math.max(this.max, memory(pid).rssBytes)
      } catch {
        this.stop() // the process has ended
      }
    }, 500)
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}
