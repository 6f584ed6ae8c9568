/**
 * Kills a hub with -9 at random moments while two senders write to it at full rate, each with its own journal of what
 * was acknowledged; then exports everything and holds it against what was sent. Blocks of two seconds make cuts, checkpoints
 * and merges so frequent that kills fall into them; some kills come while the one before is being recovered from, and the
 * last part runs with a retention short enough to remove blocks all the time.
 * Method: reliability.md R1. All chance comes from one seed.
 */
import fs from 'node:fs'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Exemplar, Histogram } from '../../protocol/samples/mod.ts'
import { Driver, type DriverMore } from '../e2e/bad-day/driver.ts'
import { approvedSeed, percentile, seeded } from '../e2e/bad-day/kit.ts'
import { judgeDriver, type Sender } from '../e2e/bad-day/verdicts.ts'
import { type Hub, samples, sleep, until, type World } from '../e2e/world.ts'
import { type RawRows, readRaw } from './raw-read.ts'
import { RemoteWriter } from './remote-writer.ts'
import { exemplarOf, mixedNames, putFloat, sampleOf, textOf } from './samples.ts'

const SERIES = 20
const MIXED_NAMES = mixedNames('driver', SERIES)
/** Of the agent's scrapes: as many series of all kinds of samples as there are plain ones. */
const MORE: DriverMore = {
  labels: MIXED_NAMES.map((series) => labelsFrom({ __name__: 'driver_mixed', series })),
  of(n, timestampMs, values, at) {
    const histograms = new Map<number, Histogram>()
    const exemplars: { at: number; exemplar: Exemplar }[] = []
    for (const [i, name] of MIXED_NAMES.entries()) {
      const sample = sampleOf(name, n)
      putFloat(sample, values, at + i)
      if (sample.type === 'histogram') histograms.set(at + i, sample.histogram)
      const exemplar = exemplarOf(name, n, timestampMs)
      if (exemplar) exemplars.push({ at: i, exemplar })
    }
    return { histograms: histograms.size > 0 ? histograms : null, exemplars }
  },
}
const READY_MS = 60_000
/** Of all kills: of the hub that keeps everything. */
const WHOLE_SHARE = 0.75
/** Kills between two exports. */
const EXPORT_EVERY = 10
const RETENTION_MS = 20_000
const AMBUSH_MS = 8000
const CHECKPOINT = 'checkpoint'
const BLOCK = 'cut, merge or removal of a block'
const FLAGS = [
  '--web.enable-remote-write-receiver',
  '--web.enable-lifecycle',
  '--storage.tsdb.min-block-duration=2s',
  '--storage.tsdb.wal-segment-size=256KB',
]

export type CampaignOptions = {
  readonly kills: number
  /** Ends early, with fewer kills, after so long; a slow machine is no reason to wait for ever. */
  readonly minutes?: number
  readonly seed: number
  readonly say: (line: string) => void
}

export type CampaignResult = {
  readonly kills: number
  readonly sent: number
  readonly acknowledged: number
  readonly lost: number
  readonly exports: number
  /** Samples twice, changed, out of order, or never sent. */
  readonly problems: readonly string[]
  readonly readyMs: { readonly p50: number; readonly p99: number }
  /** What the kills interrupted, by what lay on disk after them. */
  readonly interrupted: Readonly<Record<string, number>>
}

export async function runCampaign(world: World, options: CampaignOptions): Promise<CampaignResult> {
  const { kills, minutes = Number.POSITIVE_INFINITY, seed, say } = options
  const began = performance.now()
  const endOf = (share: number): number => began + minutes * share * 60_000
  const whole = new Part(world, `kill-${seed}`, seeded(seed), say)
  await whole.begin([])
  await whole.run(Math.ceil(kills * WHOLE_SHARE), endOf(WHOLE_SHARE))
  const forgetful = new Part(world, `forget-${seed}`, seeded(seed + 1), say)
  await forgetful.begin([`--storage.tsdb.retention.time=${RETENTION_MS}ms`])
  await forgetful.run(Math.floor(kills * (1 - WHOLE_SHARE)), endOf(1))
  const readyMs = [...whole.readyMs, ...forgetful.readyMs]
  const sum = (pick: (part: Part) => number): number => pick(whole) + pick(forgetful)
  const interrupted: Record<string, number> = { ...whole.interrupted }
  for (const [what, count] of Object.entries(forgetful.interrupted))
    interrupted[what] = (interrupted[what] ?? 0) + count
  return {
    kills: readyMs.length + sum((part) => part.interrupted['replay'] ?? 0),
    sent: sum((part) => part.sent),
    acknowledged: sum((part) => part.acknowledged),
    lost: sum((part) => part.lost),
    exports: sum((part) => part.exports),
    problems: [...whole.problems, ...forgetful.problems],
    readyMs: { p50: percentile(readyMs, 0.5), p99: percentile(readyMs, 0.99) },
    interrupted,
  }
}

