/**
 * Cookies of one probe's redirects: kept for the host that set them, or for its domain, under their path and until they
 * expire. Semantics: RFC 6265 as Go net/http (readSetCookies, cookiejar) has it. Differs: of public suffixes those of one
 * label alone are known, upstream has the list of all.
 */

import { httpDate } from './http-date.ts'
import type { Hop } from './http-hop.ts'
import { isToken } from './http1.ts'

type Cookie = {
  readonly name: string
  readonly value: string
  /** Or the host alone that set it. */
  readonly domain: string
  readonly isForHost: boolean
  readonly path: string
  readonly isSecure: boolean
}

export class CookieJar {
  /** By domain, path and name: one head brings thousands, and each is looked up. One that is set again keeps its place. */
  readonly #cookies = new Map<string, Cookie>()

  /** @param line of `Set-Cookie` */
  take(from: URL, line: string, nowMs: number): void {
    const [pair = '', ...rest] = line.split(';')
    const at = pair.indexOf('=')
    const name = pair.slice(0, Math.max(at, 0)).trim()
    const value = cookieValue(pair.slice(at + 1).trim())
    if (!isToken(name) || value === null) return
    const attributes = new Map<string, string>()
    for (const part of rest) {
      const [name = '', ...value] = part.split('=')
      attributes.set(name.trim().toLowerCase(), value.join('=').trim())
    }
    const wanted = (attributes.get('domain') ?? '').toLowerCase()
    const domain = wanted.replace(/^\./, '')
    if (wanted === '.' || (domain !== '' && domain !== from.hostname && !isWithin(from.hostname, domain))) return
    const isSuffix = !domain.includes('.')
    if (isSuffix && domain !== '' && domain !== from.hostname) return
    const path = attributes.get('path') ?? ''
    const cookie: Cookie = {
      name,
      value,
      domain: domain === '' ? from.hostname : domain,
      isForHost: isSuffix,
      path: path.startsWith('/') ? path : defaultPath(from.pathname),
      isSecure: attributes.has('secure'),
    }
    const key = [cookie.domain, cookie.path, cookie.name].join(';')
    if (isExpired(attributes, nowMs)) this.#cookies.delete(key)
    else this.#cookies.set(key, cookie)
  }

  /** The request with the cookies that are for it, after those that it has. */
  onto(hop: Hop): Hop {
    const mine = [...this.#cookies.values()].filter((cookie) => isFor(cookie, hop.url))
    if (mine.length === 0) return hop
    // Longer paths first; among them as they came.
    const pairs = mine.toSorted((a, b) => b.path.length - a.path.length).map(({ name, value }) => `${name}=${value}`)
    const isCookie = ([name]: readonly [string, string]): boolean => name.toLowerCase() === 'cookie'
    const own = hop.headers.find(isCookie)?.[1]
    const all = own === undefined ? pairs : [own, ...pairs]
    return { ...hop, headers: [...hop.headers.filter((header) => !isCookie(header)), ['Cookie', all.join('; ')]] }
  }
}

/** As it is sent again: what has a space or a comma stands in quotes; null for what none may have. */
function cookieValue(text: string): string | null {
  const quoted = /^"(.*)"$/s.exec(text)
  const inner = quoted?.[1] ?? text
  if (!/^[\x20!#-:<-[\]-~]*$/.test(inner)) return null
  return quoted || /[ ,]/.test(inner) ? `"${inner}"` : inner
}

const isWithin = (host: string, domain: string): boolean => host.endsWith(`.${domain}`) && !/^[\d.]+$|:/.test(host)

const defaultPath = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'

function isFor({ domain, isForHost, path, isSecure }: Cookie, url: URL): boolean {
  const isHost = url.hostname === domain || (!isForHost && isWithin(url.hostname, domain))
  const isPath = url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`)
  return isHost && isPath && (!isSecure || url.protocol === 'https:' || isLoopback(url.hostname))
}

/** Secure without TLS, as Go (since 1.25) and browsers have it. */
const isLoopback = (host: string): boolean => host === 'localhost' || host === '[::1]' || /^127\.[\d.]+$/.test(host)

function isExpired(attributes: ReadonlyMap<string, string>, nowMs: number): boolean {
  const age = attributes.get('max-age')
  if (age !== undefined && /^-?\d+$/.test(age)) return Number(age) <= 0
  const until = httpDate((attributes.get('expires') ?? '').replace(/^(\w{3}, \d\d)-(\w{3})-(\d{4})/, '$1 $2 $3'))
  return until !== null && until * 1000 <= nowMs
}
