/**
 * The remote-write thread: a pipeline an endpoint, each read in its turn. It polls the end of the log rather than being
 * told of it, so that a commit costs ingest two stores and nothing else.
 */
import type { Clock, Disk, Logger, Timer } from '../../protocol/env/mod.ts'
import {
  byteOf,
  HEADER_PAGE_BYTES,
  listFiles,
  type SyncedEnd,
  segmentName,
  segmentOf,
  type WalPosition,
} from '../wal/mod.ts'
import { CursorFile, forgetOthers } from './cursor.ts'
import { Follower, type FollowerOptions } from './follower.ts'
import type { EndpointSpec, FromRemoteWrite, ToRemoteWrite } from './messages.ts'
import { type Backlog, NO_BACKLOG, Pipeline } from './pipeline.ts'

const POLL_MS = 100
const STATE_MS = 1000
const CURSOR_MS = 5000
const BACKLOG_MS = 10_000
/** What a pipeline that is closed has still under way is given so long. */
const CLOSE_MS = 2000
const MAX_BACKLOG_BYTES = 4 * 2 ** 30
/** Of the disk that is left, the log that waits counted as left; and of what retention by size lets the hub store. */
const MAX_BACKLOG_SHARE = 0.25
/** What is passed over is so much more than what is too much: it is not begun again at once. */
const RESUME_SHARE = 0.8

export type RemoteWriteThreadOptions = Omit<FollowerOptions, 'directory'> & {
  readonly clock: Clock
  readonly disk: Disk
  readonly log: Logger
  /** The data directory. */
  readonly directory: string
  readonly synced: SyncedEnd
  readonly endpoints: readonly EndpointSpec[]
  readonly post: (message: FromRemoteWrite, transfer?: readonly ArrayBuffer[]) => void
  readonly maxBacklogBytes?: number
  /** See `PipelineOptions`. */
  readonly spareSeries?: number
}

type Closing = { readonly pipeline: Pipeline; forget: boolean; readonly untilMs: number }

export class RemoteWriteThread {
  readonly #options: RemoteWriteThreadOptions
  readonly #walDirectory: string
  readonly #pipelines = new Map<string, Pipeline>()
  readonly #closing = new Map<string, Closing>()
  readonly #backlogs = new Map<string, Backlog>()
  #timer: Timer | null = null
  #stateDueMs = 0
  #cursorDueMs = 0
  #backlogDueMs = 0

  constructor(options: RemoteWriteThreadOptions) {
    this.#options = options
    this.#walDirectory = `${options.directory}/wal`
    forgetOthers(options.disk, options.directory, new Set(options.endpoints.map(({ key }) => key)))
    for (const spec of options.endpoints) this.#open(spec)
    this.#tellNeed()
    this.#later(0)
  }

  receive(message: ToRemoteWrite): void {
    switch (message.kind) {
      case 'open':
        this.#open(message.spec)
        this.#tellNeed()
        break
      case 'close':
        this.#close(message.key, message.forget)
        break
      case 'answered':
        this.#pipeline(message.key)?.answered(message.id)
        break
      case 'shards':
        this.#pipelines.get(message.key)?.setShards(message.shards)
        break
    }
    this.#soon()
  }

