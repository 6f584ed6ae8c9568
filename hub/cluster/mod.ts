/** A hub among others: who is there, whose turn it is, and what all of them keep. */
export type { Claim } from './claims.ts'
export { Cluster, type ClusterOptions, type ClusterStatus } from './cluster.ts'
export { type KvBucket, type KvEntry, KvError, type KvListener, type KvWatch } from './kv.ts'
export { LEASE_MS, type Member } from './membership.ts'
export type { Entry, LocalEntries, Merged, SharedCounters, SharedEntries } from './shared-entries.ts'
