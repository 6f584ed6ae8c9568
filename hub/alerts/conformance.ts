/** Suites of the conformance kit's `alertmanager` folder over the production code. */
import { ConfigError, decodeYaml, list } from '../../protocol/config/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import type { MatchOp } from '../../protocol/matchers/mod.ts'
import { goValue } from '../template/go-value.ts'
import { zone } from '../template/mod.ts'
import { inhibitRule } from './config/inhibit-rule.ts'
import { loadAlertmanagerConfig, loadRoute } from './config/mod.ts'
import { Inhibitor } from './inhibit.ts'
import {
  type AlertMatcher,
  formatAlertMatcher,
  newMatcher,
  parseClassicMatchers,
  parseMatcher,
  parseMatchers,
  parseUtf8Matcher,
  parseUtf8Matchers,
} from './matchers/mod.ts'
import { matchRoutes, walkRoutes } from './route.ts'
import { NotificationTemplates } from './template.ts'
import { type TemplateData, templateData } from './template-data.ts'
import { containsTime, type TimeInterval, timeInterval, timeRange } from './time-intervals.ts'

export type AlertCaseResult = { readonly name: string; readonly error: string | null }

type PlainMatcher = { readonly type: MatchOp; readonly name: string; readonly value: string }
type ParseCase = {
  readonly name?: string
  readonly input: string
  readonly matchers?: readonly PlainMatcher[]
  readonly matcher?: PlainMatcher
  readonly error?: string
}
export type MatcherCases = Readonly<
  Record<
    'utf8Matchers' | 'utf8SingleMatcher' | 'fallbackSingleMatcher' | 'fallbackMatchers' | 'classicMatchers',
    readonly ParseCase[]
  >
> & {
  readonly matching?: readonly { type: MatchOp; value: string; input: string; match: boolean }[]
  readonly printing?: readonly (PlainMatcher & { readonly printed: string })[]
  readonly classicLabelNames?: readonly { input: string; valid: boolean }[]
  readonly utf8LabelNames?: readonly { input: string; valid: boolean }[]
}

const PARSERS: Readonly<Record<string, (input: string) => AlertMatcher[]>> = {
  utf8Matchers: parseUtf8Matchers,
  utf8SingleMatcher: (input) => [parseUtf8Matcher(input)],
  fallbackSingleMatcher: (input) => [parseMatcher(input)],
  fallbackMatchers: parseMatchers,
  classicMatchers: parseClassicMatchers,
}

export function runMatcherCases(cases: MatcherCases): AlertCaseResult[] {
  const out: AlertCaseResult[] = []
  for (const [kind, parse] of Object.entries(PARSERS))
    for (const each of (cases as Readonly<Record<string, readonly ParseCase[] | undefined>>)[kind] ?? []) {
      const wanted = each.error ?? JSON.stringify((each.matchers ?? [each.matcher!]).map(plain))
      out.push(
        same(
          `${kind} ${each.input}`,
          attempt(() => JSON.stringify(parse(each.input).map(plainOf))),
          wanted,
        ),
      )
    }
  for (const { type, value, input, match } of cases.matching ?? [])
    out.push(same(`${type} ${value} on ${input}`, newMatcher('x', type, value).matches(input), match))
  for (const { name, type, value, printed } of cases.printing ?? [])
    out.push(same(`printing ${printed}`, formatAlertMatcher(newMatcher(name, type, value)), printed))
  for (const { input, valid } of cases.classicLabelNames ?? [])
    out.push(same(`classic label name ${input}`, isLabelName(input, parseClassicMatchers), valid))
  for (const { input, valid } of cases.utf8LabelNames ?? [])
    out.push(
      same(`UTF-8 label name ${input}`, isLabelName(JSON.stringify(input), parseUtf8Matchers), valid && input !== ''),
    )
  return out
}

const plain = ({ type, name, value }: PlainMatcher): readonly string[] => [name, type, value]
const plainOf = ({ op, name, value }: AlertMatcher): readonly string[] => [name, op, value]

