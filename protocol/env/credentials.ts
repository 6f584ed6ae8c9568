/** What goes along with a redirect, for every HTTP client of ours. Stricter than Go's net/http, which upstream uses. */

/** The same host and port, or the same host moving from plain HTTP to TLS on the default ports. Never back. */
export function mayKeepCredentials(from: URL, to: URL): boolean {
  if (from.hostname !== to.hostname) return false
  if (from.protocol === to.protocol) return from.port === to.port
  return from.protocol === 'http:' && from.port === '' && to.port === ''
}

export const isCredentialHeader = (name: string): boolean => CREDENTIAL_HEADER.test(name)
const CREDENTIAL_HEADER = /auth|cookie|token|secret|password|api-?key/i

/** Of the address itself; '' where it has none. Bytes that are no UTF-8 stay escaped. */
export function basicAuthOf({ username, password }: URL): string {
  if (username === '' && password === '') return ''
  const binary = Array.from(new TextEncoder().encode(`${unescaped(username)}:${unescaped(password)}`), (byte) =>
    String.fromCharCode(byte),
  )
  return `Basic ${btoa(binary.join(''))}`
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** As Go's URL.Redacted. @example shownUrl(new URL('http://u:p@h/')) // 'http://u:xxxxx@h/' */
export function shownUrl(url: URL): string {
  if (url.password === '') return url.href
  const shown = new URL(url)
  shown.password = 'xxxxx'
  return shown.href
}
