/** Which discovery sections something acts upon, by kind. */
import type { HttpClientConfig, OtherDiscovery, ScrapeConfig } from '../../protocol/config/mod.ts'
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

/** What becomes of a section of a kind that no provider speaks. */
export const refusalOf = (kind: string): string =>
  `${kind} discovery is not supported (supported: ${SUPPORTED_KINDS.join(', ')}), it finds no targets`

/** Such files load, as upstream's do; this is for whoever checks one: a text for each job and kind. */
export function unsupportedSections(configs: readonly Pick<ScrapeConfig, 'jobName' | 'discovery'>[]): string[] {
  return configs.flatMap(({ jobName, discovery }) => {
    const kinds = new Set(discovery.map(({ kind }) => kind).filter((kind) => !SUPPORTED_KINDS.includes(kind)))
    return [...kinds].map((kind) => `job ${JSON.stringify(jobName)}: ${refusalOf(kind)}`)
  })
}

export function providerOf(kind: string): Provider | null {
  return PROVIDERS[kind] ?? null
}
