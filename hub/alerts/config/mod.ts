/** `alertmanager.yml` whole. Semantics: Alertmanager config/config.go (v0.34), with its messages. */
import {
  type Cursor,
  type Decoder,
  decodeYaml,
  list,
  object,
  pointer,
  redactedYaml,
  string,
  tracing,
} from '../../../protocol/config/mod.ts'
import type { NameValidationScheme } from '../../../protocol/relabel/mod.ts'
import type { InhibitRule } from '../inhibit.ts'
import { type TimeInterval, timeInterval } from '../time-intervals.ts'
import { eventRecorder } from './event-recorder.ts'
import { DEFAULT_GLOBAL, finishGlobal, type GlobalConfig, global } from './global.ts'
import { inhibitRule } from './inhibit-rule.ts'
import { finishReceiver, type PendingReceiver, type Receiver, receiver } from './receivers/mod.ts'
import { finishRoute, type PendingRoute, type Route, routeOf, walkPending } from './route.ts'

export type { GlobalConfig } from './global.ts'
export { MATTERMOST_TEXTS } from './receivers/mattermost.ts'
export {
  type Integration,
  type JiraField,
  type JiraLabels,
  RECEIVER_KINDS,
  type Receiver,
  type ReceiverKind,
  type Responder,
  type Values,
} from './receivers/mod.ts'
export type { Route } from './route.ts'

export type AlertmanagerConfig = {
  readonly global: GlobalConfig
  readonly route: Route
  readonly receivers: ReadonlyMap<string, Receiver>
  readonly inhibitRules: readonly InhibitRule[]
  readonly timeIntervals: ReadonlyMap<string, readonly TimeInterval[]>
  /** Patterns of template files. */
  readonly templates: readonly string[]
  readonly redacted: string
}

const named = (what: string): Decoder<{ readonly name: string; readonly intervals: readonly TimeInterval[] }> =>
  object('config.plain', { name: string, time_intervals: list(timeInterval) }, (raw, at) => {
    if (!raw.name) at.fail(`missing name in ${what}`)
    return { name: raw.name!, intervals: raw.time_intervals ?? [] }
  })

const root = (scheme: NameValidationScheme) =>
  object(
    'config.plain',
    {
      global,
      route: pointer(routeOf(scheme)),
      receivers: list<PendingReceiver>(receiver),
      inhibit_rules: list(inhibitRule(scheme)),
      templates: list(string),
      mute_time_intervals: list(named('mute time interval')),
      time_intervals: list(named('time interval')),
      tracing,
      event_recorder: eventRecorder,
    },
    (raw, at) => ({ raw, at }),
  )

export type LoadOptions = {
  /** Which names `group_by` and `equal` may have: any, or only those from before UTF-8 names. */
  readonly nameValidation?: NameValidationScheme
}

/** @throws ConfigError */
export function loadAlertmanagerConfig(
  text: string,
  file: string,
  { nameValidation = 'utf8' }: LoadOptions = {},
): AlertmanagerConfig {
  const { value, source } = decodeYaml(text, file, root(nameValidation))
  const { raw, at } = value
  // An empty file is refused in other words than one that lacks the route alone.
  if (at.isNull) at.fail('no route provided in config')
  const globals = raw.global ? finishGlobal(raw.global) : DEFAULT_GLOBAL
  const receivers = new Map<string, Receiver>()
  for (const pending of raw.receivers ?? []) {
    if (receivers.has(pending.name)) at.fail(`notification config name ${JSON.stringify(pending.name)} is not unique`)
    receivers.set(pending.name, finishReceiver(pending, globals))
  }
  if (!raw.route) return at.fail('no routes provided')
  checkRoot(raw.route)
  const routes = [...walkPending(raw.route)]
  for (const { raw: each, at: place } of routes)
    if (each.receiver && !receivers.has(each.receiver))
      place.fail(`undefined receiver ${JSON.stringify(each.receiver)} used in route`)
  const timeIntervals = intervalsByName(raw.mute_time_intervals ?? [], raw.time_intervals ?? [], at)
  for (const { raw: each, at: place } of routes)
    for (const name of [...(each.active_time_intervals ?? []), ...(each.mute_time_intervals ?? [])])
      if (!timeIntervals.has(name)) place.fail(`undefined time interval ${JSON.stringify(name)} used in route`)
  if (raw.route.raw.continue) raw.route.at.fail('cannot have continue in root route')
  return {
    global: globals,
    route: finishRoute(raw.route),
    receivers,
    inhibitRules: raw.inhibit_rules ?? [],
    timeIntervals,
    templates: raw.templates ?? [],
    redacted: redactedYaml(source),
  }
}

/** A routing tree on its own, as tests of routes write it. @throws ConfigError */
export function loadRoute(text: string, file: string): Route {
  return finishRoute(decodeYaml(text, file, routeOf('utf8')).value)
}

function checkRoot({ raw, at }: PendingRoute): void {
  if (!raw.receiver) at.fail('root route must specify a default receiver')
  if ([raw.match, raw.match_re, raw.matchers].some((matchers) => (matchers?.length ?? 0) > 0))
    at.fail('root route must not have any matchers')
  if (raw.mute_time_intervals?.length) at.fail('root route must not have any mute time intervals')
  if (raw.active_time_intervals?.length) at.fail('root route must not have any active time intervals')
}

type Named = { readonly name: string; readonly intervals: readonly TimeInterval[] }

function intervalsByName(
  mute: readonly Named[],
  plain: readonly Named[],
  at: Cursor,
): Map<string, readonly TimeInterval[]> {
  const out = new Map<string, readonly TimeInterval[]>()
  for (const [what, all] of [
    ['mute time interval', mute],
    ['time interval', plain],
  ] as const)
    for (const { name, intervals } of all) {
      if (out.has(name)) at.fail(`${what} ${JSON.stringify(name)} is not unique`)
      out.set(name, intervals)
    }
  return out
}
