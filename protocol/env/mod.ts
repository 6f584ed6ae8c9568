/**
 * The environment as an argument: every clock, timer, random number, file, socket, worker and message bus that
 * production code uses comes through one of these interfaces, handed down by `main.ts`. Production adapters live in
 * `agent/env` (and `hub/env` for what only hubs need); a simulation replaces them whole. A test in `bench/house`
 * forbids the globals and `node:` modules everywhere else.
 */
export type { Bus, BusMessage, BusStatus, BusSubscription, PublishOptions, RequestOptions } from './bus.ts'
export { BusError } from './bus.ts'
export type { Clock, Timer } from './clock.ts'
export { basicAuthOf, isCredentialHeader, mayKeepCredentials, shownUrl } from './credentials.ts'
export type { Disk, DiskFile, DiskLock, FileStat, FileSystemStat, OpenMode } from './disk.ts'
export { DiskError } from './disk.ts'
export type { Kernel, PerfEvent } from './kernel.ts'
export { KernelError } from './kernel.ts'
export type { LogFields, Logger, LogLevel } from './logger.ts'
export type {
  ByteSocket,
  DatagramListener,
  DatagramOptions,
  DatagramSender,
  Datagrams,
  DnsRecord,
  DnsType,
  HttpHandler,
  HttpInfo,
  HttpRequest,
  HttpResponse,
  ListenAddress,
  Listener,
  Net,
  PlainAnswer,
  PlainHandler,
  PlainRequest,
  ServeHttpOptions,
  ServerTls,
  TlsOptions,
  TlsVersion,
} from './net.ts'
export { NetError } from './net.ts'
export type { Pool, WorkerHandle, WorkerSpec } from './pool.ts'
export type {
  HeaderList,
  Http2Answer,
  Http2Request,
  PingOptions,
  PingReply,
  ProbeNet,
  StartTls,
  TlsCertificate,
  TlsSession,
} from './probe-net.ts'
export type { Random } from './random.ts'
export type {
  Overwritten,
  PendingMiss,
  RingBatch,
  RingCommit,
  RingGroup,
  RingHead,
  RingOpening,
  RingQuery,
  RingRecord,
  RingRecovery,
  RingStats,
  RingStore,
  SlotGap,
  SlotRun,
} from './ring-store.ts'
export { RingStoreError } from './ring-store.ts'

import type { Clock } from './clock.ts'
import type { Disk } from './disk.ts'
import type { Kernel } from './kernel.ts'
import type { Logger } from './logger.ts'
import type { Net } from './net.ts'
import type { Pool } from './pool.ts'
import type { Random } from './random.ts'

/** What `main.ts` hands down. */
export type Env = {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly net: Net
  readonly pool: Pool
  readonly log: Logger
  /** Absent where there is no such kernel, as in a simulation. */
  readonly kernel?: Kernel
}
