import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Clock, Timer } from '../../protocol/env/mod.ts'
import { formatLabels, labelsFrom } from '../../protocol/labels/mod.ts'
import type { GroupEnv } from './group.ts'
import { loadRuleFile, RuleManager } from './mod.ts'

const INTERVAL_MS = 10_000
const DEFAULTS = { intervalMs: INTERVAL_MS, queryOffsetMs: 0 }
const CONTEXT = { externalLabels: labelsFrom({}), externalUrl: '' }

/** Lets all that can go on without the clock go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A manager whose time stands still but for `to()`; queries wait while there is a `gate`. */
class Stage {
  nowMs = 0
  gate: Promise<void> | null = null
  readonly evaluatedAt: number[] = []
  readonly written: string[] = []
  readonly #timers = new Set<{ atMs: number; fn: () => void }>()
  readonly #clock: Clock = {
    now: () => this.nowMs,
    monotonic: () => this.nowMs,
    sleep: () => Promise.reject(new Error('BUG: nobody sleeps')),
    setTimer: (delayMs, fn): Timer => {
      const timer = { atMs: this.nowMs + delayMs, fn }
      this.#timers.add(timer)
      return { cancel: () => void this.#timers.delete(timer) }
    },
  }
  readonly #env: Omit<GroupEnv, 'monotonic'> = {
    query: async (_, timeMs) => {
      this.evaluatedAt.push(timeMs)
      await this.gate
      return [{ labels: labelsFrom({}), value: 1 }]
    },
    append: async (timeMs, samples) => {
      for (const { labels, stale } of samples)
        this.written.push(`${timeMs} ${formatLabels(labels)}${stale ? ' ended' : ''}`)
    },
    notify: () => {},
    context: CONTEXT,
    resendDelayMs: 60_000,
    outageToleranceMs: 0,
    forGracePeriodMs: 0,
  }
  readonly manager = new RuleManager({
    clock: this.#clock,
    log: { warn() {}, error: assert.fail } as never,
    env: this.#env,
  })

  load(rules: string): void {
    this.manager.apply(loadRuleFile(rules, 'f.yml'), DEFAULTS, CONTEXT)
  }

  async to(timeMs: number): Promise<void> {
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= timeMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.nowMs = Math.max(this.nowMs, due.atMs)
      due.fn()
      await settled()
    }
    this.nowMs = timeMs
  }
}

const ONE = 'groups: [{name: g, rules: [{record: r, expr: x}]}]'

/** The first evaluation, and what lets it go on. */
async function atFirst(stage: Stage): Promise<{ readonly firstMs: number; readonly open: () => Promise<void> }> {
  let release = (): void => {}
  stage.gate = new Promise((resolve) => (release = resolve))
  await stage.to(INTERVAL_MS)
  const open = (): Promise<void> => {
    stage.gate = null
    release()
    return settled()
  }
  return { firstMs: stage.evaluatedAt[0]!, open }
}

const lates: readonly (readonly [tookMs: number, nextSlot: number, missed: number])[] = [
  [4_000, 1, 0],
  [14_000, 1, 0],
  [24_000, 2, 1],
  [58_000, 5, 4],
]
for (const [tookMs, nextSlot, missed] of lates)
  test(`after an evaluation of ${tookMs} ms that of slot ${nextSlot} is next, and ${missed} are missed`, async () => {
    const stage = new Stage()
    stage.load(ONE)
    const { firstMs, open } = await atFirst(stage)
    await stage.to(firstMs + tookMs)
    await open()
    await stage.to(Math.max(stage.nowMs, firstMs + INTERVAL_MS))
    assert.deepEqual(stage.evaluatedAt, [firstMs, firstMs + nextSlot * INTERVAL_MS])
    assert.equal(stage.manager.groups[0]!.counters.missed, missed)
    await stage.manager.stop()
  })

test('a group that changes during an evaluation takes over what that one has written', async () => {
  const stage = new Stage()
  stage.load(ONE)
  const { firstMs, open } = await atFirst(stage)
  stage.load(ONE.replace('record: r', 'record: s'))
  await open()
  await stage.to(firstMs + INTERVAL_MS)
  assert.deepEqual(stage.written, [
    `${firstMs} {__name__="r"}`,
    `${firstMs + INTERVAL_MS} {__name__="s"}`,
    `${firstMs + INTERVAL_MS} {__name__="r"} ended`,
  ])
  await stage.manager.stop()
})

test('series of a group that is gone are ended as of then, unless another group tells them', async () => {
  const stage = new Stage()
  stage.load('groups: [{name: g, rules: [{record: r, expr: x}, {record: s, expr: x}]}]')
  await stage.to(INTERVAL_MS)
  const goneMs = stage.nowMs
  stage.load('groups: [{name: renamed, rules: [{record: r, expr: x}]}]')
  await stage.to(goneMs + 2 * INTERVAL_MS)
  assert.deepEqual(
    stage.written.filter((line) => line.endsWith('ended')),
    [`${goneMs} {__name__="s"} ended`],
  )
  await stage.manager.stop()
})
