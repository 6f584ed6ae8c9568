/**
 * Which proxy a request goes through. Semantics: prometheus/common config/http_config.go, ProxyConfig.Proxy; Go
 * golang.org/x/net/http/httpproxy (the rules of NO_PROXY).
 */
import type { HttpClientConfig } from '../../protocol/config/mod.ts'
import type { HttpRequest } from '../../protocol/env/mod.ts'

type ProxySettings = Pick<HttpClientConfig, 'proxyUrl' | 'noProxy' | 'proxyFromEnvironment' | 'proxyConnectHeader'>
type Environment = Readonly<Record<string, string | undefined>>

export function proxyFor(
  { proxyUrl, noProxy, proxyFromEnvironment, proxyConnectHeader }: ProxySettings,
  url: string,
  environment: Environment = {},
): HttpRequest['proxy'] {
  if (proxyUrl === '' && !proxyFromEnvironment) return undefined
  const target = new URL(url)
  const fromEnvironment = proxyFromEnvironment ? proxyOfEnvironment(target, environment) : null
  const proxy = fromEnvironment === null ? proxyUrl : fromEnvironment.proxy
  const exceptions = fromEnvironment === null ? noProxy : fromEnvironment.exceptions
  // A proxy_url alone takes everything, this host too; exceptions always include it.
  if (proxy === '' || ((fromEnvironment !== null || exceptions !== '') && !usesProxy(target, exceptions)))
    return undefined
  const connectHeaders = Object.entries(proxyConnectHeader).map(
    ([name, secrets]) => [name, secrets.map((secret) => secret.reveal()).join(', ')] as const,
  )
  return {
    url: proxy.includes('://') ? proxy : `http://${proxy}`,
    ...(connectHeaders.length > 0 && { connectHeaders: Object.fromEntries(connectHeaders) }),
  }
}

function proxyOfEnvironment(target: URL, environment: Environment) {
  const either = (name: string): string => environment[name] ?? environment[name.toLowerCase()] ?? ''
  const isTls = target.protocol === 'https:'
  // In a CGI program HTTP_PROXY is what a client's "Proxy" header says.
  const isCgi = environment['REQUEST_METHOD'] !== undefined
  return { proxy: isTls ? either('HTTPS_PROXY') : isCgi ? '' : either('HTTP_PROXY'), exceptions: either('NO_PROXY') }
}

/** @param exceptions as in NO_PROXY: names, domains, addresses, networks, each with a port or without; or `*` */
function usesProxy(target: URL, exceptions: string): boolean {
  const host = target.hostname.replace(/^\[|\]$/g, '').toLowerCase()
  const port = target.port || (target.protocol === 'https:' ? '443' : '80')
  const address = addressBits(host)
  if (host === 'localhost' || (address !== null && isLoopback(host))) return false
  for (const each of exceptions.split(',')) {
    const entry = each.trim().toLowerCase()
    if (entry === '') continue
    if (entry === '*') return false
    const slash = entry.indexOf('/')
    if (slash > 0) {
      if (address !== null && inNetwork(address, entry.slice(0, slash), Number(entry.slice(slash + 1)))) return false
      continue
    }
    const { name, ownPort } = splitPort(entry)
    if (ownPort !== '' && ownPort !== port) continue
    if (addressBits(name) !== null ? name === host : matchesDomain(host, name)) return false
  }
  return true
}

/** `a.b` is itself and what is below it; `.a.b` and `*.a.b` are what is below it. */
function matchesDomain(host: string, pattern: string): boolean {
  const bare = pattern.startsWith('*.') ? pattern.slice(1) : pattern
  if (bare.startsWith('.')) return host.endsWith(bare)
  return host === bare || host.endsWith(`.${bare}`)
}

function splitPort(entry: string): { readonly name: string; readonly ownPort: string } {
  const bracketed = /^\[([^\]]+)\](?::(\d+))?$/.exec(entry)
  if (bracketed) return { name: bracketed[1]!, ownPort: bracketed[2] ?? '' }
  const plain = /^([^:]+):(\d+)$/.exec(entry)
  return plain ? { name: plain[1]!, ownPort: plain[2]! } : { name: entry, ownPort: '' }
}

function isLoopback(host: string): boolean {
  return host.startsWith('127.') || host === '::1'
}

/** Of an IPv4 or IPv6 address; null for a name. */
function addressBits(host: string): string | null {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host))
    return host
      .split('.')
      .map((part) => Number(part).toString(2).padStart(8, '0'))
      .join('')
  if (!host.includes(':')) return null
  const [head = '', tail] = host.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const before = groups(head)
  const after = groups(tail ?? '')
  const missing = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - before.length - after.length)).fill('0')
  const all = [...before, ...missing, ...after]
  if (all.length !== 8) return null
  return all.map((group) => Number.parseInt(group, 16).toString(2).padStart(16, '0')).join('')
}

function inNetwork(address: string, network: string, prefix: number): boolean {
  const bits = addressBits(network)
  return bits !== null && bits.length === address.length && bits.slice(0, prefix) === address.slice(0, prefix)
}
