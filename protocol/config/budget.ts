/**
 * `budget:` of agent.yml: what the link may cost, and what is given up first when it is not enough.
 *
 *     budget:
 *       bytes_per_second: 20KB      # what leaves, messages' overhead included; see below for bursts
 *       bytes_per_day: 500MB        # of a day in UTC
 *       window: 1m                  # over which it is judged
 *       classes:                    # of series; the first that matches, else `default`
 *         - {name: details, match: ['{__name__=~"node_netstat_.*|go_.*"}']}
 *       steps:                      # in this order, one after the other
 *         - {interval: 2}           # only every second slot
 *         - {drop: details}
 *         - {interval: 4}
 *
 * `bytes_per_second` is a mean: after a start, and whenever less has left than might have, ten seconds' worth may leave
 * at once, and 64 KiB at least, for a batch is never cut in two. Sizes need their unit (`200B`).
 */
import type { Matcher } from '../matchers/mod.ts'
import { parseSelector } from '../matchers/selector.ts'
import { type Decoder, list, natural, object, parsed, string } from './decode.ts'
import { duration } from './discovery.ts'
import { parseSize } from './units.ts'

export const DEFAULT_CLASS = 'default'
const DEFAULT_WINDOW_MS = 60_000

export type BudgetClass = { readonly name: string; readonly selectors: readonly (readonly Matcher[])[] }

/** `interval`: only slots whose number is divisible by it; `drop`: no series of that class. */
export type BudgetStep =
  | { readonly kind: 'interval'; readonly factor: number }
  | { readonly kind: 'drop'; readonly class: string }

export type BudgetConfig = {
  /** 0 = no limit. */
  readonly bytesPerSecond: number
  /** 0 = no limit. */
  readonly bytesPerDay: number
  /** Over so long what is made is compared with what is allowed. */
  readonly windowMs: number
  readonly classes: readonly BudgetClass[]
  readonly steps: readonly BudgetStep[]
}

export function stepName(step: BudgetStep): string {
  return step.kind === 'drop' ? `drop ${step.class}` : `interval ${step.factor}`
}

const selector = parsed((text) => {
  const { matchers, rangeMs, offsetMs } = parseSelector(text)
  if (rangeMs !== null || offsetMs !== 0) throw new Error('a class takes selectors without range and offset')
  return matchers
})

const budgetClass = object('agent.BudgetClass', { name: string, match: list(selector) }, (raw, at): BudgetClass => {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(raw.name ?? ''))
    at.fail(`a class needs a name of A-Z a-z 0-9 _ -, got ${JSON.stringify(raw.name ?? '')}`)
  if (!raw.match?.length)
    at.fail(`class ${JSON.stringify(raw.name)} matches nothing: give it "match", a list of selectors`)
  return { name: raw.name!, selectors: raw.match! }
})

const budgetStep = object('agent.BudgetStep', { interval: natural, drop: string }, (raw, at): BudgetStep => {
  const given = [raw.interval, raw.drop].filter((value) => value !== undefined).length
  if (given !== 1) at.fail('a step is one of "interval: N" (every Nth slot) and "drop: CLASS"')
  if (raw.drop !== undefined) return { kind: 'drop', class: raw.drop }
  if (raw.interval! < 2 || raw.interval! > 1000) at.fail(`interval must be from 2 to 1000, got ${raw.interval}`)
  return { kind: 'interval', factor: raw.interval! }
})

export const budget: Decoder<BudgetConfig> = object(
  'agent.BudgetConfig',
  {
    bytes_per_second: parsed(parseSize),
    bytes_per_day: parsed(parseSize),
    window: duration,
    classes: list(budgetClass),
    steps: list(budgetStep),
  },
  (raw, at): BudgetConfig => {
    const classes = raw.classes ?? []
    const steps = raw.steps ?? []
    const names = [DEFAULT_CLASS, ...classes.map(({ name }) => name)]
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice !== undefined) at.fail(`class ${JSON.stringify(twice)} is there twice`)
    for (const step of steps)
      if (step.kind === 'drop' && !names.includes(step.class))
        at.fail(`step drops the class ${JSON.stringify(step.class)}, known are ${names.join(', ')}`)
    if (!raw.bytes_per_second && !raw.bytes_per_day) at.fail('a budget needs bytes_per_second or bytes_per_day')
    return {
      bytesPerSecond: raw.bytes_per_second ?? 0,
      bytesPerDay: raw.bytes_per_day ?? 0,
      windowMs: raw.window || DEFAULT_WINDOW_MS,
      classes,
      steps,
    }
  },
)
