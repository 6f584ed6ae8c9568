/**
 * `alertmanager.yml`: the routing tree and webhook receivers. Keys of receivers that are not built yet are an error
 * that says so, because an alert that goes nowhere must not look configured.
 * Semantics: Alertmanager config/config.go (v0.34).
 */
import {
  boolean,
  type Cursor,
  decodeYaml,
  duration,
  finishHttp,
  HTTP_FIELDS,
  type HttpClientConfig,
  list,
  object,
  record,
  redactedYaml,
  type Secret,
  secret,
  string,
} from '../../protocol/config/mod.ts'
import { compileAnchored, compileMatcher, type Matcher, type Predicate } from '../../protocol/matchers/mod.ts'

export type WebhookConfig = {
  readonly url: Secret
  readonly sendResolved: boolean
  /** 0 = no limit. */
  readonly maxAlerts: number
  readonly timeoutMs: number
  readonly http: HttpClientConfig | null
}

export type Receiver = { readonly name: string; readonly webhooks: readonly WebhookConfig[] }

export type Route = {
  readonly receiver: string
  /** `...` groups by all labels: null. */
  readonly groupBy: readonly string[] | null
  readonly groupWaitMs: number
  readonly groupIntervalMs: number
  readonly repeatIntervalMs: number
  readonly matchers: readonly { readonly matcher: Matcher; readonly matches: Predicate }[]
  readonly continue: boolean
  readonly routes: readonly Route[]
  /** Names the route in group keys: `{}/{severity="page"}`. */
  readonly key: string
}

export type AlertmanagerConfig = {
  readonly route: Route
  readonly receivers: ReadonlyMap<string, Receiver>
  readonly resolveTimeoutMs: number
  readonly redacted: string
}

const webhook = object(
  'config.plain',
  {
    url: secret,
    url_file: string,
    send_resolved: boolean,
    max_alerts: (at: Cursor) => Number(string(at)),
    timeout: duration,
    http_config: object('config.HTTPClientConfig', HTTP_FIELDS, finishHttp),
  },
  (raw, at): WebhookConfig => {
    if (!raw.url?.reveal()) at.fail('one of url or url_file must be configured')
    if (!/^https?:\/\/[^/]/.test(raw.url!.reveal())) at.fail(`unsupported scheme for URL; want http or https`)
    return {
      url: raw.url!,
      sendResolved: raw.send_resolved ?? true,
      maxAlerts: raw.max_alerts ?? 0,
      timeoutMs: raw.timeout ?? 10_000,
      http: raw.http_config ?? null,
    }
  },
)

const unbuilt = (key: string) => {
  return (at: Cursor): never => at.fail(`${key} is not supported yet; use webhook_configs`)
}

const OTHER_RECEIVERS = [
  'email',
  'pagerduty',
  'opsgenie',
  'slack',
  'pushover',
  'victorops',
  'wechat',
  'telegram',
  'discord',
  'webex',
  'msteams',
  'msteamsv2',
  'sns',
  'jira',
  'rocketchat',
  'incidentio',
  'mattermost',
]
const receiver = object(
  'config.plain',
  {
    name: string,
    webhook_configs: list(webhook),
    ...Object.fromEntries(OTHER_RECEIVERS.map((kind) => [`${kind}_configs`, unbuilt(`${kind}_configs`)])),
  },
  (raw, at): Receiver => {
    const { name, webhook_configs } = raw as { name?: string; webhook_configs?: readonly WebhookConfig[] }
    if (!name) at.fail('missing name in receiver')
    return { name: name!, webhooks: webhook_configs ?? [] }
  },
)

type RawRoute = {
  readonly receiver?: string
  readonly group_by?: readonly string[]
  readonly group_wait?: number
  readonly group_interval?: number
  readonly repeat_interval?: number
  readonly match?: Readonly<Record<string, string>>
  readonly match_re?: Readonly<Record<string, string>>
  readonly matchers?: readonly string[]
  readonly continue?: boolean
  readonly routes?: readonly PendingRoute[]
}
type PendingRoute = { readonly raw: RawRoute; readonly at: Cursor }

const route = (at: Cursor): PendingRoute => routeObject(at)
const routeObject = object(
  'config.plain',
  {
    receiver: string,
    group_by: list(string),
    group_wait: duration,
    group_interval: duration,
    repeat_interval: duration,
    match: record(string),
    match_re: record(string),
    matchers: list(string),
    continue: boolean,
    routes: list(route),
    mute_time_intervals: unbuilt('mute_time_intervals'),
    active_time_intervals: unbuilt('active_time_intervals'),
  },
  (raw, at): PendingRoute => ({ raw: raw as RawRoute, at }),
)

const root = object(
  'config.plain',
  {
    global: object(
      'config.plain',
      { resolve_timeout: duration, http_config: object('config.HTTPClientConfig', HTTP_FIELDS, finishHttp) },
      (raw) => raw,
    ),
    route,
    receivers: list(receiver),
    inhibit_rules: unbuilt('inhibit_rules'),
    time_intervals: unbuilt('time_intervals'),
    mute_time_intervals: unbuilt('mute_time_intervals'),
    templates: list(string),
  },
  (raw, at) => ({ raw, at }),
)

