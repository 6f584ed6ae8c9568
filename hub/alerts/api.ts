/**
 * The Alertmanager's API v2 over the dispatcher: `amtool`, Grafana and Prometheus servers speak it.
 * Semantics: Alertmanager api/v2/api.go (v0.34), with its status codes and texts.
 */
import { compareStrings, type Labels, labelsFrom, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { fingerprint, isResolved, type StoredAlert } from './alert.ts'
import {
  isSentAsJson,
  type PostedAlert,
  type PostedMatcher,
  type PostedSilence,
  readAlerts,
  readSilence,
} from './api-bodies.ts'
import { ApiFailure, bad, invalid } from './api-failure.ts'
import type { Route } from './config/mod.ts'
import type { Dispatcher } from './dispatcher.ts'
import { type AlertMatcher, MatcherSyntaxError, matchesAll, parseMatcher } from './matchers/mod.ts'
import { type PlainMatcher, type Silence, SilenceError } from './silences.ts'

export type AlertApiOptions = {
  readonly dispatcher: () => Dispatcher | null
  readonly now: () => number
  readonly build: Readonly<Record<'version' | 'revision' | 'branch' | 'buildUser' | 'buildDate' | 'goVersion', string>>
  /** Label names as before UTF-8 names were allowed. */
  readonly classicNames?: boolean
}

/**
 * Clients tell by `versionInfo.version` what they can ask: amtool compares major and minor with its own. So that is the
 * Alertmanager's whose API this is, and who speaks it stands behind, as semver's build metadata.
 */
const API_VERSION = '0.34.0'

/** By path: what it answers. Not HEAD, as upstream's router makes none of GET. */
const METHODS: Readonly<Record<string, readonly string[]>> = {
  '/status': ['GET'],
  '/receivers': ['GET'],
  '/alerts': ['GET', 'POST'],
  '/alerts/groups': ['GET'],
  '/silences': ['GET', 'POST'],
  '/silence/{silenceID}': ['GET', 'DELETE'],
}

/** @param path below `/api/v2`, such as `/alerts` */
export async function alertApi(request: Request, path: string, options: AlertApiOptions): Promise<Response> {
  const dispatcher = options.dispatcher()
  if (!dispatcher) return json({ code: 503, message: 'no alertmanager.yml is loaded' }, 503)
  const api = new AlertApi(dispatcher, options)
  try {
    return await api.answer(request, path, new URL(request.url).searchParams)
  } catch (error) {
    if (error instanceof ApiFailure) {
      const { message, status, code } = error
      // Of a silence that is not there the API's description has no words.
      if (message === '') return new Response(null, { status, headers: NO_STORE })
      return json(code === null ? message : { code, message }, status)
    }
    if (error instanceof MatcherSyntaxError) return json(error.message, 400)
    throw error
  }
}

class AlertApi {
  readonly #dispatcher: Dispatcher
  readonly #options: AlertApiOptions

  constructor(dispatcher: Dispatcher, options: AlertApiOptions) {
    this.#dispatcher = dispatcher
    this.#options = options
  }

  async answer(request: Request, given: string, query: URLSearchParams): Promise<Response> {
    const path = given.endsWith('/') ? given.slice(0, -1) : given
    const silence = /^\/silence\/([^/]+)$/.exec(path)?.[1]
    const route = silence === undefined ? path : '/silence/{silenceID}'
    const { method } = request
    const allowed = METHODS[route]
    if (!allowed) return json({ code: 404, message: `path /api/v2${given} was not found` }, 404)
    if (!allowed.includes(method)) {
      const message = `method ${method} is not allowed, but [${allowed}] are`
      return json({ code: 405, message }, 405, { allow: allowed.join() })
    }
    // What was sent is looked at first.
    if (!acceptsJson(request.headers.get('accept')) && (method !== 'POST' || isSentAsJson(request)))
      throw new ApiFailure(406, 'unsupported media type requested, only [application/json] are available', 406)
    switch (`${method} ${route}`) {
      case 'GET /status':
        return json(this.#status())
      case 'GET /receivers':
        return json(this.#receivers(query))
      case 'GET /alerts':
        return json(this.#alerts(query))
      case 'POST /alerts':
        return this.#postAlerts(await readAlerts(request))
      case 'GET /alerts/groups':
        return json(this.#groups(query))
      case 'GET /silences':
        return json(this.#silences(query))
      case 'POST /silences':
        return this.#postSilence(await readSilence(request))
      case 'GET /silence/{silenceID}':
        return json(this.#silenceJson(this.#silence(silence!)))
      case 'DELETE /silence/{silenceID}':
        return this.#deleteSilence(this.#silence(silence!))
    }
    throw new Error(`BUG: nothing answers ${method} ${route}`)
  }

  #status(): object {
    const { build } = this.#options
    return {
      cluster: this.#cluster(),
      config: { original: this.#dispatcher.config.redacted },
      uptime: new Date(this.#dispatcher.startedMs).toISOString(),
      versionInfo: { ...build, version: `${API_VERSION}+heliograph.${build.version}` },
    }
  }

  #cluster(): object {
    const { cluster } = this.#dispatcher
    if (!cluster) return { status: 'disabled', peers: [] }
    const { name, status, peers } = cluster.status
    return { name, status, peers: peers.map((peer) => ({ name: peer.name, address: peer.address })) }
  }

  #receivers(query: URLSearchParams): object[] {
    const wanted = receiverMatchersOf(query)
    return [...this.#dispatcher.config.receivers.values()]
      .filter(({ labels }) => matchesAll(wanted, (name) => labels[name] ?? ''))
      .map(({ name, labels }) => ({ labels, name }))
  }

  #alerts(query: URLSearchParams): object[] {
    const wanted = this.#filterOf(query)
    const nowMs = this.#options.now()
    return this.#dispatcher
      .alerts()
      .filter((alert) => !isResolved(alert, nowMs))
      .flatMap((alert) => {
        const routes = this.#dispatcher.routesOf(alert.labels)
        const receivers = routes.map(({ receiver }) => receiver)
        return wanted(alert, receivers) ? [this.#alertJson(alert, receivers, this.#mutedOnAll(routes))] : []
      })
      .sort((a, b) => compareStrings(a.fingerprint, b.fingerprint))
  }

  /** Differs: upstream's list of alerts, unlike that of groups, knows of no muting. An alert that nobody hears says why. */
  #mutedOnAll(routes: readonly Route[]): string[] {
    const muting = routes.map((route) => this.#dispatcher.mutingIntervals(route))
    return muting.every(({ length }) => length > 0) ? [...new Set(muting.flat())].sort(compareStrings) : []
  }

  /** Of each alert those receivers are told for whose groups was asked. */
  #groups(query: URLSearchParams): object[] {
    const wanted = this.#filterOf(query)
    const showMuted = flag(query, 'muted', true)
    const receivers = new Map<StoredAlert, string[]>()
    const asked = this.#dispatcher.groups.flatMap(({ route, labels, alerts }) => {
      const shown = alerts.filter((alert) => wanted(alert, [route.receiver]))
      for (const alert of shown) receivers.set(alert, [...(receivers.get(alert) ?? []), route.receiver])
      const mutedBy = this.#dispatcher.mutingIntervals(route)
      return shown.length > 0 && (showMuted || mutedBy.length === 0) ? [{ route, labels, shown, mutedBy }] : []
    })
    return asked
      .map(({ route, labels, shown, mutedBy }) => ({
        alerts: shown
          .map((alert) => this.#alertJson(alert, receivers.get(alert)!, mutedBy))
          .sort((a, b) => compareStrings(a.fingerprint, b.fingerprint)),
        labels: labelsToObject(labels),
        receiver: { name: route.receiver },
        routeLabels: route.labels,
      }))
      .sort((a, b) => compareLabelSets(a.labels, b.labels) || compareStrings(a.receiver.name, b.receiver.name))
  }

  #filterOf(query: URLSearchParams): (alert: StoredAlert, receivers: readonly string[]) => boolean {
    const matchers = matchersOf(query, 'filter')
    const isReceiver = receiverFilterOf(query)
    const ofReceiver = receiverMatchersOf(query)
    const { receivers: known } = this.#dispatcher.config
    const [active, silenced, inhibited] = ['active', 'silenced', 'inhibited'].map((name) => flag(query, name, true))
    return (alert, receivers) => {
      if (!receivers.some(isReceiver)) return false
      if (!receivers.some((name) => matchesAll(ofReceiver, (label) => known.get(name)?.labels[label] ?? '')))
        return false
      if (!matchesAll(matchers, (name) => labelValue(alert.labels, name))) return false
      const { silencedBy, inhibitedBy } = this.#dispatcher.status(alert.labels)
      if (!active && silencedBy.length + inhibitedBy.length === 0) return false
      if (!silenced && silencedBy.length > 0) return false
      return inhibited || inhibitedBy.length === 0
    }
  }

  /** @param mutedBy names of time intervals */
  #alertJson(alert: StoredAlert, receivers: readonly string[], mutedBy: readonly string[]) {
    const status = { ...this.#dispatcher.status(alert.labels), mutedBy }
    const isHeard = status.silencedBy.length + status.inhibitedBy.length + status.mutedBy.length === 0
    return {
      annotations: alert.annotations,
      endsAt: new Date(alert.endsAtMs).toISOString(),
      fingerprint: fingerprint(alert.labels),
      receivers: receivers.map((name) => ({ name })),
      startsAt: new Date(alert.startsAtMs).toISOString(),
      status: { ...status, state: isHeard ? 'active' : 'suppressed' },
      updatedAt: new Date(alert.updatedAtMs).toISOString(),
      ...(alert.generatorUrl !== '' && { generatorURL: alert.generatorUrl }),
      labels: labelsToObject(alert.labels),
    }
  }

  /** Those that are valid are taken, whatever is wrong with the others. */
  #postAlerts(alerts: readonly PostedAlert[]): Response {
    const nowMs = this.#options.now()
    const problems: string[] = []
    for (const alert of alerts) {
      try {
        this.#dispatcher.receive([this.#received(alert, nowMs)])
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error
        this.#dispatcher.counters.invalid++
        problems.push(error.message)
      }
    }
    return problems.length > 0 ? bad(problems.join('\n')) : done()
  }

  #received({ labels: given, annotations, startsAtMs: start, endsAtMs, generatorUrl }: PostedAlert, nowMs: number) {
    const labels = this.#checkedLabels(given, 'label set')
    const startsAtMs = start ?? endsAtMs ?? nowMs
    const end = endsAtMs ?? nowMs + this.#dispatcher.config.global.resolveTimeoutMs
    if (end < startsAtMs) bad('start time must be before end time')
    if (labels.length === 0) bad('at least one label pair required')
    return {
      labels,
      annotations: labelsToObject(this.#checkedLabels(annotations, 'annotations')),
      startsAtMs,
      endsAtMs: end,
      generatorUrl,
      timesOut: endsAtMs === null,
    }
  }

  #checkedLabels(given: Readonly<Record<string, string>>, what: 'label set' | 'annotations'): Labels {
    const pairs = Object.entries(given).filter(([, value]) => value !== '')
    for (const [name, value] of pairs) {
      if (!this.#isName(name)) bad(`invalid ${what}: invalid name ${JSON.stringify(name)}`)
      if (!value.isWellFormed()) bad(`invalid ${what}: invalid value ${JSON.stringify(value)}`)
    }
    return labelsFrom(pairs)
  }

  #isName(name: string): boolean {
    if (this.#options.classicNames) return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)
    return name !== '' && name.isWellFormed()
  }

  #silences(query: URLSearchParams): object[] {
    const matchers = matchersOf(query, 'filter')
    const { silences } = this.#dispatcher
    return silences
      .list()
      .filter((silence) => flag(query, silences.state(silence), true))
      .filter(({ matchers: own }) => matchers.every((wanted) => own.some((each) => isSame(each, wanted))))
      .map((silence) => this.#silenceJson(silence))
  }

  #silence(id: string): Silence {
    if (!UUID.test(id)) return invalid('format', `silenceID in path must be of type uuid: ${JSON.stringify(id)}`)
    const silence = this.#dispatcher.silences.get(id)
    if (!silence) throw new ApiFailure(404, '')
    return silence
  }

  #silenceJson(silence: Silence): object {
    return {
      id: silence.id,
      status: { state: this.#dispatcher.silences.state(silence) },
      updatedAt: new Date(silence.updatedAtMs).toISOString(),
      ...(Object.keys(silence.annotations).length > 0 && { annotations: silence.annotations }),
      comment: silence.comment,
      createdBy: silence.createdBy,
      endsAt: new Date(silence.endsAtMs).toISOString(),
      matchers: silence.matchers.map(({ name, op, value }) => ({
        isEqual: op === '=' || op === '=~',
        isRegex: op === '=~' || op === '!~',
        name,
        value,
      })),
      startsAt: new Date(silence.startsAtMs).toISOString(),
    }
  }

  #postSilence({ startsAtMs, endsAtMs, matchers, ...posted }: PostedSilence): Response {
    const [start, end] = [startsAtMs ?? 0, endsAtMs ?? 0]
    if (start >= end) bad('Failed to create silence: start time must be before end time')
    if (end < this.#options.now()) bad("Failed to create silence: end time can't be in the past")
    try {
      const plain = matchers.map((each, i) => this.#plainMatcher(each, i))
      const silenceID = this.#dispatcher.silences.set({ ...posted, matchers: plain, startsAtMs: start, endsAtMs: end })
      return json({ silenceID })
    } catch (error) {
      if (error instanceof SilenceError) throw new ApiFailure(error.code === 'not-found' ? 404 : 400, error.message)
      throw error
    }
  }

  #plainMatcher({ name, value, isRegex, isEqual }: PostedMatcher, index: number): PlainMatcher {
    if (!this.#isName(name))
      bad(`invalid silence: invalid label matcher ${index} in set 0: invalid label name ${JSON.stringify(name)}`)
    return { name, value, op: isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!=' }
  }

  #deleteSilence({ id }: Silence): Response {
    this.#dispatcher.silences.expire(id)
    return done()
  }
}

const JSON_RANGES: ReadonlySet<string> = new Set(['*/*', 'application/*', 'application/json'])

/** Whether one of the header's ranges takes JSON with a weight above 0. Semantics: go-openapi runtime, NegotiateContentType. */
function acceptsJson(accept: string | null): boolean {
  if (accept === null || accept.trim() === '') return true
  return accept.split(',').some((part) => {
    const [range = '', ...params] = part.split(';').map((text) => text.trim().toLowerCase())
    const weight = params.find((param) => param.startsWith('q='))
    return JSON_RANGES.has(range) && (weight === undefined || Number(weight.slice(2)) > 0)
  })
}

/** Fewer labels first, then by the first name, in order, whose values differ. Semantics: common/model LabelSet.Before. */
function compareLabelSets(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): number {
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])].sort(compareStrings)
  const byCount = Object.keys(a).length - Object.keys(b).length
  if (byCount !== 0) return byCount
  for (const name of names) {
    if (a[name] === undefined) return -1
    if (b[name] === undefined) return 1
    const order = compareStrings(a[name], b[name])
    if (order !== 0) return order
  }
  return 0
}