/** One hub and its senders. */
class Part {
  readonly readyMs: number[] = []
  readonly problems: string[] = []
  readonly interrupted: Record<string, number> = {}
  sent = 0
  acknowledged = 0
  lost = 0
  exports = 0
  readonly #world: World
  readonly #name: string
  readonly #random: () => number
  readonly #say: (line: string) => void
  #hub!: Hub
  #driver!: Driver
  #writer!: RemoteWriter
  #retentionMs = 0

  constructor(world: World, name: string, random: () => number, say: (line: string) => void) {
    this.#world = world
    this.#name = name
    this.#random = random
    this.#say = say
  }

  async begin(flags: readonly string[]): Promise<void> {
    const world = this.#world
    this.#retentionMs = flags.length > 0 ? RETENTION_MS : 0
    const hub = await world.prepareHub({ name: this.#name, config: 'scrape_configs: []', flags: [...FLAGS, ...flags] })
    this.#hub = hub
    const agent = `driver-${this.#name}`
    const seed = approvedSeed(hub, agent)
    await hub.restart()
    this.#driver = new Driver({
      agent,
      seed,
      busUrl: hub.busUrl,
      random: this.#random,
      seriesCount: SERIES,
      journalFile: world.file(`${agent}.journal`),
      more: MORE,
    })
    const journalFile = world.file(`writer-${this.#name}.journal`)
    this.#writer = new RemoteWriter({ url: hub.url, seriesCount: SERIES, journalFile })
    world.onClose(async () => {
      this.#writer.close()
      await this.#driver.close()
    })
    this.#resume()
    await until('both senders are stored', () => this.#driver.acked.size > 3 && this.#writer.acked.size > 3)
  }

  async run(kills: number, end: number): Promise<void> {
    for (let done = 0; done < kills && performance.now() < end; ) {
      await sleep(this.#random() * 1500)
      if (this.#random() < 0.5) await this.#ambush()
      await this.#kill()
      done++
      while (done < kills && this.#random() < 0.3) {
        // While the log is read, or soon after: the thread of Node takes its time to start.
        this.#hub.spawn()
        await sleep(this.#random() * 900)
        this.#count('replay')
        await this.#kill()
        done++
      }
      await this.#restart()
      if (done % EXPORT_EVERY === 0 || done >= kills) await this.#export(done)
    }
    await this.#finish()
  }

  async #kill(): Promise<void> {
    await this.#hub.kill()
    for (const what of this.#underWay()) this.#count(what)
  }

  /** Waits for a checkpoint, or for a block that is written or removed, to be under way. */
  async #ambush(): Promise<void> {
    const wanted = this.#random() < 0.5 ? CHECKPOINT : BLOCK
    const end = performance.now() + AMBUSH_MS
    while (performance.now() < end && !this.#underWay().includes(wanted)) await sleep(1)
  }

  #underWay(): string[] {
    const { dataFolder } = this.#hub
    const isWriting = (folder: string): boolean =>
      fs.existsSync(folder) && fs.readdirSync(folder).some((name) => name.endsWith('.tmp'))
    return [isWriting(`${dataFolder}/wal`) ? CHECKPOINT : '', isWriting(`${dataFolder}/blocks`) ? BLOCK : ''].filter(
      (what) => what !== '',
    )
  }

  async #restart(): Promise<void> {
    const began = performance.now()
    await this.#hub.restart()
    this.readyMs.push(performance.now() - began)
    if (performance.now() - began > READY_MS) throw new Error('the hub took too long to come back')
  }

  /** What is acknowledged by now must be in the export. */
  async #export(done: number): Promise<void> {
    const before = [...this.#senders()].map(({ acked }) => new Set(acked))
    const result = await this.#judge(before)
    this.exports++
    this.#say(
      `${this.#name}: ${done} kills, ${result} samples stored, ${this.lost} lost, ${this.problems.length} wrong`,
    )
  }

  /** Twice: as it is, and once all that was sent is in. */
  async #finish(): Promise<void> {
    this.#driver.drain()
    this.#writer.drain()
    await until('the senders are rid of what they have', () => this.#driver.openCount + this.#writer.openCount === 0, {
      timeoutMs: 120_000,
      explain: () => `${this.#driver.describe()}; writer: ${this.#writer.openCount} open\n${this.#hub.tail()}`,
    })
    this.#driver.stop()
    this.#writer.stop()
    await this.#hub.kill()
    await this.#restart()
    await this.#judge([this.#driver.acked, this.#writer.acked])
    this.exports++
    if (this.#driver.refused > 0) this.problems.push(`${this.#driver.refused} batches refused`)
    this.problems.push(...this.#writer.refused)
    for (const sender of this.#senders()) {
      this.sent += sender.sentCount * 2 * SERIES
      this.acknowledged += sender.acked.size * (sender.sentCount / Math.max(1, sender.acked.size)) * 2 * SERIES
    }
    await this.#hub.stop()
  }

  async #judge(acked: readonly ReadonlySet<number>[]): Promise<number> {
    const since = Date.now() - this.#retentionMs
    let stored = 0
    for (const [i, { sender, selector, mixed }] of this.#rows().entries()) {
      const rows = await samples(this.#hub, `${selector}[6h]`)
      const forgottenBefore = this.#retentionMs > 0 ? sender.numberAt(since) + 1 : 0
      const verdict = judgeDriver(sender, rows, acked[i]!, forgottenBefore)
      stored += verdict.storedSamples
      this.lost += verdict.lost
      if (verdict.lost > 0)
        this.problems.push(`${selector} lost ${verdict.lost} samples of batches ${verdict.lostBatches.slice(0, 10)}`)
      this.problems.push(...verdict.problems.map((problem) => `${selector}: ${problem}`))
      const rawVerdict = judgeRaw(sender, await this.#raw(mixed), acked[i]!, forgottenBefore)
      stored += rawVerdict.stored
      this.lost += rawVerdict.lost
      this.problems.push(...rawVerdict.problems.map((problem) => `${mixed}: ${problem}`))
    }
    return stored
  }

  #raw(metric: string): Promise<RawRows> {
    const from = Date.now() - 6 * 3_600_000
    return readRaw(this.#hub, metric, from, Date.now() + 3_600_000)
  }

  #rows(): readonly { readonly sender: Sender; readonly selector: string; readonly mixed: string }[] {
    return [
      { sender: this.#driver, selector: `driver_value{agent="${this.#driver.agent}"}`, mixed: 'driver_mixed' },
      { sender: this.#writer, selector: 'writer_value', mixed: 'writer_mixed' },
    ]
  }

  #senders(): readonly (Sender & { readonly acked: ReadonlySet<number> })[] {
    return [this.#driver, this.#writer]
  }

  #resume(): void {
    this.#driver.start()
    this.#writer.start()
  }

  #count(what: string): void {
    this.interrupted[what] = (this.interrupted[what] ?? 0) + 1
  }
}

/** As `judgeDriver`, of samples of all kinds: acknowledged ⊆ stored ⊆ sent, each once, in order and bit for bit. */
function judgeRaw(sender: Sender, rows: RawRows, acked: ReadonlySet<number>, forgottenBefore: number) {
  const problems: string[] = []
  if (rows.size !== SERIES) problems.push(`${rows.size} series are stored instead of ${SERIES}`)
  let stored = 0
  let lost = 0
  for (const [series, row] of rows) {
    const seen = new Set<number>()
    for (const [timeMs, text] of row) {
      const n = sender.numberAt(timeMs)
      if (seen.has(n)) problems.push(`${series} has ${timeMs} twice`)
      seen.add(n)
      if (!(Number.isInteger(n) && n >= 0 && n < sender.sentCount))
        problems.push(`${series} has a sample at ${timeMs} that was never sent`)
      else if (text !== textOf(sampleOf(series, n)))
        problems.push(`${series} holds ${text} for sample ${n} instead of ${textOf(sampleOf(series, n))}`)
    }
    stored += row.length
    let missing = 0
    for (const sequence of acked) {
      const [from, to] = Driver.samplesOf(sequence)
      for (let n = from; n < to; n++) if (!seen.has(n) && n >= forgottenBefore) missing++
    }
    lost += missing
    if (missing > 0) problems.push(`${series} lost ${missing} samples`)
  }
  return { stored, lost, problems: problems.slice(0, 20) }
}
