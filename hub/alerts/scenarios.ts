/** The kit's scenarios of a whole Alertmanager: dispatcher and API under a clock that is turned by hand. */
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { VirtualClock } from '../../agent/scrape/testing/virtual-clock.ts'
import {
  type Disk,
  type HttpRequest,
  type HttpResponse,
  type Logger,
  type Net,
  NetError,
} from '../../protocol/env/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { Cluster, LEASE_MS } from '../cluster/mod.ts'
import { MemoryKv, type MemoryKvClient } from '../cluster/testing/memory-kv.ts'
import { fingerprint } from './alert.ts'
import { alertApi } from './api.ts'
import { loadAlertmanagerConfig } from './config/mod.ts'
import { Dispatcher } from './dispatcher.ts'
import { memoryStateStore, type StateStore } from './state-store.ts'

export type ScenarioResult = { readonly name: string; readonly error: string | null }

const START_MS = 1_700_000_000_000
const STEP_MS = 10
const PEER_SECONDS = 15

type PlainAlert = {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly startsAt?: number
  readonly endsAt?: number
}
type Action =
  | { readonly at: number; readonly do: 'push'; readonly alerts: readonly PlainAlert[] }
  | {
      readonly at: number
      readonly do: 'setSilence'
      readonly silence: string
      readonly startsAt: number
      readonly endsAt: number
      readonly matchers: readonly { readonly name: string; readonly value: string; readonly isRegex: boolean }[]
    }
  | { readonly at: number; readonly do: 'deleteSilence'; readonly silence: string }
  | { readonly at: number; readonly do: 'reload' }
type Behaviour = {
  readonly stallRequestsBefore?: number
  readonly stallSeconds?: number
  readonly dropRequestsBefore?: number
}
export type Scenario = {
  readonly name: string
  readonly config: string
  readonly cluster?: number
  readonly flags?: readonly string[]
  readonly toleranceSeconds: number
  readonly actions: readonly Action[]
  readonly expect: readonly {
    readonly webhook: string
    readonly between: readonly [number, number]
    readonly alerts: readonly PlainAlert[]
  }[]
  readonly webhookBehaviour?: Readonly<Record<string, Behaviour>>
}

type Received = { readonly webhook: string; readonly at: number; readonly alerts: readonly Shown[] }
type Shown = {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly endsAt: string
}

export async function runScenarios(scenarios: readonly Scenario[]): Promise<ScenarioResult[]> {
  const out: ScenarioResult[] = []
  for (const scenario of scenarios) {
    const [first, ...others] = worldsOf(scenario)
    out.push({ name: scenario.name, error: await first.run(scenario, others) })
  }
  return out
}

/** As many members of one cluster as the scenario has, with receivers in common. */
function worldsOf(scenario: Scenario): [World, ...World[]] {
  const { config, cluster: count = 1 } = scenario
  if (count <= 1) return [new World(config, scenario)]
  const bus = new ClusterBus()
  const others = Array.from(
    { length: count - 1 },
    (_, i) => new World(config, scenario, { bus, name: `member-${i + 1}` }),
  )
  return [new World(config, scenario, { bus, name: 'member-0' }), ...others]
}

/** What the members of a cluster have in common: a clock, the buckets of their NATS, and those who are told. */
export class ClusterBus {
  readonly clock = new VirtualClock(START_MS)
  readonly received: Received[] = []
  readonly leases = new MemoryKv(this.clock, { maxAgeMs: LEASE_MS })
  readonly entries = new MemoryKv(this.clock)
}

export type WorldMember = {
  readonly bus: ClusterBus
  readonly name: string
  /** Of an earlier life. */
  readonly store?: StateStore
  readonly listenMs?: number
  readonly log?: Logger
}

let lives = 0
const log: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => log }

/** A dispatcher and its API, with receivers that write down what they are told. */
export class World {
  readonly clock: VirtualClock
  readonly received: Received[]
  readonly dispatcher: Dispatcher
  readonly store: StateStore
  /** Its connections to NATS. */
  readonly clients: readonly MemoryKvClient[]
  readonly #cluster: Cluster | null
  readonly #config: string
  readonly #behaviour: Readonly<Record<string, Behaviour>>
  readonly #classicNames: boolean
  #ids = 0
  #isUnreachable = false
  #slowMs = 0

