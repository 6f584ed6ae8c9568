/**
 * Kills a hub with -9 at random moments while two senders write to it at full rate, each with its own journal of what
 * was acknowledged; then exports everything and holds it against what was sent. Blocks of two seconds make cuts, checkpoints
 * and merges so frequent that kills fall into them; some kills come while the one before is being recovered from, others
 * while blocks are cleaned of what is deleted, and the last part runs with a retention short enough to remove blocks, and
 * with downsampling, all the time.
 * Method: reliability.md R1. All chance comes from one seed.
 */
import fs from 'node:fs'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { Exemplar, Histogram } from '../../protocol/samples/mod.ts'
import { Driver, type DriverMore } from '../e2e/bad-day/driver.ts'
import { approvedSeed, percentile, seeded } from '../e2e/bad-day/kit.ts'
import { judgeDriver, type Sender } from '../e2e/bad-day/verdicts.ts'
import { type Hub, samples, sleep, until, type World } from '../e2e/world.ts'
import { type Deletable, Deletions } from './deletions.ts'
import { judgeRaw } from './judge-raw.ts'
import { type RawRows, readRaw } from './raw-read.ts'
import { RemoteWriter } from './remote-writer.ts'
import { exemplarOf, mixedNames, putFloat, sampleOf } from './samples.ts'
import { judgeWindows, type Windows } from './windows.ts'

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
/** A restart that takes longer is told of, with what the hub said. */
const SLOW_MS = 5000
/** Of all kills: of hubs that keep everything. */
const WHOLE_SHARE = 0.75
const KILLS_PER_HUB = 30
/** An export that is not answered is asked for again. */
const ASKED_MAX = 5
/** Kills between two exports. */
const EXPORT_EVERY = 10
const RETENTION_MS = 20_000
const BLOCK_MS = 2000
const DOWNSAMPLING = 'downsampling: [{ resolution: 1s, keep: 1h }]'
/** Beyond this age blocks have their windows: twenty times a block's length, and the time to write them. */
const WINDOWS_AGE_MS = 80_000
/** Seconds without a new one, after which there are no more to come. */
const WINDOWS_QUIET = 15
const AMBUSH_MS = 8000
const CHECKPOINT = 'checkpoint'
const BLOCK = 'cut, merge or removal of a block'
/** Of every other hub: so little that windows are cut before their time. */
const SHORT_OF_MEMORY = '--storage.tsdb.head-max-size=2MB'
const FLAGS = [
  '--web.enable-remote-write-receiver',
  '--web.enable-lifecycle',
  '--web.enable-admin-api',
  `--storage.tsdb.min-block-duration=${BLOCK_MS}ms`,
  '--storage.tsdb.wal-segment-size=256KB',
]

export type CampaignOptions = {
  readonly kills: number
  /** Ends early, with fewer kills, after so long; a slow machine is no reason to wait for ever. */
  readonly minutes?: number
  readonly seed: number
  readonly say: (line: string) => void
  /** Of the hubs; see watchdog.ts. */
  readonly env?: Readonly<Record<string, string>>
}

export type CampaignResult = {
  readonly kills: number
  readonly sent: number
  readonly acknowledged: number
  readonly lost: number
  readonly exports: number
  /** Blocks that were cut before their range had ended, for want of memory. */
  readonly earlyCuts: number
  /** Carried out, each of some samples of a series. */
  readonly deletions: number
  /** Downsampled ones, of samples that are gone. */
  readonly windows: { readonly whole: number; readonly wanted: number }
  /** Samples twice, changed, out of order, or never sent. */
  readonly problems: readonly string[]
  readonly readyMs: { readonly p50: number; readonly p99: number }
  /** What the kills interrupted, by what lay on disk after them. */
  readonly interrupted: Readonly<Record<string, number>>
}

