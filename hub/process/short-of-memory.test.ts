/**
 * The whole of a hub's storage, but for its threads, under a cap of memory that its senders reach again and again:
 * whatever they send, whoever reads, and whenever it is killed, it accepts again within a minute of its clock, and has
 * what it acknowledged.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { WorkerHandle } from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { encodeWriteRequest, snappyCompress } from '../../protocol/remote-write/mod.ts'
import { BlockSet, NO_FLOORS, runBlockThread, type ToBlocks } from '../block/mod.ts'
import { memoryEnv } from '../block/testing/samples.ts'
import { createIngest, type Ingest } from '../ingest/mod.ts'
import { inProcessPool } from '../ingest/testing/pool.ts'
import { NOW, World } from '../ingest/testing/world.ts'
import { createHead, createSampleBuffer, headRestorer, openReader, type SeriesReader } from '../tsdb/mod.ts'
import { type MemoryDisk, memoryLogger, seededRandom } from '../wal/testing/mod.ts'
import { BlockKeeper } from './blocks.ts'

const MINUTE_MS = 60_000
const ALL = { minTime: -8e15, maxTime: 8e15 }
const SERIES = 40
const TIMES = 100
/** Of a request for want of room. */
const REFUSED = 503

/** Times of a request's samples: all that is since the last, some of an earlier hour, some ahead of the clock. */
const TIMES_OF = ['now', 'late', 'future'] as const
type Write = { readonly times: (typeof TIMES_OF)[number]; readonly isChurn: boolean; readonly requests: number }
type Step = Write | { readonly passMs: number } | 'hold' | 'release' | 'kill'

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      times: fc.constantFrom('now', 'now', 'now', 'late', 'late', 'future' as const),
      isChurn: fc.constantFrom(false, false, false, true),
      requests: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ passMs: fc.constantFrom(100, 1000, 10_000, 120_000) }) },
  { weight: 1, arbitrary: fc.constantFrom('hold', 'release', 'kill') },
)

class Hub {
  readonly #blockMs: number
  readonly #maxBytes: number
  readonly #random = seededRandom(1)
  #disk: MemoryDisk = memoryEnv().disk
  #world!: World
  #ingest!: Ingest
  #keeper!: BlockKeeper
  #held: SeriesReader[] = []
  /** By series, times of samples that it acknowledged. */
  readonly acknowledged = new Map<string, Set<number>>()
  #churned = 0
  #sentMs = NOW
  refusals = 0

  constructor(blockMs: number, maxBytes: number) {
    this.#blockMs = blockMs
    this.#maxBytes = maxBytes
  }

