/**
 * URLs as Go's parser takes and refuses them. Semantics: Go net/url, Parse, with its messages. Configurations that
 * upstream refuses for an address are refused here for the same reason, and no others.
 */
export type GoUrl = {
  /** Lower case; '' for a relative one. */
  readonly scheme: string
  /** With the port; '' where there is none. */
  readonly host: string
  /** What follows `scheme:` when it does not start with `/`. */
  readonly opaque: string
  /** Decoded, but for escapes that are no UTF-8. */
  readonly path: string
  readonly query: string
}

/** @throws Error `parse "…": …` */
export function parseGoUrl(text: string): GoUrl {
  const beforeFragment = text.split('#', 1)[0]!
  try {
    const url = parse(beforeFragment)
    unescaped(text.slice(beforeFragment.length + 1), 'fragment')
    return url
  } catch (error) {
    const shown = JSON.stringify(redactedUrl(beforeFragment))
    throw new Error(`parse ${shown}: ${(error as Error).message}`, { cause: error })
  }
}

/** Semantics: Go URL.Redacted, also for what is no URL. @example redactedUrl('http://u:p@h/') // 'http://u:xxxxx@h/' */
export function redactedUrl(text: string): string {
  return text.replace(/^([A-Za-z][A-Za-z0-9+.-]*:\/\/[^/?#@:]*:)[^/?#]*@/, '$1xxxxx@')
}

function parse(text: string): GoUrl {
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new Error('net/url: invalid control character in URL')
  const [scheme, afterScheme] = splitScheme(text)
  const mark = afterScheme.indexOf('?')
  const rest = mark < 0 ? afterScheme : afterScheme.slice(0, mark)
  const query = mark < 0 ? '' : afterScheme.slice(mark + 1)
  if (!rest.startsWith('/')) {
    if (scheme !== '') return { scheme, host: '', opaque: rest, path: '', query }
    if (rest.split('/', 1)[0]!.includes(':')) throw new Error('first path segment in URL cannot contain colon')
  }
  const hasAuthority = rest.startsWith('//') && (scheme !== '' || !rest.startsWith('///'))
  const end = hasAuthority ? rest.indexOf('/', 2) : 0
  const host = hasAuthority ? hostOf(rest.slice(2, end < 0 ? undefined : end)) : ''
  const path = unescaped(end < 0 ? '' : rest.slice(end), 'path')
  return { scheme, host, opaque: '', path, query }
}

function splitScheme(text: string): readonly [scheme: string, rest: string] {
  if (text.startsWith(':')) throw new Error('missing protocol scheme')
  const [whole, scheme] = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text) ?? []
  return whole === undefined ? ['', text] : [scheme!.toLowerCase(), text.slice(whole.length)]
}

function hostOf(authority: string): string {
  const at = authority.lastIndexOf('@')
  if (at >= 0 && !/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(authority.slice(0, at)))
    throw new Error('net/url: invalid userinfo')
  if (at >= 0) unescaped(authority.slice(0, at), 'user')
  const host = authority.slice(at + 1)
  const isBracketed = host.startsWith('[')
  const close = host.lastIndexOf(']')
  if (isBracketed && close < 0) throw new Error("missing ']' in host")
  const colon = host.lastIndexOf(':')
  const port = isBracketed ? host.slice(close + 1) : colon < 0 ? '' : host.slice(colon)
  if (!/^(?::\d*)?$/.test(port)) throw new Error(`invalid port ${JSON.stringify(port)} after host`)
  return unescaped(host, 'host')
}

type Part = 'host' | 'path' | 'user' | 'fragment'

function unescaped(text: string, part: Part): string {
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!
    if (char === '%') {
      const code = text.slice(i, i + 3)
      const isEscape = /^%[0-9A-Fa-f]{2}$/.test(code)
      // A host may hold escaped bytes that are no ASCII, and the percent sign of a zone.
      const isForbidden = part === 'host' && /^%[0-7]/.test(code) && code !== '%25'
      if (!isEscape || isForbidden) throw new Error(`invalid URL escape ${JSON.stringify(code)}`)
      i += 2
    } else if (part === 'host' && char < '\x80' && !/[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"]/.test(char))
      throw new Error(`invalid character ${JSON.stringify(char)} in host name`)
  }
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run
    }
  })
}
