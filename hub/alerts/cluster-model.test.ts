/**
 * Members that are killed, started again, cut off from NATS and slow, in any order: in the end the receiver knows what is
 * true, and it was told twice only where somebody was killed or cut off. `HELIO_LONG=1` runs more of it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ClusterBus, World } from './scenarios.ts'

const CONFIG = `
route: {receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 4s, repeat_interval: 4h}
receivers: [{name: hook, webhook_configs: [{url: 'http://{{hook}}'}]}]
`
const NAMES = ['a', 'b', 'c']
const HOUR_MS = 3_600_000
const STEP_MS = 50
/** Of rules: each tells what fires, and what has ended, every second. */
const RESEND_MS = 1000

type Step =
  | { readonly kind: 'change'; readonly alert: string }
  | { readonly kind: 'kill' | 'cut' | 'slow'; readonly who: number }
  | { readonly kind: 'wait'; readonly seconds: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('change' as const), alert: fc.constantFrom('1', '2', '3') }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constantFrom('kill' as const, 'cut' as const, 'slow' as const), who: fc.nat(2) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 20 }) }) },
)

class Model {
  readonly bus = new ClusterBus()
  /** null: killed. */
  readonly members: (World | null)[]
  readonly #stores: World['store'][]
  /** When each alert began, and ended. */
  readonly #alerts = new Map<string, { startsAtMs: number; endsAtMs: number | null }>()
  readonly #away = new Set<number>()
  #nextSendMs = 0
  disturbances = 0

  constructor(count: number) {
    this.members = NAMES.slice(0, count).map((name) => new World(CONFIG, {}, { bus: this.bus, name }))
    this.#stores = this.members.map((member) => member!.store)
  }

  async do(each: Step): Promise<void> {
    if (each.kind === 'wait') return this.run(each.seconds)
    if (each.kind === 'change') {
      const nowMs = this.bus.clock.now()
      const known = this.#alerts.get(each.alert)
      if (!known || known.endsAtMs !== null) this.#alerts.set(each.alert, { startsAtMs: nowMs, endsAtMs: null })
      else known.endsAtMs = nowMs
      return
    }
    const who = each.who % this.members.length
    const member = this.members[who]!
    if (each.kind === 'slow') member?.setSlowMs(1500)
    else if (each.kind === 'cut') this.#cut(who, !this.#away.has(who))
    else if (member) {
      this.disturbances++
      member.kill()
      this.members[who] = null
    } else this.#start(who)
  }

  #cut(who: number, isAway: boolean): void {
    // Nobody knows of the others what was told meanwhile.
    this.disturbances += this.members.length
    if (isAway) this.#away.add(who)
    else this.#away.delete(who)
    this.members[who]?.setAway(isAway)
  }

  #start(who: number): void {
    const member = new World(CONFIG, {}, { bus: this.bus, name: NAMES[who]!, store: this.#stores[who]! })
    if (this.#away.has(who)) member.setAway(true)
    this.members[who] = member
  }

  /** All faults end. */
  heal(): void {
    for (const who of this.members.keys()) {
      if (this.#away.has(who)) this.#cut(who, false)
      if (this.members[who] === null) this.#start(who)
    }
  }

  async run(seconds: number): Promise<void> {
    const { clock } = this.bus
    const endMs = clock.now() + seconds * 1000
    while (clock.now() < endMs) {
      if (clock.now() >= this.#nextSendMs) {
        this.#nextSendMs = clock.now() + RESEND_MS
        await this.#send()
      }
      await clock.advance(STEP_MS)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #send(): Promise<void> {
    for (const member of this.members) {
      const alerts = [...this.#alerts].map(([n, { startsAtMs, endsAtMs }]) => ({
        labels: { n },
        startsAt: new Date(startsAtMs).toISOString(),
        endsAt: new Date(endsAtMs ?? this.bus.clock.now() + HOUR_MS).toISOString(),
      }))
      await member?.api('POST', '/alerts', alerts)
    }
  }

  stop(): void {
    for (const member of this.members) member?.kill()
  }

  check(): void {
    const last = new Map<string, boolean>()
    let repeated = 0
    let before = ''
    for (const { alerts } of this.bus.received) {
      const said = alerts.map(({ labels, endsAt }) => `${labels['n']} ${endsAt.startsWith('0001-')}`).sort()
      for (const each of said) last.set(each[0]!, each.endsWith('true'))
      if (said.join() === before) repeated++
      before = said.join()
    }
    for (const [n, { endsAtMs }] of this.#alerts)
      assert.equal(last.get(n) ?? false, endsAtMs === null, `alert ${n} ${endsAtMs === null ? 'fires' : 'has ended'}`)
    assert.ok(repeated <= this.disturbances, `${repeated} repeated, ${this.disturbances} disturbances`)
  }
}

const numRuns = process.env['HELIO_LONG'] ? 500 : 12
test(
  'in the end the receiver knows the truth, and nothing was told twice without a reason',
  { timeout: 3_600_000 },
  () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 3 }),
        fc.array(step, { minLength: 3, maxLength: 14 }),
        async (count, steps) => {
          const model = new Model(count)
          try {
            await model.run(1)
            for (const each of steps) await model.do(each)
            model.heal()
            // Leases settle, each member has its turn, and its next.
            await model.run(90)
            model.check()
          } catch (error) {
            throw new Error(`${(error as Error).message}\n${JSON.stringify(model.bus.received)}`, { cause: error })
          } finally {
            model.stop()
          }
        },
      ),
      { numRuns },
    ),
)