  constructor(
    config: string,
    options: Pick<Scenario, 'webhookBehaviour' | 'flags'> & { readonly featureFlags?: readonly string[] },
    member: WorldMember | null = null,
  ) {
    this.clock = member?.bus.clock ?? new VirtualClock(START_MS)
    this.received = member?.bus.received ?? []
    this.store = member?.store ?? memoryStateStore()
    this.clients = member ? [member.bus.leases.connect(), member.bus.entries.connect()] : []
    this.#cluster = member ? this.#join(member) : null
    this.#config = config.replace(/\{\{(\w+)\}\}/g, '$1.test')
    this.#behaviour = options.webhookBehaviour ?? {}
    this.#classicNames = options.featureFlags?.includes('classic-mode') ?? false
    const flags = options.flags ?? []
    const delay = flags.indexOf('--dispatch.start-delay')
    this.dispatcher = new Dispatcher(this.#load(), {
      clock: this.clock,
      disk: {} as Disk,
      net: { request: (request: HttpRequest) => this.#answer(request) } as unknown as Net,
      log,
      mailer: { send: async () => {} },
      random: { bytes: (count) => new Uint8Array(count).fill(++this.#ids) },
      externalUrl: 'http://hub',
      store: this.store,
      sha256: runtimeSha256.sha256,
      startDelayMs: delay < 0 ? 0 : Number.parseInt(flags[delay + 1]!, 10) * 1000,
      ...(this.#cluster && { cluster: this.#cluster }),
    })
    this.#cluster?.start()
  }

  /** As a program that is killed: it says goodbye to nobody. */
  kill(): void {
    for (const client of this.clients) client.setAway(true)
    this.dispatcher.stop()
  }

  /** Its requests to receivers fail; nobody else's do. */
  setUnreachable(isUnreachable: boolean): void {
    this.#isUnreachable = isUnreachable
  }

  /** Its requests to receivers take so long. */
  setSlowMs(slowMs: number): void {
    this.#slowMs = slowMs
  }

  /** Cuts the connections to NATS, or restores them. */
  setAway(isAway: boolean): void {
    for (const client of this.clients) client.setAway(isAway)
  }

  #join({ name, listenMs = 0, log: own = log }: WorldMember): Cluster {
    const [leases, entries] = this.clients as [MemoryKvClient, MemoryKvClient]
    const self = { id: `id-${name}`, name, address: `${name}:9093` }
    return new Cluster({ self, life: String(++lives), leases, entries, listenMs }, { clock: this.clock, log: own })
  }

  get #seconds(): number {
    return (this.clock.now() - START_MS) / 1000
  }

  /** @param others members of the same cluster: alerts come to all, everything else to this one */
  async run({ actions, expect, toleranceSeconds }: Scenario, others: readonly World[] = []): Promise<string | null> {
    const ends = [...actions.map(({ at }) => at), ...expect.map(({ between }) => between[1])]
    const silences = new Map<string, string>()
    for (const action of actions) {
      await this.until(action.at)
      await this.#act(action, silences)
      if (action.do === 'push' || action.do === 'reload') for (const other of others) await other.#act(action, silences)
    }
    // No longer: what repeats would go on. But each member waits for those before it.
    await this.until(Math.max(0, ...ends) + others.length * PEER_SECONDS)
    for (const world of [this, ...others]) world.dispatcher.stop()
    return this.#judge(expect, toleranceSeconds)
  }

  async until(seconds: number): Promise<void> {
    while (this.#seconds < seconds - 1e-9) {
      await this.clock.advance(Math.min(STEP_MS, Math.max(1, Math.round((seconds - this.#seconds) * 1000))))
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  api(method: string, path: string, body?: unknown): Promise<Response> {
    const request = new Request(`http://hub/api/v2${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const build = { version: '0', revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' }
    return alertApi(request, path.replace(/\?.*/, ''), {
      dispatcher: () => this.dispatcher,
      now: () => this.clock.now(),
      build,
      classicNames: this.#classicNames,
    })
  }

  async #act(action: Action, silences: Map<string, string>): Promise<void> {
    const time = (seconds: number): string => new Date(START_MS + seconds * 1000).toISOString()
    switch (action.do) {
      case 'push':
        await this.#ok(
          'POST',
          '/alerts',
          action.alerts.map(({ labels, annotations, startsAt, endsAt }) => ({
            labels,
            annotations,
            ...(startsAt !== undefined && { startsAt: time(startsAt) }),
            ...(endsAt !== undefined && { endsAt: time(endsAt) }),
          })),
        )
        return
      case 'setSilence': {
        const { silence, startsAt, endsAt, matchers } = action
        const answer = await this.#ok('POST', '/silences', {
          matchers,
          startsAt: time(startsAt),
          endsAt: time(endsAt),
          createdBy: 'kit',
          comment: silence,
        })
        silences.set(silence, (JSON.parse(answer) as { silenceID: string }).silenceID)
        return
      }
      case 'deleteSilence':
        await this.#ok('DELETE', `/silence/${silences.get(action.silence)}`)
        return
      case 'reload':
        this.dispatcher.reload(this.#load())
    }
  }

  async #ok(method: string, path: string, body?: unknown): Promise<string> {
    const response = await this.api(method, path, body)
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text
  }

  #load() {
    return loadAlertmanagerConfig(this.#config, 'alertmanager.yml')
  }

  async #answer({ url, body, timeoutMs }: HttpRequest): Promise<HttpResponse> {
    const webhook = new URL(url).hostname.replace('.test', '')
    const { stallRequestsBefore = 0, stallSeconds = 0, dropRequestsBefore = 0 } = this.#behaviour[webhook] ?? {}
    if (this.#slowMs > 0) await this.clock.sleep(this.#slowMs)
    if (this.#isUnreachable) throw new NetError('ECONNREFUSED', 'nobody is there')
    const at = this.#seconds
    if (at < stallRequestsBefore) {
      await this.clock.sleep(Math.min(timeoutMs, stallSeconds * 1000))
      if (timeoutMs < stallSeconds * 1000) throw new NetError('TIMEOUT', 'no answer in time')
    } else if (at >= dropRequestsBefore) {
      const { alerts } = JSON.parse(new TextDecoder().decode(body)) as { alerts: Shown[] }
      this.received.push({ webhook, at, alerts })
    }
    return { status: 200, headers: {}, body: new Uint8Array(0) }
  }

  /** Of the notifications in the interval there is one with these alerts, and in total no more than expected. */
  #judge(expect: Scenario['expect'], tolerance: number): string | null {
    const problems: string[] = []
    const counts = new Map<string, number>()
    for (const { webhook, between, alerts } of expect) {
      counts.set(webhook, (counts.get(webhook) ?? 0) + alerts.length)
      const inside = this.received.filter(
        (each) => each.webhook === webhook && each.at >= between[0] - tolerance && each.at <= between[1] + tolerance,
      )
      const found =
        alerts.length === 0 ? inside.length === 0 : inside.some((each) => isSame(each.alerts, alerts, tolerance))
      if (!found)
        problems.push(`${webhook} in ${between}: want ${JSON.stringify(alerts)}, got ${JSON.stringify(inside)}`)
    }
    for (const { webhook, alerts } of this.received) {
      if (alerts.length === 0) problems.push(`${webhook}: an empty notification`)
      counts.set(webhook, (counts.get(webhook) ?? 0) - alerts.length)
    }
    for (const [webhook, missing] of counts) if (missing !== 0) problems.push(`${webhook}: ${-missing} alerts too many`)
    return problems.length > 0 ? `${problems.join('\n')}\nall: ${JSON.stringify(this.received)}` : null
  }
}

function isSame(got: readonly Shown[], wanted: readonly PlainAlert[], tolerance: number): boolean {
  const near = (text: string, seconds: number | undefined): boolean =>
    seconds === undefined
      ? text.startsWith('0001-')
      : Math.abs((Date.parse(text) - START_MS) / 1000 - seconds) <= tolerance
  const key = (value: object): string => JSON.stringify(Object.entries(value).sort())
  const rest = [...got]
  for (const { labels, annotations = {}, startsAt, endsAt } of wanted) {
    const at = rest.findIndex(
      (each) =>
        key(each.labels) === key(labels) &&
        key(each.annotations) === key(annotations) &&
        (startsAt === undefined || near(each.startsAt, startsAt)) &&
        near(each.endsAt, endsAt),
    )
    if (at < 0) return false
    rest.splice(at, 1)
  }
  return rest.length === 0
}

type ApiStep = {
  readonly sleepSeconds?: number
  readonly method?: string
  readonly path?: string
  readonly query?: Readonly<Record<string, readonly string[]>>
  readonly body?: unknown
  readonly expectStatus?: number
  readonly expectErrorContains?: string
  readonly expect?: {
    readonly count?: number
    readonly every?: Readonly<Record<string, unknown>>
    readonly where?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
  readonly save?: Readonly<Record<string, string>>
}
export type ApiScenario = {
  readonly name: string
  readonly config: string
  readonly flags?: readonly string[]
  readonly featureFlags?: readonly string[]
  readonly steps: readonly ApiStep[]
}

export async function runApiScenarios(scenarios: readonly ApiScenario[]): Promise<ScenarioResult[]> {
  const out: ScenarioResult[] = []
  for (const scenario of scenarios) {
    const world = new World(scenario.config, scenario)
    const problems: string[] = []
    const saved = new Map<string, string>()
    const prefix = /--web\.route-prefix=(\S+)/.exec(scenario.flags?.join(' ') ?? '')?.[1] ?? ''
    for (const [i, step] of scenario.steps.entries()) {
      const problem = await apiStep(world, step, { prefix, saved })
      if (problem) problems.push(`step ${i}: ${problem}`)
    }
    world.dispatcher.stop()
    out.push({ name: `API: ${scenario.name}`, error: problems.length > 0 ? problems.join('\n') : null })
  }
  return out
}

async function apiStep(
  world: World,
  step: ApiStep,
  { prefix, saved }: { readonly prefix: string; readonly saved: Map<string, string> },
): Promise<string | null> {
  if (step.sleepSeconds !== undefined) {
    await world.until((world.clock.now() - START_MS) / 1000 + step.sleepSeconds)
    return null
  }
  const fill = (value: unknown): unknown => filled(value, world.clock.now(), saved)
  const query = new URLSearchParams()
  for (const [name, values] of Object.entries(step.query ?? {})) for (const value of values) query.append(name, value)
  const path = String(fill(step.path)).slice(`${prefix}/api/v2`.length)
  const response = await world.api(step.method!, `${path}${query.size > 0 ? `?${query}` : ''}`, fill(step.body))
  const text = await response.text()
  if (response.status !== step.expectStatus) return `status ${response.status}, want ${step.expectStatus}: ${text}`
  if (step.expectErrorContains && !text.includes(step.expectErrorContains)) return `got ${text}`
  const body = text === '' ? null : (JSON.parse(text) as unknown)
  for (const [name, field] of Object.entries(step.save ?? {})) saved.set(name, String(at(body, field)))
  return step.expect ? judgeList(body as readonly unknown[], fill(step.expect) as NonNullable<ApiStep['expect']>) : null
}

function judgeList(
  items: readonly unknown[],
  { count, every = {}, where = {} }: NonNullable<ApiStep['expect']>,
): string | null {
  if (count !== undefined && items.length !== count) return `${items.length} items, want ${count}`
  for (const item of items) {
    const wanted = { ...every }
    for (const [condition, more] of Object.entries(where)) {
      const [name = '', value] = condition.split('=')
      if (at(item, `labels.${name}`) === value) Object.assign(wanted, more)
    }
    for (const [field, value] of Object.entries(wanted))
      if (plain(at(item, field)) !== plain(value))
        return `${field} is ${JSON.stringify(at(item, field))}, want ${JSON.stringify(value)} in ${JSON.stringify(item)}`
  }
  return null
}

const plain = (value: unknown): string =>
  JSON.stringify(value, (_, each) =>
    each !== null && typeof each === 'object' && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  )

const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, name) => (inner as Record<string, unknown> | null)?.[name], value)

/** `$now+5m`, `$fingerprint{a="b"}` and saved names. */
function filled(value: unknown, nowMs: number, saved: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((each) => filled(each, nowMs, saved))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, filled(each, nowMs, saved)]))
  if (typeof value !== 'string') return value
  const now = /^\$now(?:\+(\d+)([mh]))?$/.exec(value)
  if (now) return new Date(nowMs + Number(now[1] ?? 0) * (now[2] === 'h' ? 3_600_000 : 60_000)).toISOString()
  const labels = /^\$fingerprint\{(.*)\}$/.exec(value)?.[1]
  if (labels !== undefined)
    return fingerprint(
      labelsFrom([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name!, text!] as const)),
    )
  return value.replace(/\$(\w+)/g, (whole, name: string) => saved.get(name) ?? whole)
}
