import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MissedSlots, SampleSink, Scrape } from '../../protocol/batch/mod.ts'
import { type BudgetConfig, loadAgentConfig } from '../../protocol/config/mod.ts'
import type { Disk, Logger } from '../../protocol/env/mod.ts'
import { type Labels, labelsFrom, labelsKey } from '../../protocol/labels/mod.ts'
import { isStaleAt } from '../../protocol/samples/mod.ts'
import { VirtualClock } from '../scrape/testing/virtual-clock.ts'
import { Budget } from './mod.ts'
import { Pacer } from './pacer.ts'

const START_MS = Date.UTC(2024, 0, 5, 22)
const STEP_MS = 10_000

const configOf = (text: string): BudgetConfig =>
  loadAgentConfig(`budget: ${text}`, { file: 'agent.yml' }).budget ?? assert.fail('no budget')

const CONFIG = `
  bytes_per_second: 1000B
  classes: [{name: details, match: ['detail', '{job="noise"}']}]
  steps: [{drop: details}, {interval: 2}]
`

/** A disk with one file. */
function memoryDisk(): Pick<Disk, 'readText' | 'stat' | 'writeFileAtomic'> & { text: string | null } {
  const disk = {
    text: null as string | null,
    readText: () => disk.text!,
    stat: () => (disk.text === null ? null : ({ size: disk.text.length } as never)),
    writeFileAtomic: (_: string, bytes: string | Uint8Array) => void (disk.text = String(bytes)),
  }
  return disk
}

