/** Configuration files: decoding with positions, `prometheus.yml`, `agent.yml`. */
export {
  AGENT_EXPORTERS,
  type AgentConfig,
  type ExporterConfig,
  type ExporterFlags,
  type ExporterTarget,
  loadAgentConfig,
} from './agent.ts'
export { type BudgetClass, type BudgetConfig, type BudgetStep, DEFAULT_CLASS, stepName } from './budget.ts'
export * from './decode.ts'
export {
  type DiscoveryConfig,
  duration,
  EMPTY_HTTP,
  labelRecord,
  type OtherDiscovery,
  type StaticConfig,
} from './discovery.ts'
export {
  type DownsamplingLevel,
  type HubConfig,
  isAddress,
  type NatsConfig,
  parseAddress,
  type RetentionRule,
} from './heliograph.ts'
export {
  finishHttp,
  HTTP_FIELDS,
  type HttpClientConfig,
  type Oauth2Config,
  type TlsConfig,
  tlsConfig,
} from './http-client.ts'
export {
  DEFAULT_GLOBAL,
  directoryOf,
  expandGlob,
  joinPath,
  type LoadOptions,
  loadPrometheusConfig,
  type PrometheusConfig,
} from './prometheus.ts'
export type { AlertingConfig, AlertmanagerTarget, RemoteWriteConfig, StorageConfig } from './remote.ts'
export type { ScrapeConfig, ScrapeDefaults, ScrapeProtocol } from './scrape.ts'
export { parseBytes } from './units.ts'
export { loadWebConfig, type Material, type WebConfig, type WebTlsConfig } from './web.ts'
