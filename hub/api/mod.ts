/** The hub's HTTP API. */
export { createApp } from './app.ts'
export type { ApiDeps, BuildInfo, DroppedTarget } from './deps.ts'
export { Reloads } from './reloads.ts'