  get #clock() {
    return this.#world.clock
  }

  async start(nowMs = NOW): Promise<void> {
    const disk = this.#disk
    const world = new World(7)
    this.#world = world
    world.clock.set(nowMs)
    world.disk = disk
    const head = { maxBytes: this.#maxBytes, maxExemplars: 16, maxMetadataFamilies: 16 }
    world.options = {
      heads: { create: () => createHead(head), restore: () => headRestorer(head) },
      limits: { maxFutureMs: 10 * MINUTE_MS, maxSeriesPerAgent: 1000, outOfOrderWindowMs: 600 * MINUTE_MS },
      segmentBytes: 200_000,
    }
    const log = memoryLogger()
    const options = { directory: '/data', hub: 'hub-1', logLevel: 'error', logFormat: 'logfmt' } as const
    const pool = inProcessPool(() => ({ ...world.engineOptions(), groupCommitMs: 1 }))
    this.#ingest = await this.#ended(
      createIngest({ ...world, log, pool } as unknown as Parameters<typeof createIngest>[0], options),
    )
    const opened = BlockKeeper.open({
      env: { clock: world.clock, disk, log, random: seededRandom(2), pool: { spawn: () => this.#spawnBlocks() } },
      ingest: this.#ingest,
      blockMs: this.#blockMs,
      limits: () => ({ timeMs: 0, sizeBytes: 0 }),
      floors: () => NO_FLOORS,
      ...options,
    })
    this.#keeper = await this.#ended(opened)
    this.#keeper.start()
  }

  #spawnBlocks(): WorkerHandle {
    let hear: (message: unknown) => void = () => {}
    let ask: (message: ToBlocks) => void = () => {}
    queueMicrotask(
      () =>
        void runBlockThread(
          {
            post: (message) => setImmediate(() => hear(structuredClone(message))),
            onMessage: (fn) => void (ask = fn),
          },
          {
            ...memoryEnv(),
            disk: this.#disk,
            log: memoryLogger(),
            directory: '/data/blocks',
            openHead: (share) => openReader(share),
          },
        ),
    )
    return {
      post: (message) => setImmediate(() => ask(structuredClone(message as ToBlocks))),
      onMessage: (fn) => void (hear = fn),
      onExit: () => {},
      terminate: async () => {},
    }
  }

  /** The clock goes on meanwhile, since commits wait for it. */
  async #ended<T>(promise: Promise<T>): Promise<T> {
    let isOver = false
    const over = promise.finally(() => (isOver = true))
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve))
      this.#clock.advance(1)
    }
    return over
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      this.#clock.advance(Math.min(left, 1000))
      for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async write({ times, isChurn, requests }: Write): Promise<void> {
    for (let i = 0; i < requests; i++) {
      const now = this.#clock.now()
      const stepMs = times === 'now' ? Math.max(1, Math.floor((now - this.#sentMs) / TIMES)) : 5000
      const base =
        times === 'now'
          ? Math.min(now, this.#sentMs)
          : times === 'late'
            ? now - TIMES * stepMs - Math.floor(this.#random.float() * 300) * MINUTE_MS
            : now + Math.floor(this.#random.float() * MINUTE_MS)
      const timestamps = Array.from({ length: TIMES }, (_, n) => base + n * stepMs)
      const isTaken = await this.#send(SERIES, timestamps, isChurn ? `churn-${this.#churned++}-` : '')
      if (isTaken && times === 'now') this.#sentMs = timestamps.at(-1)! + stepMs
    }
  }

  /** One request of so many series of one sample each. */
  async writeWide(count: number): Promise<boolean> {
    return await this.#send(count, [this.#clock.now()], 'wide-')
  }

  async #send(count: number, timestamps: readonly number[], prefix = ''): Promise<boolean> {
    const names = Array.from({ length: count }, (_, i) => `${prefix}${i}`)
    const series = names.map((i) => ({
      labels: labelsFrom({ __name__: 'm', i }),
      timestamps: [...timestamps],
      values: Float64Array.from(timestamps, (time) => Math.sin(time + i.length)),
    }))
    const { status } = await this.#ended(this.#ingest.remoteWrite(snappyCompress(encodeWriteRequest(series))))
    if (status === REFUSED) {
      this.refusals++
      return false
    }
    // Some of it may be refused for its age; what is not is told by count only.
    if (status !== 204) return false
    for (const name of names) {
      const known = this.acknowledged.get(name) ?? new Set()
      for (const time of timestamps) known.add(time)
      this.acknowledged.set(name, known)
    }
    return true
  }

  /** Seconds until it takes a sample of now. */
  async secondsUntilTaken(maxSeconds: number): Promise<number> {
    for (let seconds = 0; seconds <= maxSeconds; seconds++) {
      if (await this.#send(1, [this.#clock.now()])) return seconds
      await this.pass(1000)
    }
    return Number.POSITIVE_INFINITY
  }

  /** Writes until it refuses. */
  async fill(times: Write['times']): Promise<void> {
    const before = this.refusals
    for (let i = 0; this.refusals === before; i++) {
      assert.ok(i < 100, `${times} does not fill the memory`)
      if (times === 'now') await this.pass(TIMES)
      await this.write({ times, isChurn: false, requests: 1 })
    }
  }

  hold(): void {
    this.#held.push(openReader(this.#ingest.share()))
  }

  release(): void {
    for (const reader of this.#held.splice(0)) reader.release()
  }

  async kill(): Promise<void> {
    const nowMs = this.#clock.now()
    this.#held = []
    this.#disk = this.#disk.crash(() => this.#random.float())
    await this.start(nowMs)
  }

  /** Times that it acknowledged and does not show. */
  missing(): string[] {
    const set = new BlockSet(
      { ...memoryEnv(), disk: this.#disk },
      { cacheBytes: 1 << 20, onDamage: (error) => assert.fail(JSON.stringify(error)) },
    )
    const { paths, deletes, hidden } = this.#keeper.view()
    const head = openReader(this.#ingest.share())
    const reader = set.behind(head, { paths, deletes, hidden })
    const out = createSampleBuffer()
    const missing: string[] = []
    for (const [i, times] of this.acknowledged) {
      const left = new Set(times)
      const refs = reader.select(
        [
          { name: '__name__', op: '=', value: 'm' },
          { name: 'i', op: '=', value: i },
        ],
        ALL,
      )
      for (const ref of refs) {
        reader.read(ref, ALL, out)
        for (let at = 0; at < out.count; at++) left.delete(out.times[at]!)
      }
      if (left.size > 0) missing.push(`${left.size} of ${times.size} of ${i}`)
    }
    head.release()
    set.close()
    return missing
  }
}

/** What fills the memory is ahead of the clock, by minutes. */
const AHEAD: Step[] = [{ passMs: 10_100 }, { times: 'future', isChurn: false, requests: 12 }]

test('a hub whose memory is full accepts again within a minute, and has what it acknowledged', async () => {
  let refusals = 0
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(2000, 7_200_000),
      fc.constantFrom(2 ** 20, 2 ** 21),
      fc.array(anyStep, { minLength: 5, maxLength: 40 }),
      async (blockMs, maxBytes, steps) => {
        const hub = new Hub(blockMs, maxBytes)
        await hub.start()
        for (const step of steps) {
          if (step === 'hold') hub.hold()
          else if (step === 'release') hub.release()
          else if (step === 'kill') await hub.kill()
          else if ('passMs' in step) await hub.pass(step.passMs)
          else await hub.write(step)
        }
        hub.release()
        const seconds = await hub.secondsUntilTaken(60)
        assert.ok(seconds <= 60, `nothing is taken for ${seconds} s`)
        assert.deepEqual(hub.missing(), [])
        refusals += hub.refusals
      },
    ),
    { numRuns: 6, endOnFailure: true, examples: [[2000, 2 ** 20, AHEAD]] },
  )
  assert.ok(refusals > 0, 'no run filled the memory')
})

for (const blockMs of [2000, 7_200_000])
  test(`series that found no room for a sample do not keep others out, with blocks of ${blockMs} ms`, async () => {
    const hub = new Hub(blockMs, 2 ** 20)
    await hub.start()
    assert.equal(await hub.writeWide(6000), false)
    const seconds = await hub.secondsUntilTaken(60)
    assert.ok(seconds <= 60, `nothing is taken for ${seconds} s`)
  })

/** Times: samples of them until some are refused. */
type Scenario = readonly ((typeof TIMES_OF)[number] | 'hold' | 'release' | 'pass')[]
const scenarios: Record<string, Scenario> = {
  'samples ahead of the clock': ['future'],
  'samples of now': ['now'],
  'late samples': ['late'],
  'late samples for what is in blocks': ['now', 'pass', 'late', 'pass', 'late'],
  'late samples again and again': ['late', 'pass', 'late', 'pass', 'late', 'pass', 'late'],
  'what a reader held': ['hold', 'now', 'pass', 'late', 'pass', 'release'],
  'late samples beside what a reader held': ['now', 'hold', 'late', 'pass', 'release', 'pass', 'late'],
}
for (const [name, scenario] of Object.entries(scenarios))
  test(`memory that is full is relieved: ${name}`, async () => {
    const hub = new Hub(7_200_000, 2 ** 20)
    await hub.start()
    for (const step of scenario) {
      if (step === 'hold') hub.hold()
      else if (step === 'release') hub.release()
      else if (step === 'pass') await hub.pass(15_000)
      else await hub.fill(step)
    }
    const seconds = await hub.secondsUntilTaken(60)
    assert.ok(seconds <= 60, `nothing is taken for ${seconds} s`)
    assert.deepEqual(hub.missing(), [])
  })