function isLabelName(name: string, parse: (input: string) => AlertMatcher[]): boolean {
  try {
    return parse(`${name}="x"`)[0]!.name !== ''
  } catch {
    return false
  }
}

type Side = Readonly<Record<string, string>>
type InhibitCase = {
  /** As `inhibit_rules` has them. */
  readonly rules: readonly object[]
  readonly activeAlerts?: readonly Side[]
  readonly resolvedAlerts?: readonly Side[]
  readonly target: Side
  readonly muted: boolean
}

export function runInhibitionCases(cases: readonly InhibitCase[]): AlertCaseResult[] {
  const nowMs = 1_700_000_000_000
  return cases.map(({ rules, activeAlerts = [], resolvedAlerts = [], target, muted }, i) => {
    const inhibitor = new Inhibitor(decodeYaml(JSON.stringify(rules), 'x.yml', list(inhibitRule('utf8'))).value)
    for (const labels of activeAlerts) inhibitor.observe({ labels: labelsFrom(labels), endsAtMs: nowMs + 60_000 })
    for (const labels of resolvedAlerts) inhibitor.observe({ labels: labelsFrom(labels), endsAtMs: nowMs - 60_000 })
    return same(`inhibition ${i}`, inhibitor.mutedBy(labelsFrom(target), nowMs).length > 0, muted)
  })
}

type Range = readonly [number, number]
type PlainInterval = {
  readonly times?: readonly Range[]
  readonly weekdays?: readonly Range[]
  readonly daysOfMonth?: readonly Range[]
  readonly months?: readonly Range[]
  readonly years?: readonly Range[]
  readonly location?: string
}
type Times = { readonly contains?: readonly string[]; readonly excludes?: readonly string[] }
export type TimeIntervalCases = {
  readonly contains?: readonly (Times & { readonly interval: PlainInterval })[]
  readonly yaml?: readonly (Times & { yaml: string; error?: string; intervals?: readonly PlainInterval[] })[]
  readonly timeRange?: readonly { yaml: string; error: boolean; minutes?: Range }[]
  readonly complete?: readonly (Times & { yaml: string })[]
  readonly mutes?: {
    readonly intervals: Readonly<Record<string, string>>
    readonly cases: readonly { name: string; now: string; mutedBy: readonly string[] }[]
  }
}

export function runTimeIntervalCases(cases: TimeIntervalCases): AlertCaseResult[] {
  const out: AlertCaseResult[] = []
  const check = (name: string, intervals: readonly TimeInterval[], { contains = [], excludes = [] }: Times): void => {
    const holds = (text: string): boolean => intervals.some((interval) => containsTime(interval, rfc822(text)))
    for (const text of contains) out.push(same(`${name} contains ${text}`, holds(text), true))
    for (const text of excludes) out.push(same(`${name} excludes ${text}`, holds(text), false))
  }
  cases.contains?.forEach((each, i) => {
    check(`interval ${i}`, [intervalOf(each.interval)], each)
  })
  for (const [i, each] of (cases.yaml ?? []).entries()) {
    const read = (): readonly TimeInterval[] => decodeYaml(each.yaml, 'x.yml', list(timeInterval)).value
    const wanted = each.error ?? JSON.stringify((each.intervals ?? []).map(intervalOf).map(shown))
    const got = attempt(() => JSON.stringify(read().map(shown)))
    out.push(each.error === undefined ? same(`yaml ${i}`, got, wanted) : includes(`yaml ${i}`, got, wanted))
    if (each.error === undefined) check(`yaml ${i}`, read(), each)
  }
  for (const { yaml, error, minutes } of cases.timeRange ?? []) {
    const got = attempt(() => JSON.stringify(decodeYaml(yaml, 'x.yml', timeRange).value))
    out.push(same(`time range ${yaml}`, error ? !got.startsWith('[') : got, error ? true : JSON.stringify(minutes)))
  }
  for (const [i, each] of (cases.complete ?? []).entries())
    check(`complete ${i}`, [decodeYaml(each.yaml, 'x.yml', timeInterval).value], each)
  const named = Object.entries(cases.mutes?.intervals ?? {}).map(
    ([name, yaml]) => [name, decodeYaml(yaml, 'x.yml', list(timeInterval)).value] as const,
  )
  for (const { name, now, mutedBy } of cases.mutes?.cases ?? []) {
    const at = Date.parse(now)
    const got = named.filter(([, all]) => all.some((each) => containsTime(each, at))).map(([each]) => each)
    out.push(same(`mutes ${name}`, JSON.stringify(got.sort()), JSON.stringify([...mutedBy].sort())))
  }
  return out
}