const DEFAULTS = { groupWaitMs: 30_000, groupIntervalMs: 300_000, repeatIntervalMs: 4 * 3600_000 }

/** @throws ConfigError */
export function loadAlertmanagerConfig(text: string, file: string): AlertmanagerConfig {
  const { value, source } = decodeYaml(text, file, root)
  const { raw, at } = value
  const receivers = new Map<string, Receiver>()
  for (const item of raw.receivers ?? []) {
    if (receivers.has(item.name)) at.fail(`notification config name ${JSON.stringify(item.name)} is not unique`)
    receivers.set(item.name, item)
  }
  if (!raw.route) return at.fail('no routes provided')
  const top = raw.route
  if (!top.raw.receiver) top.at.fail('root route must specify a default receiver')
  if (top.raw.match || top.raw.match_re || top.raw.matchers) top.at.fail('root route must not have any matchers')
  if (top.raw.continue) top.at.fail('cannot have continue in root route')
  const parent = { receiver: '', groupBy: [] as readonly string[], ...DEFAULTS, key: '' }
  return {
    route: finishRoute(top, parent, receivers),
    receivers,
    resolveTimeoutMs: raw.global?.resolve_timeout ?? 300_000,
    redacted: redactedYaml(source),
  }
}

type Parent = Pick<Route, 'receiver' | 'groupBy' | 'groupWaitMs' | 'groupIntervalMs' | 'repeatIntervalMs' | 'key'>

function finishRoute({ raw, at }: PendingRoute, parent: Parent, receivers: ReadonlyMap<string, Receiver>): Route {
  const receiverName = raw.receiver || parent.receiver
  if (!receivers.has(receiverName)) at.fail(`undefined receiver ${JSON.stringify(receiverName)} used in route`)
  if (raw.group_interval === 0) at.fail('group_interval cannot be zero')
  if (raw.repeat_interval === 0) at.fail('repeat_interval cannot be zero')
  const seen = new Set<string>()
  for (const label of raw.group_by ?? []) {
    if (seen.has(label)) at.fail(`duplicated label ${JSON.stringify(label)} in group_by`)
    seen.add(label)
  }
  if (seen.has('...') && seen.size > 1)
    at.fail('cannot have wildcard group_by (`...`) and other other labels at the same time')
  const matchers = routeMatchers(raw, at)
  const own = `{${matchers.map(({ matcher: { name, op, value } }) => `${name}${op}${JSON.stringify(value)}`).join(',')}}`
  const base = {
    receiver: receiverName,
    groupBy: raw.group_by ? (seen.has('...') ? null : raw.group_by) : parent.groupBy,
    groupWaitMs: raw.group_wait ?? parent.groupWaitMs,
    groupIntervalMs: raw.group_interval ?? parent.groupIntervalMs,
    repeatIntervalMs: raw.repeat_interval ?? parent.repeatIntervalMs,
    key: parent.key === '' ? own : `${parent.key}/${own}`,
  }
  return {
    ...base,
    matchers,
    continue: raw.continue ?? false,
    routes: (raw.routes ?? []).map((child) => finishRoute(child, base, receivers)),
  }
}

const MATCHER =
  /^\s*(?:"((?:[^"\\]|\\.)+)"|([^\s"'`{}=!~,\\]+))\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"'`{}=!~,\\]*?))\s*$/

function routeMatchers(raw: RawRoute, at: Cursor): Route['matchers'] {
  const matchers: Matcher[] = []
  for (const [name, value] of Object.entries(raw.match ?? {})) matchers.push({ name, op: '=', value })
  for (const [name, value] of Object.entries(raw.match_re ?? {})) matchers.push({ name, op: '=~', value })
  for (const text of (raw.matchers ?? []).flatMap(splitMatchers)) {
    const match = MATCHER.exec(text)
    if (!match) return at.fail(`bad matcher format: ${text}`)
    const plain = (part: string): string => part.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
    matchers.push({
      name: match[1] === undefined ? match[2]! : plain(match[1]),
      op: match[3] as Matcher['op'],
      value: match[4] === undefined ? (match[5] ?? '') : plain(match[4]),
    })
  }
  return matchers.map((matcher) => {
    try {
      if (matcher.op === '=~' || matcher.op === '!~') compileAnchored(matcher.value)
      return { matcher, matches: compileMatcher(matcher) }
    } catch (error) {
      return at.fail((error as Error).message, error)
    }
  })
}

/** `{a="b", c="d"}` or `a="b",c="d"`: commas inside quotes do not split. */
function splitMatchers(text: string): string[] {
  const body = text.trim().replace(/^\{([\s\S]*)\}$/, '$1')
  return (body.match(/(?:"(?:[^"\\]|\\.)*"|[^",])+/g) ?? []).filter((part) => part.trim() !== '')
}