  #pipeline(key: string): Pipeline | undefined {
    return this.#pipelines.get(key) ?? this.#closing.get(key)?.pipeline
  }

  #open(spec: EndpointSpec): void {
    const { directory, synced, post, spareSeries, maxBacklogBytes: _, endpoints: __, ...deps } = this.#options
    const log = deps.log.with({ remoteName: spec.name })
    const pipeline = new Pipeline({
      spec,
      clock: deps.clock,
      log,
      follower: new Follower({ ...deps, log, directory: this.#walDirectory }),
      cursor: new CursorFile(deps.disk, log, directory, spec.key),
      end: () => synced.end,
      ...(spareSeries !== undefined && { spareSeries }),
      send: (request) => post({ kind: 'request', ...request }, [request.body.buffer as ArrayBuffer]),
    })
    this.#pipelines.set(spec.key, pipeline)
  }

  #close(key: string, forget: boolean): void {
    const closing = this.#closing.get(key)
    if (closing) closing.forget = forget
    const pipeline = this.#pipelines.get(key)
    if (!pipeline) {
      const { disk, log, directory } = this.#options
      if (forget && !closing) new CursorFile(disk, log, directory, key).forget()
      return
    }
    this.#pipelines.delete(key)
    pipeline.close()
    this.#closing.set(key, { pipeline, forget, untilMs: this.#options.clock.monotonic() + CLOSE_MS })
  }

  #turn(): void {
    const now = this.#options.clock.monotonic()
    let hasMore = false
    for (const pipeline of this.#pipelines.values()) {
      if (pipeline.step()) hasMore = true
      pipeline.flushDue()
      pipeline.noteCursor()
    }
    for (const [key, { pipeline, forget, untilMs }] of this.#closing) {
      if (!pipeline.isDrained && now < untilMs) continue
      this.#closing.delete(key)
      if (forget) this.#sayUnsent(pipeline)
      pipeline.end(forget)
      this.#tellNeed()
      this.#post({ kind: 'state', ...pipeline.state(NO_BACKLOG) })
      this.#post({ kind: 'closed', key })
    }
    if (now >= this.#backlogDueMs) {
      this.#backlogDueMs = now + BACKLOG_MS
      void this.#boundBacklogs()
    }
    if (now >= this.#cursorDueMs) {
      this.#cursorDueMs = now + CURSOR_MS
      for (const pipeline of this.#pipelines.values()) pipeline.saveCursor()
      this.#tellNeed()
    }
    if (now >= this.#stateDueMs) {
      this.#stateDueMs = now + STATE_MS
      for (const [key, pipeline] of this.#pipelines)
        this.#post({ kind: 'state', ...pipeline.state(this.#backlogs.get(key) ?? NO_BACKLOG) })
    }
    this.#later(hasMore ? 0 : POLL_MS)
  }

  /** Nobody counts it any more. */
  #sayUnsent(pipeline: Pipeline): void {
    const { pending } = pipeline.state(NO_BACKLOG)
    const unreadBytes = this.#bytesFrom(pipeline.position)
    if (pipeline.isDrained && unreadBytes === 0) return
    this.#options.log.warn('The receiver is configured no more: what waited for it is not sent', {
      remoteName: pipeline.spec.name,
      ...pending,
      unreadBytes,
    })
  }

  /** A log that is held for receivers must not fill the disk. */
  async #boundBacklogs(): Promise<void> {
    const { disk, log, maxBacklogBytes = MAX_BACKLOG_BYTES } = this.#options
    try {
      const { blockSizeBytes, blocksAvailable } = await disk.statfs(this.#walDirectory)
      for (const [key, pipeline] of this.#pipelines) {
        const bytes = this.#bytesFrom(pipeline.cursor)
        this.#backlogs.set(key, { bytes, unreadBytes: this.#bytesFrom(pipeline.position) })
        const room = Math.min(
          blockSizeBytes * blocksAvailable + bytes,
          pipeline.spec.retentionSizeBytes || Number.POSITIVE_INFINITY,
        )
        const most = Math.min(maxBacklogBytes, MAX_BACKLOG_SHARE * room)
        if (bytes > most) {
          pipeline.passOver(true)
          this.#post({ kind: 'discard', key })
        } else if (bytes < RESUME_SHARE * most) pipeline.passOver(false)
      }
    } catch (err) {
      log.warn('Cannot tell how much of the log is held', { err })
    }
  }

  #bytesFrom(position: WalPosition): number {
    const { disk, synced } = this.#options
    const first = segmentOf(position)
    const { segments } = listFiles(disk.readDirectory(this.#walDirectory))
    if (first === segmentOf(synced.end)) return synced.end - position
    let bytes = -byteOf(position)
    for (const index of segments)
      if (index >= first) {
        const size = disk.stat(`${this.#walDirectory}/${segmentName(index)}`)?.sizeBytes ?? 0
        bytes += index === first ? size : Math.max(0, size - HEADER_PAGE_BYTES)
      }
    return Math.max(0, bytes)
  }

  #tellNeed(): void {
    let oldest: number | null = null
    for (const pipeline of [...this.#pipelines.values(), ...[...this.#closing.values()].map((each) => each.pipeline)]) {
      const segment = pipeline.neededSegment
      if (oldest === null || segment < oldest) oldest = segment
    }
    this.#options.synced.need(oldest)
  }

  #post(message: FromRemoteWrite): void {
    this.#options.post(message)
  }

  #soon(): void {
    this.#timer?.cancel()
    this.#later(0)
  }

  #later(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(delayMs, () => this.#turn())
  }
}
