/** Which discovery sections something acts upon, by kind. */
import type { HttpClientConfig, OtherDiscovery } from '../../protocol/config/mod.ts'
import { discoverConsul } from './consul.ts'
import { discoverDns } from './dns.ts'
import { discoverDocker } from './docker.ts'
import { discoverFiles } from './file.ts'
import type { DiscoveryContext } from './group.ts'
import { discoverHttp } from './http.ts'
import type { HttpAccess } from './http-access.ts'
import { discoverKubernetes } from './kubernetes/mod.ts'

/** Runs until the context's signal is aborted. */
export type Provider = (
  section: OtherDiscovery,
  context: DiscoveryContext,
  accessTo: (http: HttpClientConfig) => HttpAccess,
) => Promise<void>

const PROVIDERS: Readonly<Record<string, Provider>> = {
  consul: (section, context, accessTo) => discoverConsul(section, context, accessTo(section.http!)),
  dns: discoverDns,
  docker: (section, context, accessTo) => discoverDocker(section, context, accessTo(section.http!)),
  file: discoverFiles,
  http: (section, context, accessTo) => discoverHttp(section, context, accessTo(section.http!)),
  kubernetes: discoverKubernetes,
}

export const SUPPORTED_KINDS: readonly string[] = ['static', ...Object.keys(PROVIDERS)]

export function providerOf(kind: string): Provider | null {
  return PROVIDERS[kind] ?? null
}