function intervalOf(plainInterval: PlainInterval): TimeInterval {
  const { times = [], weekdays = [], daysOfMonth = [], months = [], years = [], location = '' } = plainInterval
  return { times, weekdays, daysOfMonth, months, years, location: zone(location)!, locationName: location }
}

const shown = ({ location: _, ...rest }: TimeInterval): unknown => rest

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `02 Jan 06 15:04 -0700` */
function rfc822(text: string): number {
  const match = /^(\d+) (\w{3}) (\d\d) (\d\d):(\d\d) ([+-])(\d\d)(\d\d)$/.exec(text)
  if (!match) throw new Error(`BUG: no time: ${text}`)
  const [, day, month, year, hour, minute, sign, zoneHours, zoneMinutes] = match
  const offset = (sign === '-' ? -1 : 1) * (Number(zoneHours) * 60 + Number(zoneMinutes))
  return (
    Date.UTC(2000 + Number(year), MONTHS.indexOf(month!), Number(day), Number(hour), Number(minute)) - offset * 60_000
  )
}

type ConfigCase = {
  readonly name?: string
  readonly file?: string
  readonly config?: string
  readonly ok?: boolean
  readonly error?: string
  readonly errorContains?: string
}
export type ConfigCases = { readonly inline?: readonly ConfigCase[]; readonly files?: readonly ConfigCase[] }

/** @param readText of a file in `config/` */
export function runConfigCases(cases: ConfigCases, readText: (name: string) => string): AlertCaseResult[] {
  return [...(cases.inline ?? []), ...(cases.files ?? [])].map((each) => {
    const { name, file = 'alertmanager.yml', config, error, errorContains } = each
    const title = name ?? file
    let problem = ''
    try {
      // Upstream's tests of configurations run in classic mode, before any flag was read.
      loadAlertmanagerConfig(config ?? readText(file), file, { nameValidation: 'legacy' })
    } catch (thrown) {
      problem = thrown instanceof ConfigError ? thrown.problem : String((thrown as Error).stack)
    }
    // Ours is one line, and may end with what was meant instead.
    const flat = (text: string): string => text.replace(/\s+/g, ' ').replace(/; did you mean .*/, '')
    if (error !== undefined) return same(title, flat(problem), flat(error))
    return errorContains === undefined ? same(title, problem, '') : includes(title, problem, errorContains)
  })
}

type PlainRoute = {
  readonly receiver: string
  readonly groupByAll: boolean
  readonly groupBy: readonly string[]
  readonly groupWaitSeconds: number
  readonly groupIntervalSeconds: number
  readonly repeatIntervalSeconds: number
}
export type RouteCases = {
  readonly configs?: Readonly<Record<string, string>>
  readonly matching?: readonly {
    readonly config: string
    readonly labels: Side
    readonly matches: readonly PlainRoute[]
    readonly keys: readonly string[]
  }[]
  readonly walkOrder?: { readonly config: string; readonly receivers: readonly string[] }
  readonly routeIDs?: { readonly config: string; readonly ids: readonly string[] }
}

