/** Service discovery: from `scrape_configs` to the targets of this moment, and again whenever they change. */
export type { DiscoveryConsumer } from './manager.ts'
export { DiscoveryManager } from './manager.ts'
export { SUPPORTED_KINDS } from './providers.ts'
export { type Discovered, type DroppedTarget, discoverTargets } from './targets.ts'
