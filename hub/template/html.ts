/**
 * What html/template does that text/template does not: each value is escaped for the place where it stands. The place
 * is followed over the text of the template, never over values. Semantics: Go html/template (escape.go, url.go).
 */
import { formatValue, SafeText, type Value } from './values.ts'

type Attribute = {
  readonly kind: 'attribute'
  readonly quote: '"' | "'" | ''
  readonly holds: 'plain' | 'url' | 'code'
  /** The attribute's value up to here, values included as they were written. */
  readonly value: string
}
type Outside = 'text' | 'tag' | 'comment' | 'script' | 'style'
type Place = { readonly [Kind in Outside]: { readonly kind: Kind } }[Outside] | Attribute

const URL_ATTRIBUTES = new Set(
  'href src action formaction cite data poster background longdesc usemap manifest icon archive classid codebase profile'.split(
    ' ',
  ),
)
const SAFE_SCHEMES = /^(?:https?|mailto):/i

export class HtmlPlaces {
  #place: Place = { kind: 'text' }
  #tag = ''
  #pending = ''

  /** Text of the template passes by. */
  follow(text: string): void {
    let rest = this.#pending + text
    this.#pending = ''
    while (rest !== '') rest = this.#step(rest)
  }

  /** A value as it is written here. */
  escape(value: Value): string {
    const place = this.#place
    const text = value === null ? '' : formatValue(value)
    const safe = value instanceof SafeText ? value.kind : null
    if (place.kind === 'text') return safe === 'html' ? text : escapeHtml(text)
    if (place.kind === 'script') return scriptValue(value)
    if (place.kind === 'style') return /^[\w .#%,-]*$/.test(text) ? text : 'ZgotmplZ'
    if (place.kind === 'comment') return ''
    if (place.kind === 'tag') return /^[A-Za-z][\w-]*$/.test(text) && !/^on|^style$/i.test(text) ? text : 'ZgotmplZ'
    let out = text
    if (place.holds === 'url') {
      if (place.value === '' && safe !== 'url' && /^[^/?#]*:/.test(text) && !SAFE_SCHEMES.test(text)) out = '#ZgotmplZ'
      else out = /[?#]/.test(place.value) && safe !== 'url' ? escapeUrl(out) : normalizeUrl(out)
    } else if (place.holds === 'code') out = scriptValue(value)
    this.#place = { ...place, value: place.value + out }
    if (safe === 'html' && place.holds === 'plain') out = out.replace(/<[^>]*>/g, '')
    return place.quote === ''
      ? escapeHtml(out).replace(/[\s=`]/g, (char) => `&#${char.charCodeAt(0)};`)
      : escapeHtml(out)
  }

  #step(text: string): string {
    const place = this.#place
    switch (place.kind) {
      case 'text':
        return this.#inText(text)
      case 'comment':
        return this.#until(text, '-->', { kind: 'text' })
      case 'script':
      case 'style': {
        const end = text.toLowerCase().indexOf(`</${place.kind}`)
        if (end < 0) return ''
        this.#place = { kind: 'text' }
        return text.slice(end)
      }
      case 'tag':
        return this.#inTag(text)
      default:
        return this.#inAttribute(place, text)
    }
  }

  #inText(text: string): string {
    const open = text.indexOf('<')
    if (open < 0) return ''
    const found = /^<(?:!--|\/?([A-Za-z][A-Za-z0-9:-]*))/.exec(text.slice(open))
    if (!found) {
      if (open === text.length - 1) this.#pending = '<'
      return open === text.length - 1 ? '' : text.slice(open + 1)
    }
    this.#place = found[1] === undefined ? { kind: 'comment' } : { kind: 'tag' }
    this.#tag = found[0].startsWith('</') ? '' : (found[1] ?? '').toLowerCase()
    return text.slice(open + found[0].length)
  }

  #inTag(text: string): string {
    if (text.startsWith('>')) {
      this.#place = this.#tag === 'script' || this.#tag === 'style' ? { kind: this.#tag } : { kind: 'text' }
      return text.slice(1)
    }
    const found = /^([^\s=>/"']+)\s*=\s*(["'])?/.exec(text)
    if (!found) {
      const word = /^[^\s=>/]+/.exec(text)
      return text.slice(word?.[0].length ?? 1)
    }
    const name = found[1]!.toLowerCase().replace(/^(?:data-|xml:|xlink:)/, '')
    const holds = URL_ATTRIBUTES.has(name) ? 'url' : /^on|^style$/.test(name) ? 'code' : 'plain'
    this.#place = { kind: 'attribute', quote: (found[2] as '"' | "'" | undefined) ?? '', holds, value: '' }
    return text.slice(found[0].length)
  }

  #inAttribute(place: Attribute, text: string): string {
    const end = place.quote === '' ? text.search(/[\s>]/) : text.indexOf(place.quote)
    if (end < 0) {
      this.#place = { ...place, value: place.value + text }
      return ''
    }
    this.#place = { kind: 'tag' }
    return text.slice(end + (place.quote === '' ? 0 : 1))
  }

  #until(text: string, mark: string, next: Place): string {
    const end = text.indexOf(mark)
    if (end < 0) {
      this.#pending = text.slice(-(mark.length - 1))
      return ''
    }
    this.#place = next
    return text.slice(end + mark.length)
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&#34;',
  "'": '&#39;',
  '+': '&#43;',
  '\0': '\ufffd',
}

export function escapeHtml(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is one of the characters that Go replaces
  return text.replace(/[&<>"'+\0]/g, (char) => ENTITIES[char]!)
}

function percent(text: string, keep: RegExp): string {
  let out = ''
  for (const char of text) {
    if (keep.test(char)) out += char
    else for (const byte of new TextEncoder().encode(char)) out += `%${byte.toString(16).padStart(2, '0')}`
  }
  return out
}

/** Everything but unreserved characters is encoded. */
function escapeUrl(text: string): string {
  return percent(text, /^[A-Za-z0-9\-._~]$/)
}

/** What is encoded stays so; what may not stand in an address is encoded. */
function normalizeUrl(text: string): string {
  return text
    .split(/(%[0-9a-fA-F]{2})/)
    .map((piece, i) => (i % 2 === 1 ? piece : percent(piece, /^[A-Za-z0-9\-._~!#$&*+,/:;=?@[\]]$/)))
    .join('')
}

function scriptValue(value: Value): string {
  if (value === null) return ' null '
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return ` ${formatValue(value)} `
  return JSON.stringify(formatValue(value)).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
