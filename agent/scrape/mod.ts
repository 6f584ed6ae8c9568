/** Scrapes targets, by HTTP and in process, into the agent's sample sink. */
export { ScrapeCounters } from './counters.ts'
export { ScrapeManager, type ScrapeManagerOptions } from './manager.ts'
export {
  type CollectResult,
  type CollectSource,
  DEFAULT_BODY_LIMIT_BYTES,
  DEFAULT_SAMPLE_LIMIT,
  type HttpSource,
  httpSource,
  type ScrapeLimits,
  type ScrapeTargetConfig,
  type ScrapeTargetInput,
  type TargetHealth,
  type TargetMetadata,
  type TargetStatus,
  targetKey,
  targetUrl,
  withTargetDefaults,
} from './target.ts'
