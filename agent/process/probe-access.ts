/** The agent's HTTP client in parts, for probes that make every step by themselves. */
import type { ProbeAccess } from '../../exporters/blackbox/mod.ts'
import type { Oauth2Config } from '../../protocol/config/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import { credentialHeaders, type OauthTokens, proxyFor, tlsOptions, tokensOf } from '../discovery/mod.ts'

export function probeAccess(
  { net, clock, disk }: Env,
  environment: Readonly<Record<string, string | undefined>>,
): ProbeAccess {
  const readText = (path: string): string => disk.readText(path)
  const tokens = new WeakMap<Oauth2Config, OauthTokens>()
  const deps = { net, clock, readText, tokens, environment }
  return {
    async headers(client) {
      const authorization = client.oauth2 ? await tokensOf(client.oauth2, deps).header() : null
      return { ...credentialHeaders(client, readText)?.(), ...(authorization !== null && { authorization }) }
    },
    tls: (config) => tlsOptions(config, readText) ?? {},
    proxy: (client, url) => proxyFor(client, url, environment),
  }
}
