/** Configuration files: decoding with positions, `prometheus.yml`, `agent.yml`. */
export {
  AGENT_EXPORTERS,
  type AgentConfig,
  type AgentConfigCheck,
  checkAgentConfig,
  type ExporterConfig,
  type ExporterFlags,
  type ExporterTarget,
  loadAgentConfig,
} from './agent.ts'
export { type BudgetClass, type BudgetConfig, type BudgetStep, DEFAULT_CLASS, stepName } from './budget.ts'
export { type Sigv4, sigv4 } from './cloud-auth.ts'
export * from './decode.ts'
export {
  type DiscoveryConfig,
  duration,
  EMPTY_HTTP,
  labelRecord,
  type OtherDiscovery,
  type StaticConfig,
} from './discovery.ts'
export { expandGlob } from './glob.ts'
export { type GoUrl, parseGoUrl, redactedUrl } from './go-url.ts'
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
  NO_TLS,
  type Oauth2Config,
  type TlsConfig,
  tlsConfig,
} from './http-client.ts'
export { directoryOf, joinPath } from './paths.ts'
export {
  DEFAULT_GLOBAL,
  type LoadOptions,
  loadPrometheusConfig,
  type PrometheusConfig,
} from './prometheus.ts'
export {
  type AlertingConfig,
  type AlertmanagerTarget,
  type RemoteWriteConfig,
  type RemoteWriteMessage,
  type RemoteWriteMetadata,
  type RemoteWriteQueue,
  type StorageConfig,
  tracing,
} from './remote.ts'
export type { ScrapeConfig, ScrapeDefaults, ScrapeProtocol } from './scrape.ts'
export { formatBytes, parseBytes } from './units.ts'
export { loadWebConfig, type Material, type WebConfig, type WebTlsConfig } from './web.ts'