export async function runCampaign(world: World, options: CampaignOptions): Promise<CampaignResult> {
  const { kills, minutes = Number.POSITIVE_INFINITY, seed } = options
  const began = performance.now()
  const parts: Part[] = []
  let done = 0
  for (const [i, { count, retentionMs }] of planned(kills).entries()) {
    done += count
    const name = `${retentionMs > 0 ? 'forget' : 'kill'}-${seed}-${i}`
    const part = new Part(world, name, seeded(seed + i), options)
    parts.push(part)
    await part.begin(retentionMs, i % 2 === 0)
    await part.run(count, began + (minutes * 60_000 * done) / kills)
  }
  const readyMs = parts.flatMap((part) => part.readyMs)
  const sum = (pick: (part: Part) => number): number => parts.reduce((total, part) => total + pick(part), 0)
  const interrupted: Record<string, number> = {}
  for (const part of parts)
    for (const [what, count] of Object.entries(part.interrupted)) interrupted[what] = (interrupted[what] ?? 0) + count
  return {
    kills: readyMs.length + (interrupted['replay'] ?? 0),
    sent: sum((part) => part.sent),
    acknowledged: sum((part) => part.acknowledged),
    lost: sum((part) => part.lost),
    exports: sum((part) => part.exports),
    earlyCuts: sum((part) => part.earlyCuts),
    deletions: sum((part) => part.deletions),
    windows: { whole: sum(({ windows }) => windows.whole), wanted: sum(({ windows }) => windows.wanted) },
    problems: parts.flatMap((part) => part.problems),
    readyMs: { p50: percentile(readyMs, 0.5), p99: percentile(readyMs, 0.99) },
    interrupted,
  }
}