const isSame = (own: PlainMatcher, wanted: AlertMatcher): boolean =>
  own.name === wanted.name && own.op === wanted.op && own.value === wanted.value

/** @throws MatcherSyntaxError */
const matchersOf = (query: URLSearchParams, name: string): AlertMatcher[] =>
  query.getAll(name).map((text) => parseMatcher(text))

function receiverMatchersOf(query: URLSearchParams): AlertMatcher[] {
  try {
    return matchersOf(query, 'receiver_matchers')
  } catch (error) {
    if (!(error instanceof MatcherSyntaxError)) throw error
    return bad(`failed to parse receiver_matchers param: ${error.message}`)
  }
}

function receiverFilterOf(query: URLSearchParams): (name: string) => boolean {
  const pattern = lastOf(query, 'receiver')
  if (pattern === '') return () => true
  try {
    const regex = compileRegex(`^(?:${pattern})$`)
    return (name) => regex.matcher(name).find()
  } catch (error) {
    return bad(`failed to parse receiver param: ${(error as Error).message}`)
  }
}

/** As go-openapi's ConvertBool: what is no yes is a no. */
function flag(query: URLSearchParams, name: string, fallback: boolean): boolean {
  const text = lastOf(query, name)
  if (text === '') return fallback
  return /^(true|1|yes|ok|y|on|selected|checked|t|enabled)$/i.test(text)
}

/** Of a parameter that is given more than once, the last counts; '' where there is none. */
const lastOf = (query: URLSearchParams, name: string): string => query.getAll(name).at(-1) ?? ''

const HEX = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
/** In the forms that Go's uuid.Parse takes; a path has braces encoded. */
const UUID = new RegExp(`^(?:${HEX}|urn:uuid:${HEX}|(?:\\{|%7B)${HEX}(?:\\}|%7D)|[0-9a-f]{32})$`, 'i')

const NO_STORE = { 'cache-control': 'no-store' }

const done = (): Response => new Response(null, { status: 200, headers: NO_STORE })

function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  const all = { 'content-type': 'application/json', ...NO_STORE, ...headers }
  return new Response(`${JSON.stringify(value)}\n`, { status, headers: all })
}
