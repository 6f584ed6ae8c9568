/** Records of the name servers. Semantics: Prometheus discovery/dns/dns.go, lookupWithSearchPath (v3.14). */
import { Resolver } from 'node:dns/promises'
import { type DnsRecord, type DnsType, type Net, NetError } from '../../protocol/env/mod.ts'

/** "No such name" and "no record of that type" are answers, not failures. */
const NOTHING: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

/** @param servers the system's when empty */
export function createResolver(servers: readonly string[]): Net['resolveDns'] {
  return async (name, type, { timeoutMs }) => {
    const resolver = new Resolver({ timeout: timeoutMs / 2, tries: 2, maxTimeout: timeoutMs })
    if (servers.length > 0) resolver.setServers([...servers])
    try {
      return await lookUp(resolver, name, type)
    } catch (error) {
      const code = String((error as { code?: unknown }).code ?? 'UNKNOWN')
      if (NOTHING.has(code)) return []
      throw new NetError(code, `could not resolve ${JSON.stringify(name)} (${type}): ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
}

async function lookUp(resolver: Resolver, name: string, type: DnsType): Promise<readonly DnsRecord[]> {
  switch (type) {
    case 'A':
      return (await resolver.resolve4(name)).map((host) => ({ type, host, port: 0 }))
    case 'AAAA':
      return (await resolver.resolve6(name)).map((host) => ({ type, host, port: 0 }))
    case 'SRV':
      return (await resolver.resolveSrv(name)).map((record) => ({ type, host: record.name, port: record.port }))
    case 'MX':
      return (await resolver.resolveMx(name)).map((record) => ({ type, host: record.exchange, port: 0 }))
    case 'NS':
      return (await resolver.resolveNs(name)).map((host) => ({ type, host, port: 0 }))
  }
}
