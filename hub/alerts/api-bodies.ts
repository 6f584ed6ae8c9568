/**
 * What is posted to the Alertmanager's API, checked against its description before a handler sees it: types first,
 * then what is required, then formats. Semantics: Alertmanager api/v2/models (v0.34), validated as go-openapi does.
 */
import { parseGoUrl } from '../../protocol/config/mod.ts'
import { ApiFailure, invalid, undecodable } from './api-failure.ts'
import { MAX_ALERTS } from './dispatcher.ts'

type Texts = Readonly<Record<string, string>>

/** Times in ms; null is none, or Go's zero time. */
export type PostedAlert = {
  readonly labels: Texts
  readonly annotations: Texts
  readonly startsAtMs: number | null
  readonly endsAtMs: number | null
  readonly generatorUrl: string
}
export type PostedMatcher = {
  readonly name: string
  readonly value: string
  readonly isRegex: boolean
  readonly isEqual: boolean
}
export type PostedSilence = {
  /** '' asks for a new one. */
  readonly id: string
  readonly matchers: readonly PostedMatcher[]
  readonly startsAtMs: number | null
  readonly endsAtMs: number | null
  readonly createdBy: string
  readonly comment: string
  readonly annotations: Texts
}

const ALERTS_BYTES_MAX = 16 << 20
/** Each of them is kept for days, and may be one of thousands. */
const SILENCE_BYTES_MAX = 256 << 10

/** @throws ApiFailure */
export async function readAlerts(request: Request): Promise<PostedAlert[]> {
  const body = await readJson(request, 'alerts', ALERTS_BYTES_MAX)
  if (body === null) return []
  if (!Array.isArray(body)) return mistyped('alerts', body, 'Go value of type models.PostableAlerts')
  // Empty objects are two bytes on the wire and hundreds here.
  if (body.length > MAX_ALERTS)
    throw new ApiFailure(413, `the body has ${body.length} alerts, at most ${MAX_ALERTS} are taken at once`)
  const items = body.map((item: unknown) =>
    fieldsOf(item, { what: 'alerts', struct: 'Alert', target: 'Go value of type models.Alert' }),
  )
  const decoded = items.map((fields) => ({
    labels: fields.texts('labels'),
    annotations: fields.texts('annotations') ?? {},
    startsAtMs: fields.time('startsAt'),
    endsAtMs: fields.time('endsAt'),
    generatorUrl: fields.text('generatorURL') ?? '',
  }))
  return decoded.map((alert, i) => {
    if (!isRequestUri(alert.generatorUrl))
      return invalid('format', `${i}.generatorURL in body must be of type uri: ${JSON.stringify(alert.generatorUrl)}`)
    return { ...alert, labels: alert.labels ?? invalid('required', `${i}.labels in body is required`) }
  })
}

/** @throws ApiFailure */
export async function readSilence(request: Request): Promise<PostedSilence> {
  const body = await readJson(request, 'silence', SILENCE_BYTES_MAX)
  const fields = fieldsOf(body, { what: 'silence', struct: 'Silence', target: 'Go value of type models.Silence' })
  const silence = {
    id: fields.text('id') ?? '',
    annotations: fields.texts('annotations') ?? {},
    comment: fields.text('comment'),
    createdBy: fields.text('createdBy'),
    endsAtMs: fields.time('endsAt'),
    matchers: fields.list('matchers')?.map(matcherFields) ?? null,
    startsAtMs: fields.time('startsAt'),
  }
  const required = <Value>(value: Value | null, name: string): Value =>
    value ?? invalid('required', `${name} in body is required`)
  const comment = required(silence.comment, 'comment')
  const createdBy = required(silence.createdBy, 'createdBy')
  fields.demand('endsAt')
  const matchers = required(silence.matchers, 'matchers')
  if (matchers.length === 0) invalid('minItems', 'matchers in body should have at least 1 items')
  const checked = matchers.map(({ isRegex, name, value, isEqual }, i) => ({
    isRegex: required(isRegex, `matchers.${i}.isRegex`),
    name: required(name, `matchers.${i}.name`),
    value: required(value, `matchers.${i}.value`),
    isEqual: isEqual ?? true,
  }))
  fields.demand('startsAt')
  return { ...silence, comment, createdBy, matchers: checked }
}

function matcherFields(value: unknown, index: number) {
  const struct = `Silence.matchers.${index}`
  const fields = fieldsOf(value, { what: 'silence', struct, target: `${struct} of type models.Matcher` })
  return {
    isEqual: fields.flag('isEqual'),
    isRegex: fields.flag('isRegex'),
    name: fields.text('name'),
    value: fields.text('value'),
  }
}

/** Where an object stands, as messages name it: the whole, it before a field's name, it alone. */
type Place = { readonly what: string; readonly struct: string; readonly target: string }

/** An object's fields by type; null where one is absent or null. */
function fieldsOf(value: unknown, place: Place): Fields {
  if (value !== null && (typeof value !== 'object' || Array.isArray(value)))
    return mistyped(place.what, value, place.target)
  return new Fields((value ?? {}) as Readonly<Record<string, unknown>>, place)
}