/** Hubs that keep everything, and at last one that does not; each export reads all that its hub has. */
function planned(kills: number): { readonly count: number; readonly retentionMs: number }[] {
  const keeping = Math.ceil(kills * WHOLE_SHARE)
  const hubs = Math.ceil(keeping / KILLS_PER_HUB)
  const counts = Array.from({ length: hubs }, (_, i) => Math.ceil((keeping - i) / hubs))
  return [...counts.map((count) => ({ count, retentionMs: 0 })), { count: kills - keeping, retentionMs: RETENTION_MS }]
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
  /** Blocks that were cut before their range had ended. */
  earlyCuts = 0
  #heard = 0
  /** Of a second each, of samples that are gone. */
  windows: Pick<Windows, 'whole' | 'wanted'> = { whole: 0, wanted: 0 }
  readonly #world: World
  readonly #name: string
  readonly #random: () => number
  readonly #say: (line: string) => void
  readonly #env: Readonly<Record<string, string>>
  #hub!: Hub
  #driver!: Driver
  #writer!: RemoteWriter
  /** Of the driver's series, and of the writer's. */
  #deletions!: readonly [Deletions, Deletions]
  #retentionMs = 0

  constructor(world: World, name: string, random: () => number, { say, env = {} }: CampaignOptions) {
    this.#world = world
    this.#name = name
    this.#random = random
    this.#say = say
    this.#env = env
  }

  /** @param retentionMs 0: everything is kept, and nothing downsampled */
  async begin(retentionMs: number, isShortOfMemory: boolean): Promise<void> {
    const world = this.#world
    this.#retentionMs = retentionMs
    const flags = [
      ...(retentionMs > 0 ? [`--storage.tsdb.retention.time=${retentionMs}ms`] : []),
      ...(isShortOfMemory ? [SHORT_OF_MEMORY] : []),
    ]
    const hub = await world.prepareHub({
      name: this.#name,
      config: 'scrape_configs: []',
      flags: [...FLAGS, ...flags],
      heliograph: retentionMs > 0 ? DOWNSAMPLING : '',
      env: this.#env,
    })
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
    this.#deletions = [new Deletions(hub, this.#random), new Deletions(hub, this.#random)]
    world.onClose(async () => {
      this.#writer.close()
      await this.#driver.close()
    })
    this.#resume()
    await until('both senders are stored', () => this.#driver.acked.size > 3 && this.#writer.acked.size > 3)
  }

  /** What ends it early is a problem like others: what was found until then is told. */
  async run(kills: number, end: number): Promise<void> {
    try {
      await this.#run(kills, end)
    } catch (error) {
      this.problems.push(`${this.#name} ended early: ${(error as Error).message}`)
    }
  }

  async #run(kills: number, end: number): Promise<void> {
    for (let done = 0; done < kills && performance.now() < end; ) {
      await sleep(this.#random() * 1500)
      if (this.#random() < 0.5) await this.#delete()
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

  get deletions(): number {
    return this.#deletions[0].answered + this.#deletions[1].answered
  }

  /** Some samples of one series; sometimes blocks are then cleaned, which the kill may interrupt. */
  async #delete(): Promise<void> {
    const which = this.#random() < 0.5 ? 0 : 1
    const metric = this.#rows()[which]!.mixed
    const sender: Deletable = which === 0 ? this.#driver : this.#writer
    const names = mixedNames(which === 0 ? 'driver' : 'writer', SERIES)
    const deletions = this.#deletions[which]
    await deletions.delete(metric, names, sender)
    if (this.#random() < 0.3) void deletions.clean()
  }

  async #kill(): Promise<void> {
    this.earlyCuts += earlyCutsOf(this.#hub.output.slice(this.#heard))
    this.#heard = this.#hub.output.length
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
    const before = this.#hub.output.length
    await this.#hub.restart()
    const tookMs = performance.now() - began
    this.readyMs.push(tookMs)
    if (tookMs > SLOW_MS)
      this.#say(`${this.#name}: ready after ${Math.round(tookMs)} ms\n${this.#hub.output.slice(before).trimEnd()}`)
    if (tookMs > READY_MS) throw new Error('the hub took too long to come back')
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
    if (this.#retentionMs > 0) await this.#judgeWindows()
    if (this.#driver.refused > 0) this.problems.push(`${this.#driver.refused} batches refused`)
    this.problems.push(...this.#writer.refused)
    for (const sender of this.#senders()) {
      this.sent += sender.sentCount * 2 * SERIES
      this.acknowledged += sender.acked.size * (sender.sentCount / Math.max(1, sender.acked.size)) * 2 * SERIES
    }
    await this.#hub.stop()
  }

  async #judge(acked: readonly ReadonlySet<number>[]): Promise<number> {
    // As of after the export, which takes its time: what retention takes away until then may be missing.
    const forgottenBefore = (sender: Sender): number =>
      this.#retentionMs > 0 ? sender.numberAt(Date.now() - this.#retentionMs) + 1 : 0
    let stored = 0
    for (const [i, { sender, selector, mixed }] of this.#rows().entries()) {
      const rows = await patiently(() => samples(this.#hub, `${selector}[6h]`))
      const verdict = judgeDriver(sender, rows, acked[i]!, forgottenBefore(sender))
      stored += verdict.storedSamples
      this.lost += verdict.lost
      if (verdict.lost > 0)
        this.problems.push(`${selector} lost ${verdict.lost} samples of batches ${verdict.lostBatches.slice(0, 10)}`)
      this.problems.push(...verdict.problems.map((problem) => `${selector}: ${problem}`))
      const deletions = this.#deletions[i]!
      const raw = await patiently(() => this.#raw(mixed))
      const rawVerdict = judgeRaw({ sender, deletions }, raw, acked[i]!, forgottenBefore(sender))
      this.problems.push(...deletions.problems.splice(0))
      stored += rawVerdict.stored
      this.lost += rawVerdict.lost
      this.problems.push(...rawVerdict.problems.map((problem) => `${mixed}: ${problem}`))
    }
    return stored
  }

  /** When no more are made: blocks get their windows one after the other. */
  async #judgeWindows(): Promise<void> {
    const endMs = Date.now() - WINDOWS_AGE_MS
    const judge = async (): Promise<Windows> => {
      const senders = [this.#driver, this.#writer]
      const both = await Promise.all(
        senders.map((sender, i) => judgeWindows(this.#hub, this.#rows()[i]!.selector, { sender, endMs })),
      )
      return {
        whole: both.reduce((sum, { whole }) => sum + whole, 0),
        wanted: both.reduce((sum, { wanted }) => sum + wanted, 0),
        problems: both.flatMap(({ problems }) => problems),
      }
    }
    let last = await judge()
    for (let quiet = 0; quiet < WINDOWS_QUIET && last.whole < last.wanted; ) {
      await sleep(1000)
      const next = await judge()
      quiet = next.whole > last.whole ? 0 : quiet + 1
      last = next
    }
    this.windows = last
    this.problems.push(...last.problems)
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

/** Ends of blocks that are in the middle of a range. */
function earlyCutsOf(output: string): number {
  return [...output.matchAll(/Block cut.*?block=-?\d+-(\d+)-/g)].filter(([, end]) => Number(end) % BLOCK_MS !== 0)
    .length
}

/** A starved machine may take longer over a request than the hub waits for it. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask()
    } catch (error) {
      if (tries === ASKED_MAX) throw error
      await sleep(1000)
    }
  }
}
