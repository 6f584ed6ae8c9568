/**
 * The Alertmanager's API v2 over the dispatcher: `amtool`, Grafana and Prometheus servers speak it.
 * Semantics: Alertmanager api/v2/api.go (v0.34), with its status codes and texts.
 */
import { compareStrings, type Labels, labelsFrom, labelsToObject, labelValue } from '../../protocol/labels/mod.ts'
import { compileAnchored, type MatchOp } from '../../protocol/matchers/mod.ts'
import { fingerprint, isResolved, type StoredAlert } from './alert.ts'
import type { Dispatcher } from './dispatcher.ts'
import {
  type AlertMatcher,
  MatcherSyntaxError,
  matchesAll,
  parseClassicMatchers,
  parseMatcher,
} from './matchers/mod.ts'
import { type Silence, SilenceError } from './silences.ts'

export type AlertApiOptions = {
  readonly dispatcher: () => Dispatcher | null
  readonly now: () => number
  readonly build: Readonly<Record<'version' | 'revision' | 'branch' | 'buildUser' | 'buildDate' | 'goVersion', string>>
  /** Label names as before UTF-8 names were allowed. */
  readonly classicNames?: boolean
}

const BODY_MAX = 16 << 20

class ApiFailure extends Error {
  readonly status: number
  /** Of the API's description: the answer is an object with it. */
  readonly code: number | null
  constructor(status: number, message: string, code: number | null = null) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** The body is not as the API's description says. Codes: go-openapi errors/schema.go. */
const INVALID = { type: 601, required: 602, minItems: 612 } as const
const invalid = (kind: keyof typeof INVALID, message: string): never => {
  throw new ApiFailure(422, message, INVALID[kind])
}

const bad = (message: string): never => {
  throw new ApiFailure(400, message)
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

  async answer(request: Request, path: string, query: URLSearchParams): Promise<Response> {
    const { method } = request
    const isRead = method === 'GET' || method === 'HEAD'
    const silence = /^\/silence\/([^/]+)$/.exec(path)?.[1]
    if (path === '/status' && isRead) return json(this.#status())
    if (path === '/receivers' && isRead) return json(this.#receivers(query))
    if (path === '/alerts' && isRead) return json(this.#alerts(query))
    if (path === '/alerts' && method === 'POST') return this.#postAlerts(await readJson(request))
    if (path === '/alerts/groups' && isRead) return json(this.#groups(query))
    if (path === '/silences' && isRead) return json(this.#silences(query))
    if (path === '/silences' && method === 'POST') return this.#postSilence(await readJson(request))
    if (silence !== undefined && isRead) return this.#silence(silence)
    if (silence !== undefined && method === 'DELETE') return this.#deleteSilence(silence)
    const known = ['/status', '/receivers', '/alerts', '/alerts/groups', '/silences'].includes(path) || silence
    if (known) return json({ code: 405, message: `method ${method} is not allowed` }, 405)
    return json({ code: 404, message: `path /api/v2${path} was not found` }, 404)
  }

  #status(): object {
    const { build } = this.#options
    return {
      cluster: { status: 'disabled', peers: [] },
      config: { original: this.#dispatcher.config.redacted },
      uptime: new Date(this.#dispatcher.startedMs).toISOString(),
      versionInfo: build,
    }
  }

  #receivers(query: URLSearchParams): object[] {
    const wanted = matchersOf(query, 'receiver_matchers')
    return [...this.#dispatcher.config.receivers.values()]
      .filter(({ labels }) => matchesAll(wanted, (name) => labels[name] ?? ''))
      .map(({ name, labels }) => ({ name, labels }))
  }

  #alerts(query: URLSearchParams): object[] {
    const wanted = this.#filterOf(query)
    const nowMs = this.#options.now()
    return this.#dispatcher
      .alerts()
      .filter((alert) => !isResolved(alert, nowMs))
      .flatMap((alert) => {
        const receivers = this.#dispatcher.routesOf(alert.labels).map(({ receiver }) => receiver)
        return wanted(alert, receivers) ? [this.#alertJson(alert, receivers)] : []
      })
      .sort((a, b) => compareStrings(a.fingerprint, b.fingerprint))
  }

  #groups(query: URLSearchParams): object[] {
    const wanted = this.#filterOf(query)
    const showMuted = flag(query, 'muted', true)
    return this.#dispatcher.groups
      .flatMap(({ route, labels, alerts }) => {
        const shown = alerts.filter((alert) => wanted(alert, [route.receiver]))
        if (shown.length === 0) return []
        const all = shown.map((alert) =>
          this.#alertJson(
            alert,
            this.#dispatcher.routesOf(alert.labels).map(({ receiver }) => receiver),
          ),
        )
        if (!showMuted && all.every(({ status }) => status.state === 'suppressed')) return []
        return [
          {
            alerts: all.sort((a, b) => compareStrings(a.fingerprint, b.fingerprint)),
            labels: labelsToObject(labels),
            receiver: { name: route.receiver },
            routeLabels: route.labels,
          },
        ]
      })
      .sort(
        (a, b) =>
          compareStrings(JSON.stringify(a.labels), JSON.stringify(b.labels)) ||
          compareStrings(a.receiver.name, b.receiver.name),
      )
  }

  #filterOf(query: URLSearchParams): (alert: StoredAlert, receivers: readonly string[]) => boolean {
    const matchers = matchersOf(query, 'filter')
    const pattern = query.get('receiver')
    let isReceiver: (name: string) => boolean = () => true
    if (pattern) {
      try {
        isReceiver = compileAnchored(pattern)
      } catch (error) {
        bad(`failed to parse receiver param: ${(error as Error).message}`)
      }
    }
    const ofReceiver = matchersOf(query, 'receiver_matchers')
    const { receivers: known } = this.#dispatcher.config
    const [active, silenced, inhibited] = ['active', 'silenced', 'inhibited'].map((name) => flag(query, name, true))
    return (alert, receivers) => {
      if (!receivers.some(isReceiver)) return false
      if (!receivers.some((name) => matchesAll(ofReceiver, (label) => known.get(name)?.labels[label] ?? '')))
        return false
      if (!matchesAll(matchers, (name) => labelValue(alert.labels, name))) return false
      const { silencedBy, inhibitedBy, mutedBy } = this.#dispatcher.status(alert.labels)
      if (!active && silencedBy.length + inhibitedBy.length + mutedBy.length === 0) return false
      if (!silenced && silencedBy.length > 0) return false
      return inhibited || inhibitedBy.length === 0
    }
  }

  #alertJson(alert: StoredAlert, receivers: readonly string[]) {
    const status = this.#dispatcher.status(alert.labels)
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
  #postAlerts(body: unknown): Response {
    if (!Array.isArray(body)) return bad('parsing alerts body failed: expected a list of alerts')
    const nowMs = this.#options.now()
    const timeoutMs = this.#dispatcher.config.global.resolveTimeoutMs
    const problems: string[] = []
    for (const item of body) {
      try {
        this.#dispatcher.receive([this.#alertOf(item, nowMs, timeoutMs)])
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error
        this.#dispatcher.counters.invalid++
        problems.push(error.message)
      }
    }
    return problems.length > 0 ? bad(problems.join('; ')) : new Response(null, { status: 200 })
  }

  #alertOf(item: unknown, nowMs: number, timeoutMs: number) {
    const raw = (typeof item === 'object' && item !== null ? item : bad('an alert must be an object')) as Record<
      string,
      unknown
    >
    const labels = this.#labelsOf(raw['labels'], 'label')
    const endsAtMs = timeOf(raw['endsAt'], 'endsAt')
    const startsAtMs = timeOf(raw['startsAt'], 'startsAt') ?? endsAtMs ?? nowMs
    const end = endsAtMs ?? nowMs + timeoutMs
    if (end < startsAtMs) bad('start time must be before end time')
    if (labels.length === 0) bad('at least one label pair required')
    return {
      labels,
      annotations: labelsToObject(this.#labelsOf(raw['annotations'] ?? {}, 'annotation')),
      startsAtMs,
      endsAtMs: end,
      generatorUrl: typeof raw['generatorURL'] === 'string' ? raw['generatorURL'] : '',
      timesOut: endsAtMs === null,
    }
  }

  #labelsOf(value: unknown, what: 'label' | 'annotation'): Labels {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return bad(`invalid ${what} set: no object`)
    const pairs = Object.entries(value).filter(([, text]) => text !== '')
    for (const [name, text] of pairs) {
      if (typeof text !== 'string') bad(`invalid ${what} set: the value of ${JSON.stringify(name)} is no string`)
      if (!this.#isName(name)) bad(`invalid ${what} set: invalid name ${JSON.stringify(name)}`)
      if (!(text as string).isWellFormed()) bad(`invalid ${what} set: invalid value ${JSON.stringify(text)}`)
    }
    return labelsFrom(pairs as [string, string][])
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
      .filter(({ matchers: own }) => matchers.every((wanted) => own.some((each) => isAbout(each, wanted))))
      .map((silence) => this.#silenceJson(silence))
  }

  #silence(id: string): Response {
    const silence = this.#dispatcher.silences.get(id)
    return silence ? json(this.#silenceJson(silence)) : json(`silence ${id} not found`, 404)
  }

  #silenceJson(silence: Silence): object {
    return {
      id: silence.id,
      status: { state: this.#dispatcher.silences.state(silence) },
      updatedAt: new Date(silence.updatedAtMs).toISOString(),
      annotations: silence.annotations,
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

  #postSilence(body: unknown): Response {
    const raw = (typeof body === 'object' && body !== null ? body : bad('a silence must be an object')) as Record<
      string,
      unknown
    >
    const text = (name: string): string => (typeof raw[name] === 'string' ? (raw[name] as string) : '')
    const matchers = Array.isArray(raw['matchers'])
      ? raw['matchers']
      : invalid('required', 'matchers in body is required')
    if (matchers.length === 0) invalid('minItems', 'matchers in body should have at least 1 items')
    for (const name of ['startsAt', 'endsAt', 'createdBy', 'comment'])
      if (raw[name] === undefined) invalid('required', `${name} in body is required`)
    try {
      const silenceID = this.#dispatcher.silences.set({
        id: text('id'),
        matchers: matchers.map((each, i) => this.#matcherOf(each, i)),
        startsAtMs: timeOf(raw['startsAt'], 'startsAt') ?? 0,
        endsAtMs: timeOf(raw['endsAt'], 'endsAt') ?? 0,
        createdBy: text('createdBy'),
        comment: text('comment'),
        annotations: { ...labelsToObject(this.#labelsOf(raw['annotations'] ?? {}, 'annotation')) },
      })
      return json({ silenceID })
    } catch (error) {
      if (error instanceof SilenceError) throw new ApiFailure(error.code === 'not-found' ? 404 : 400, error.message)
      throw error
    }
  }

  #matcherOf(value: unknown, index: number) {
    const { name, value: text, isRegex, isEqual = true } = (value ?? {}) as Record<string, unknown>
    if (typeof name !== 'string' || typeof text !== 'string')
      return bad(`invalid silence: invalid label matcher ${index}: name and value are required`)
    if (!this.#isName(name))
      return bad(`invalid silence: invalid label matcher ${index}: invalid label name ${JSON.stringify(name)}`)
    const op: MatchOp = isRegex ? (isEqual ? '=~' : '!~') : isEqual ? '=' : '!='
    return { name, op, value: text }
  }

  #deleteSilence(id: string): Response {
    try {
      this.#dispatcher.silences.expire(id)
      return new Response(null, { status: 200 })
    } catch (error) {
      if (!(error instanceof SilenceError)) throw error
      return json(error.message, error.code === 'not-found' ? 404 : 500)
    }
  }
}

type Plain = Pick<AlertMatcher, 'name' | 'op' | 'value'>

/** A silence is about a matcher when one of its own could match the same: the value fits, or it is the same matcher. */
function isAbout(own: Plain, wanted: AlertMatcher): boolean {
  return own.name === wanted.name && (wanted.matches(own.value) || (own.op === wanted.op && own.value === wanted.value))
}

function matchersOf(query: URLSearchParams, name: string): AlertMatcher[] {
  return query.getAll(name).flatMap((text) => {
    try {
      return [parseMatcher(text)]
    } catch (error) {
      if (!(error instanceof MatcherSyntaxError)) throw error
      try {
        return parseClassicMatchers(text)
      } catch {
        return bad(error.message)
      }
    }
  })
}

/** As go-openapi's ConvertBool: what is no yes is a no. */
function flag(query: URLSearchParams, name: string, fallback: boolean): boolean {
  const text = query.get(name)
  if (text === null || text === '') return fallback
  return /^(true|1|yes|ok|y|on|selected|checked|t|enabled)$/i.test(text)
}

/** null where there is none, or Go's zero time. */
function timeOf(value: unknown, name: string): number | null {
  if (value === undefined || value === null || value === '') return null
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN
  if (Number.isNaN(ms)) return bad(`${name} in body must be of type date-time: ${JSON.stringify(value)}`)
  return ms < -60_000_000_000_000 ? null : ms
}

async function readJson(request: Request): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  if (request.body)
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length
      if (size > BODY_MAX) throw new ApiFailure(413, `the body exceeds ${BODY_MAX} bytes`)
      chunks.push(chunk)
    }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch (error) {
    return bad(`parsing body failed: ${(error as Error).message}`)
  }
}

function json(value: unknown, status = 200): Response {
  return new Response(`${JSON.stringify(value)}\n`, { status, headers: { 'content-type': 'application/json' } })
}
