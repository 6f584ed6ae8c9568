/** Notification templates. Semantics: Alertmanager template/template.go (v0.34). */
import {
  COMMON_FUNCTIONS,
  type Functions,
  formatTime,
  GoList,
  GoMap,
  type GoStruct,
  goDuration,
  goTime,
  instantOf,
  ofAny,
  ofText,
  parseTime,
  SafeText,
  TemplateSet,
  titleCase,
  typeName,
  type Value,
  ZERO_TIME_NS,
  zone,
} from '../template/mod.ts'
import { isNilMap, type TemplateData, templateData } from './template-data.ts'

/** Templates of files and of the house, to which each text of a receiver is added when it is expanded. */
export class NotificationTemplates {
  readonly #sources: readonly { readonly name: string; readonly text: string }[]
  readonly #now: () => number

  /** @throws TemplateError */
  constructor(sources: readonly { readonly name: string; readonly text: string }[], now: () => number) {
    this.#sources = sources
    this.#now = now
    const set = new TemplateSet(this.#functions(() => ''))
    for (const { name, text } of sources) set.add(name, text)
  }

  /** @throws TemplateError */
  expand(text: string, data: TemplateData, { html = false } = {}): string {
    return this.expandValue(text, templateData(data), { html, routeLabels: data.routeLabels })
  }

  /** @throws TemplateError */
  expandValue(
    text: string,
    data: Value,
    { html, routeLabels }: { readonly html: boolean; readonly routeLabels: TemplateData['routeLabels'] },
  ): string {
    if (!text.includes('{{')) return text
    const open: string[] = []
    const run = (source: string): string => {
      const set = new TemplateSet(this.#functions(route))
      for (const each of this.#sources) set.add(each.name, each.text)
      return set.add('', source).execute('', data, { html })
    }
    const route = (name: string): string => {
      const label = routeLabels && Object.hasOwn(routeLabels, name) ? routeLabels[name]! : ''
      if (open.includes(name)) throw new Error(`route label ${JSON.stringify(name)} refers to itself`)
      open.push(name)
      try {
        return label.includes('{{') ? run(label) : label
      } finally {
        open.pop()
      }
    }
    return run(text)
  }

  #functions(routeLabel: (name: string) => string): Functions {
    const now = this.#now
    return {
      ...COMMON_FUNCTIONS,
      title: ofText(titleCase),
      trimSpace: ofText((value) => value.trim()),
      join: {
        params: ['string', 'any'],
        call: ([separator, list]) => strings(list!).join(separator as string),
      },
      safeUrl: ofText((value) => new SafeText('url', value)),
      urlUnescape: ofText(queryUnescape),
      stringSlice: { params: [], rest: 'string', call: (args) => new GoList(args, '[]string') },
      date: {
        params: ['string', 'any'],
        call: ([layout, time]) => formatTime(instant(time!), layout as string),
      },
      tz: {
        params: ['string', 'any'],
        call: ([name, time]) => {
          const found = zone(name as string)
          if (!found) throw new Error(`unknown time zone ${name}`)
          return goTime(instant(time!).ns, found)
        },
      },
      now: { params: [], call: () => goTime(BigInt(Math.round(now())) * 1_000_000n) },
      since: ofAny(([time]) => goDuration(BigInt(Math.round(now())) * 1_000_000n - instant(time!).ns)),
      toJson: ofAny(([value]) => toJson(value!)),
      base64encode: ofText((value) => Buffer.from(value).toString('base64').replaceAll('+', '-').replaceAll('/', '_')),
      base64decode: ofText(decodeBase64),
      toDate: {
        params: ['string', 'string'],
        call: ([layout, value]) => {
          try {
            return goTime(parseTime(layout as string, value as string))
          } catch {
            return goTime(ZERO_TIME_NS)
          }
        },
      },
      mustToDate: {
        params: ['string', 'string'],
        call: ([layout, value]) => goTime(parseTime(layout as string, value as string)),
      },
      dict: { params: [], rest: 'any', call: dict },
      list: { params: [], rest: 'any', call: (args) => new GoList(args) },
      append: {
        params: ['any'],
        rest: 'any',
        call: ([list, ...more]) => {
          if (list !== null && !(list instanceof GoList && list.typeName === '[]interface {}'))
            throw new Error(`wrong type for value; expected []interface {}; got ${typeName(list!)}`)
          return new GoList([...(list?.items ?? []), ...more])
        },
      },
      routeLabels: ofText(routeLabel),
    }
  }
}

function strings(list: Value): string[] {
  if (!(list instanceof GoList && list.typeName === '[]string'))
    throw new Error(`wrong type for value; expected []string; got ${typeName(list)}`)
  return list.items.map((item) => {
    if (typeof item !== 'string') throw new Error(`wrong type for value; expected string; got ${typeName(item)}`)
    return item
  })
}

function instant(value: Value) {
  const found = instantOf(value)
  if (!found) throw new Error(`wrong type for value; expected time.Time; got ${typeName(value)}`)
  return found
}

function dict(args: readonly Value[]): Value {
  if (args.length % 2 === 1) throw new Error('dict requires an even number of arguments')
  const entries: [string, Value][] = []
  for (let i = 0; i < args.length; i += 2) {
    const key = args[i]
    if (typeof key !== 'string') throw new Error('dict keys must be strings')
    entries.push([key, args[i + 1]!])
  }
  return new GoMap(entries)
}

/** Semantics: Go encoding/base64, URLEncoding, with its messages. */
function decodeBase64(value: string): string {
  const text = value.replace(/[\n\r]/g, '')
  const letters = /^[\w-]*/.exec(text)![0].length
  const wrong = wrongPadding(letters % 4, text.slice(letters))
  if (wrong !== null) throw new Error(`illegal base64 data at input byte ${letters + wrong}`)
  return Buffer.from(text, 'base64url').toString()
}

/** Where, from the end of the letters, it is not what follows so many letters of the last four; null: nowhere. */
function wrongPadding(letters: number, padding: string): number | null {
  if (padding === '') return letters === 0 ? null : -letters
  if (padding[0] !== '=' || letters < 2) return 0
  if (letters === 2 && padding[1] !== '=') return padding.length === 1 ? 1 : 0
  const wanted = 4 - letters
  return padding.length > wanted ? wanted : null
}

/** Semantics: Go net/url, QueryUnescape. */
function queryUnescape(value: string): string {
  const bad = /%(?![0-9A-Fa-f]{2}).{0,2}/s.exec(value)?.[0]
  if (bad !== undefined) throw new Error(`invalid URL escape ${JSON.stringify(bad)}`)
  return value
    .replaceAll('+', ' ')
    .replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString())
}

/** Those that are not the field's name with a small letter. */
const JSON_NAMES: Readonly<Record<string, string>> = {
  GeneratorURL: 'generatorURL',
  NotificationReason: 'notification_reason',
}

/** As encoding/json: structs by their JSON names, in order; maps sorted. */
function toJson(value: Value): string {
  if (value === null) return 'null'
  if (typeof value === 'string') return quoteJson(value)
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new Error(`json: unsupported value: ${value}`)
    return JSON.stringify(value)
  }
  if (value instanceof SafeText) return quoteJson(value.text)
  if (value instanceof GoList) return `[${value.items.map(toJson).join(',')}]`
  if (value instanceof GoMap) {
    if (isNilMap(value)) return 'null'
    return `{${value
      .sorted()
      .map(([name, item]) => `${quoteJson(name)}:${toJson(item)}`)
      .join(',')}}`
  }
  if (instantOf(value)) return quoteJson(formatTime(instantOf(value)!, '2006-01-02T15:04:05.999999999Z07:00'))
  return structJson(value)
}

function structJson({ fields }: GoStruct): string {
  const name = (field: string): string => JSON_NAMES[field] ?? field[0]!.toLowerCase() + field.slice(1)
  const members = Object.entries(fields).map(([field, item]) => `${quoteJson(name(field))}:${toJson(item)}`)
  return `{${members.join(',')}}`
}

/** Go escapes what would end a script. */
function quoteJson(value: string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