class World {
  readonly clock = new VirtualClock(START_MS)
  readonly disk = memoryDisk()
  readonly scrapes: Scrape[] = []
  readonly gaps: MissedSlots[] = []
  readonly said: string[] = []
  made = 0
  readonly #ids = new Map<string, number>()
  readonly #log: Logger = {
    debug() {},
    info() {},
    warn: (message, fields) => void this.said.push(`${message} ${fields?.['step']}`),
    error() {},
    with: () => this.#log,
  }
  readonly recorder: SampleSink = {
    epoch: 1,
    define: (labels: Labels) => {
      const key = labelsKey(labels)
      if (!this.#ids.has(key)) this.#ids.set(key, this.#ids.size)
      return this.#ids.get(key)!
    },
    append: (scrape) => void this.scrapes.push(scrape),
    missed: (slots) => void this.gaps.push(slots),
  }
  readonly budget: Budget

  constructor(config = CONFIG) {
    this.budget = new Budget({
      env: { clock: this.clock, disk: this.disk, log: this.#log },
      config: configOf(config),
      file: 'budget.json',
      recorder: this.recorder,
      madeBytes: () => this.made,
    })
  }

  /** One scrape of three series a slot, so many bytes a second made. */
  async run(seconds: number, bytesPerSecond: number): Promise<void> {
    const { sink } = this.budget
    const ids = Uint32Array.of(
      sink.define(labelsFrom({ __name__: 'up' }), null),
      sink.define(labelsFrom({ __name__: 'detail' }), null),
      sink.define(labelsFrom({ __name__: 'x', job: 'noise' }), null),
    )
    for (let i = 0; i < seconds; i += STEP_MS / 1000) {
      const slotMs = this.clock.now()
      this.made += (bytesPerSecond * STEP_MS) / 1000
      sink.append({
        target: 't',
        slotMs,
        intervalMs: STEP_MS,
        timestampMs: slotMs,
        ids,
        values: Float64Array.of(1, 2, 3),
        timestamps: null,
        startTimestamps: null,
        histograms: null,
        exemplars: null,
      })
      await this.clock.advance(STEP_MS)
    }
  }

  get level(): number {
    const family = this.budget.families().find(({ name }) => name === 'heliograph_agent_budget_level')!
    return (family.metrics[0] as { value: number }).value
  }
}

test('over the budget the steps are taken in order, and given back when there is room again', async () => {
  const world = new World()
  await world.run(60, 500)
  assert.equal(world.level, 0)
  await world.run(60, 2500)
  assert.equal(world.level, 1)
  await world.run(60, 2000)
  assert.equal(world.level, 2)
  await world.run(120, 900)
  assert.equal(world.level, 2, 'what the last step saves would not fit')
  await world.run(600, 200)
  assert.equal(world.level, 0)
  assert.deepEqual(world.said, [
    'Budget: the link allows less than is made; a step is taken drop details',
    'Budget: the link allows less than is made; a step is taken interval 2',
    'Budget: a step is given back interval 2',
    'Budget: a step is given back drop details',
  ])
})

test('a dropped class ends with stale markers, and its slots are gaps with the reason', async () => {
  const world = new World()
  await world.run(60, 2000)
  const before = world.scrapes.length
  // Long enough in one step for the gaps to be told: below the budget, but not by enough to give the step back.
  await world.run(300, 900)
  const [first, second] = world.scrapes.slice(before)
  assert.equal(first!.ids.length, 3)
  const words = new Uint32Array(first!.values.buffer)
  assert.deepEqual(
    [0, 1, 2].map((i) => isStaleAt(words, i)),
    [false, true, true],
  )
  assert.deepEqual([[...second!.ids], [...second!.values]], [[0], [1]])
  world.budget.stop()
  const own = world.gaps.filter(({ target }) => target === 't class=details')
  assert.ok(own.length >= 1 && own.every(({ reason }) => reason === 'budget'))
  const slots = own.reduce((sum, { fromMs, toMs }) => sum + (toMs - fromMs) / STEP_MS + 1, 0)
  assert.equal(slots, 30, 'each slot without the class is accounted for')
})

test('a wider interval keeps slots at the same absolute times and tells the others', async () => {
  const world = new World('{bytes_per_second: 1000B, steps: [{interval: 4}]}')
  await world.run(60, 2000)
  const before = world.scrapes.length
  await world.run(120, 900)
  const kept = world.scrapes.slice(before).map(({ slotMs }) => (slotMs / STEP_MS) % 4)
  assert.deepEqual(kept, [0, 0, 0])
  assert.equal(world.gaps.length, 9)
  assert.ok(world.gaps.every(({ target, reason }) => target === 't' && reason === 'budget'))
})

test('the pacer holds a rate after a short burst', async () => {
  const clock = new VirtualClock(START_MS)
  const pacer = new Pacer({
    clock,
    disk: memoryDisk(),
    log: { debug() {}, info() {}, warn() {}, error() {}, with: () => assert.fail() },
    file: 'b',
    bytesPerSecond: 10_000,
    bytesPerDay: 0,
  })
  let sent = 0
  for (let second = 0; second < 60; second++) {
    while (pacer.readyAt() <= clock.monotonic()) {
      pacer.spend(1000)
      sent += 1000
    }
    await clock.advance(1000)
  }
  assert.ok(sent >= 600_000 && sent <= 710_000, String(sent))
})

test('the daily cap holds over a restart, and ends with the day', async () => {
  const clock = new VirtualClock(START_MS)
  const disk = memoryDisk()
  const open = (): Pacer =>
    new Pacer({
      clock,
      disk,
      log: { debug() {}, info() {}, warn() {}, error() {}, with: () => assert.fail() },
      file: 'b',
      bytesPerSecond: 0,
      bytesPerDay: 1_000_000,
    })
  const first = open()
  first.spend(600_000)
  first.save()
  const second = open()
  assert.equal(second.usedToday, 600_000)
  assert.ok(Math.abs(second.allowedBytesPerSecond - 400_000 / 7200) < 0.01, 'two hours of the day are left')
  second.spend(400_000)
  assert.equal(second.readyAt() - clock.monotonic(), 2 * 3_600_000)
  await clock.advance(2 * 3_600_000)
  assert.ok(second.readyAt() <= clock.monotonic())
  disk.text = '{"day": "x"'
  assert.equal(open().usedToday, 0, 'a file that cannot be read costs nothing but exactness')
})

for (const [text, problem] of [
  ['{}', /a budget needs bytes_per_second or bytes_per_day/],
  ['{bytes_per_second: 200}', /a size needs its unit: write 200B \(or KB, MB, GB\), got "200"/],
  ['{bytes_per_day: -5KB}', /a size cannot be negative, got "-5KB"/],
  ['{bytes_per_day: 1MB, steps: [{drop: c}]}', /step drops the class "c", known are default/],
  ['{bytes_per_day: 1MB, steps: [{interval: 1}]}', /interval must be from 2 to 1000/],
  ['{bytes_per_day: 1MB, steps: [{interval: 2, drop: default}]}', /a step is one of/],
  ['{bytes_per_day: 1MB, classes: [{name: a, match: ["rate(x[5m])"]}]}', /expected/],
  ['{bytes_per_day: 1MB, classes: [{name: a}]}', /matches nothing/],
  ['{bytes_per_day: 1MB, classes: [{name: default, match: [up]}]}', /is there twice/],
] as const)
  test(`refuses budget ${text}`, () => assert.throws(() => configOf(text), problem))