export function runRouteCases({ configs = {}, matching = [], walkOrder, routeIDs }: RouteCases): AlertCaseResult[] {
  const out = matching.map(({ config, labels, matches, keys }) => {
    const routes = matchRoutes(loadRoute(configs[config]!, 'route.yml'), labelsFrom(labels))
    const got = routes.map(
      (route): PlainRoute => ({
        receiver: route.receiver,
        groupByAll: route.groupBy === null,
        groupBy: route.groupBy ?? [],
        groupWaitSeconds: route.groupWaitMs / 1000,
        groupIntervalSeconds: route.groupIntervalMs / 1000,
        repeatIntervalSeconds: route.repeatIntervalMs / 1000,
      }),
    )
    const shownRoutes = JSON.stringify([got, routes.map(({ key }) => key)])
    return same(`${config} ${JSON.stringify(labels)}`, shownRoutes, JSON.stringify([matches, keys]))
  })
  if (walkOrder) {
    const receivers = [...walkRoutes(loadRoute(walkOrder.config, 'route.yml'))].map(({ receiver }) => receiver)
    out.push(same('walk order', JSON.stringify(receivers), JSON.stringify(walkOrder.receivers)))
  }
  if (routeIDs) {
    const ids = [...walkRoutes(loadRoute(routeIDs.config, 'route.yml'))].map(({ id }) => id)
    out.push(same('route ids', JSON.stringify(ids), JSON.stringify(routeIDs.ids)))
  }
  return out
}

type PlainAlert = {
  readonly Status: 'firing' | 'resolved'
  readonly Labels?: Readonly<Record<string, string>>
  readonly Annotations?: Readonly<Record<string, string>>
}
type PlainData = Readonly<Record<string, unknown>> & { readonly Alerts?: readonly PlainAlert[] }
type NotificationCase = {
  readonly title: string
  readonly template: string
  readonly html: boolean
  readonly data?: unknown
  readonly dataType?: string
  readonly output?: string
  /** true: any error. */
  readonly error?: string | boolean
}

export function runNotificationCases(cases: readonly NotificationCase[]): AlertCaseResult[] {
  const templates = new NotificationTemplates([], () => 0)
  return cases.map(({ title, template, html, data, dataType = '', output, error }) => {
    const plainData = dataType === 'Data' ? dataOf(data as PlainData) : null
    const value = plainData ? templateData(plainData) : goValue(data, dataType)
    let got: string
    try {
      got = templates.expandValue(template, value, { html, routeLabels: plainData?.routeLabels ?? null })
    } catch (thrown) {
      got =
        error === true
          ? 'failed'
          : error === undefined
            ? `error ${(thrown as Error).message}`
            : (thrown as Error).message
    }
    return same(title, got, error === true ? 'failed' : (error ?? output))
  })
}

function dataOf(data: PlainData): TemplateData {
  const map = (name: string) => (data[name] ?? null) as Readonly<Record<string, string>> | null
  return {
    receiver: '',
    status: '',
    alerts: (data.Alerts ?? []).map(({ Status, Labels, Annotations }) => ({
      status: Status,
      labels: Labels ?? null,
      annotations: Annotations ?? null,
      startsAtMs: 0,
      endsAtMs: 0,
      generatorUrl: '',
      fingerprint: '',
    })),
    reason: '',
    groupLabels: map('GroupLabels'),
    commonLabels: map('CommonLabels'),
    commonAnnotations: map('CommonAnnotations'),
    externalUrl: '',
    routeLabels: map('RouteLabels'),
  }
}

function attempt(run: () => string): string {
  try {
    return run()
  } catch (error) {
    return (error as Error).message
  }
}

function same(name: string, got: unknown, wanted: unknown): AlertCaseResult {
  return { name, error: got === wanted ? null : `got ${got}, want ${wanted}` }
}

function includes(name: string, got: string, wanted: string): AlertCaseResult {
  return { name, error: got.includes(wanted) ? null : `got ${got}, want ${wanted}` }
}
