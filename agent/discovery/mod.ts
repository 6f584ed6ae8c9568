/** Service discovery: from `scrape_configs` to the targets of this moment, and again whenever they change. */
export { type AccessDeps, credentialHeaders, HttpAccess, tlsOptions, tokensOf } from './http-access.ts'
export type { DiscoveryConsumer } from './manager.ts'
export { DiscoveryManager } from './manager.ts'
export type { OauthTokens } from './oauth.ts'
export { SUPPORTED_KINDS, unsupportedSections } from './providers.ts'
export { proxyFor } from './proxy.ts'
export { type Discovered, type DroppedTarget, discoverTargets } from './targets.ts'