class Fields {
  readonly #raw: Readonly<Record<string, unknown>>
  readonly #place: Place

  constructor(raw: Readonly<Record<string, unknown>>, place: Place) {
    this.#raw = raw
    this.#place = place
  }

  /** As Go finds fields: by their name in any case. */
  #given(name: string): unknown {
    const exact = this.#raw[name]
    if (exact !== undefined) return exact
    const other = Object.keys(this.#raw).find((key) => key.toLowerCase() === name.toLowerCase())
    return other === undefined ? null : this.#raw[other]
  }

  text(name: string): string | null {
    const value = this.#given(name)
    if (value === null || typeof value === 'string') return value?.toWellFormed() ?? null
    return this.#mistyped(name, value, 'string')
  }

  flag(name: string): boolean | null {
    const value = this.#given(name)
    return value === null || typeof value === 'boolean' ? value : this.#mistyped(name, value, 'bool')
  }

  list(name: string): readonly unknown[] | null {
    const value = this.#given(name)
    return value === null || Array.isArray(value) ? value : this.#mistyped(name, value, 'models.Matchers')
  }

  /** Label sets and annotations. */
  texts(name: string): Texts | null {
    const value = this.#given(name)
    if (value === null) return null
    if (typeof value !== 'object' || Array.isArray(value)) return this.#mistyped(name, value, 'models.LabelSet')
    const texts = Object.entries(value).map(([key, item]): [string, string] => {
      // Half a character is none, and null is the empty text.
      if (item === null || typeof item === 'string') return [key.toWellFormed(), item?.toWellFormed() ?? '']
      return this.#mistyped(`${name}.${key}`, item, 'string')
    })
    return Object.fromEntries(texts)
  }

  /** In ms; null also for Go's zero time. */
  time(name: string): number | null {
    const text = this.text(name)
    if (text === null || text === '') return null
    const ms = dateTimeMs(text)
    if (ms !== null) return ms <= ZERO_TIME_MS ? null : ms
    const problem = `parsing time ${JSON.stringify(text)}: it is none such as 2006-01-02T15:04:05Z`
    return undecodable(this.#place.what, problem)
  }

  /** Also of a time that is not set. @throws ApiFailure unless the field is there */
  demand(name: string): void {
    if (this.#given(name) === null) invalid('required', `${name} in body is required`)
  }

  #mistyped(name: string, value: unknown, type: string): never {
    return mistyped(this.#place.what, value, `Go struct field ${this.#place.struct}.${name} of type ${type}`)
  }
}

function mistyped(what: string, value: unknown, target: string): never {
  const kind = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value
  return undecodable(what, `json: cannot unmarshal ${kind} into ${target}`)
}

/** 0001-01-01T00:00:00Z, which is Go's time that is not set. */
const ZERO_TIME_MS = -62_135_596_800_000

const DATE_TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i

/** RFC 3339, and the shorter forms that go-openapi's date-time takes; without a zone it is UTC. null for what is none. */
function dateTimeMs(text: string): number | null {
  const [whole, date, minutes = '00:00', seconds = ':00', zone = 'Z'] = DATE_TIME.exec(text) ?? []
  if (whole === undefined) return null
  const ms = Date.parse(`${date}T${minutes}${seconds}${zone.toUpperCase().replace(/(\d\d)(\d\d)$/, '$1:$2')}`)
  // A day that its month does not have would be one of the next.
  const isDay = !Number.isNaN(ms) && new Date(`${date}T00:00:00Z`).toISOString().startsWith(date!)
  return isDay ? ms : null
}

/** With a scheme, or a path from the root; '' is none. Semantics: Go url.ParseRequestURI. */
function isRequestUri(text: string): boolean {
  if (text === '') return true
  try {
    return parseGoUrl(text).scheme !== '' || text.startsWith('/')
  } catch {
    return false
  }
}

async function readJson(request: Request, what: string, bytesMax: number): Promise<unknown> {
  const text = new TextDecoder().decode(await readBytes(request, bytesMax))
  if (text === '') return invalid('required', `${what} in body is required`)
  const mediaType = mediaTypeOf(request)
  // Also keeps pages of other origins from posting without a preflight.
  if (mediaType !== JSON_TYPE)
    throw new ApiFailure(
      415,
      `unsupported media type ${JSON.stringify(mediaType)}, only [application/json] are allowed`,
      415,
    )
  try {
    return JSON.parse(text)
  } catch (error) {
    return undecodable(what, (error as Error).message)
  }
}

const JSON_TYPE = 'application/json'

function mediaTypeOf(request: Request): string {
  const type = request.headers.get('content-type') ?? 'application/octet-stream'
  return type.split(';', 1)[0]!.trim().toLowerCase()
}

export function isSentAsJson(request: Request): boolean {
  return mediaTypeOf(request) === JSON_TYPE
}

async function readBytes(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  if (request.body)
    for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
      sizeBytes += chunk.length
      if (sizeBytes > bytesMax) throw new ApiFailure(413, `the body exceeds ${bytesMax} bytes`)
      chunks.push(chunk)
    }
  return Buffer.concat(chunks)
}
