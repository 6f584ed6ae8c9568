/**
 * The ingest thread's loop: applies what comes in, commits in groups, and answers only what is durable. A group is what
 * arrives within `groupCommitMs` of its first message, so many agents share one `datasync`.
 */
import type { Clock, Timer } from '../../protocol/env/mod.ts'
import type { ReaderShare } from '../tsdb/contract.ts'
import type { Outcome } from './batches.ts'
import { type EngineOptions, IngestEngine } from './engine.ts'
import { type BatchAnswer, type FromIngest, type IngestPort, sentError, type ToIngest } from './messages.ts'

/** How long to wait before a group that found no room is tried again. */
const RETRY_MS = 250

export type IngestWorkerOptions = EngineOptions & { readonly groupCommitMs: number }

/** Resolves when asked to close; rejects after `fatal` was posted. */
export async function runIngestWorker(port: IngestPort, options: IngestWorkerOptions): Promise<void> {
  // Whoever posts before the log is replayed must not be lost.
  const early: ToIngest[] = []
  let loop: Loop | null = null
  port.onMessage((message) => (loop ? loop.receive(message) : void early.push(message)))
  let engine: IngestEngine
  try {
    engine = await IngestEngine.open(options)
  } catch (error) {
    port.post({ kind: 'fatal', error: sentError(error) })
    throw error
  }
  const ended = new Promise<void>((resolve, reject) => {
    loop = new Loop(port, engine, options.clock, options.groupCommitMs, resolve, reject)
  })
  port.post({ kind: 'ready', share: engine.share(), replay: engine.replayReport })
  for (const message of early) loop!.receive(message)
  return ended
}

class Loop {
  readonly #port: IngestPort
  readonly #engine: IngestEngine
  readonly #clock: Clock
  readonly #groupCommitMs: number
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void
  #answers: [number, unknown][] = []
  #timer: Timer | null = null
  #pages = 0
  #isMemoryHigh = false
  #ended = false

  constructor(
    port: IngestPort,
    engine: IngestEngine,
    clock: Clock,
    groupCommitMs: number,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.#port = port
    this.#engine = engine
    this.#clock = clock
    this.#groupCommitMs = groupCommitMs
    this.#resolve = resolve
    this.#reject = reject
    this.#pages = engine.share().pages.length
  }

  receive(message: ToIngest): void {
    if (this.#ended) return
    try {
      this.#apply(message)
      // Whoever reads meets the new page at once; the commit may be a long queue of messages away.
      if (!this.#ended) this.#sharePages(this.#engine.share())
      if (!this.#ended) this.#tellMemory()
    } catch (error) {
      this.#end(error)
    }
  }

  #apply(message: ToIngest): void {
    const engine = this.#engine
    switch (message.kind) {
      case 'batch':
        this.#answerLater(message.id, batchAnswer(engine.acceptBatch(message.subject, message.bytes)))
        break
      case 'local':
        this.#answerLater(message.id, engine.acceptLocal(message.record))
        break
      case 'rules':
        this.#answerLater(message.id, engine.acceptRules(message.results))
        break
      case 'remote-write':
        this.#answerLater(message.id, engine.acceptRemoteWrite(message.body, message.write))
        // Head and log have what they need: the memory is given back now, rather than when it is collected.
        ;(message.body.buffer as ArrayBuffer).transfer(0)
        break
      case 'agents':
        engine.setAgents(message.agents)
        break
      case 'cursor':
        // The agent forgets what it is told of: nothing of that may still wait for the disk.
        this.#answerLater(message.id, engine.cursor(message.agent))
        break
      case 'ledger':
        this.#answerNow(message.id, engine.ledger(message.agent, message.fromMs, message.toMs))
        break
      case 'status':
        this.#answerNow(message.id, engine.status())
        break
      case 'checkpoint':
        this.#checkpoint(message.id)
        break
      case 'trim':
        for (const source of engine.trim(message.minTimeMs)) this.#post({ kind: 'renew', source })
        break
      case 'close-before':
        // What came before must be visible to whoever cuts.
        this.#answerLater(message.id, engine.closeBefore(message.maxTimeMs))
        break
      case 'evict':
        for (const source of engine.evict()) this.#post({ kind: 'renew', source })
        this.#answerNow(message.id, null)
        break
      case 'close':
        this.#close(message.id)
        break
    }
  }

  #close(id: number): void {
    // What finds no room was never acknowledged: its senders still have it.
    this.#commit()
    this.#engine.close()
    this.#answerNow(id, null)
    this.#end(null)
  }

  #checkpoint(id: number): void {
    this.#engine.checkpointAside().then(
      () => this.#answerNow(id, null),
      (error) => {
        const sent = sentError(error)
        if (sent.code === 'FATAL_DISK') this.#end(error)
        else this.#post({ kind: 'failed', id, error: sent })
      },
    )
  }

  /** After the next commit. Refusals wait too: they may stand on what the same group stored. */
  #answerLater(id: number, value: unknown): void {
    this.#answers.push([id, value])
    if (this.#engine.mustCommit) this.#commit()
    else this.#timer ??= this.#clock.setTimer(this.#groupCommitMs, () => this.#onTimer())
  }

  #answerNow(id: number, value: unknown): void {
    this.#port.post({ kind: 'answers', answers: [[id, value]] })
  }

  #onTimer(): void {
    this.#timer = null
    if (this.#ended) return
    try {
      this.#commit()
    } catch (error) {
      this.#end(error)
    }
  }

  #commit(): boolean {
    this.#timer?.cancel()
    this.#timer = null
    if (!this.#engine.commit()) {
      this.#timer = this.#clock.setTimer(RETRY_MS, () => this.#onTimer())
      return false
    }
    const answers = this.#answers
    this.#answers = []
    this.#sharePages(this.#engine.share())
    if (answers.length > 0) this.#post({ kind: 'answers', answers })
    return true
  }

  #sharePages(share: ReaderShare): void {
    if (share.pages.length === this.#pages) return
    this.#pages = share.pages.length
    this.#post({ kind: 'share', share })
  }

  #tellMemory(): void {
    const isHigh = this.#engine.isMemoryHigh
    if (isHigh && !this.#isMemoryHigh) this.#post({ kind: 'memory-high' })
    this.#isMemoryHigh = isHigh
  }

  #post(message: FromIngest): void {
    this.#port.post(message)
  }

  #end(error: unknown): void {
    if (this.#ended) return
    this.#ended = true
    this.#timer?.cancel()
    if (error === null) {
      this.#resolve()
      return
    }
    // Whatever failed, memory and disk may now disagree: nothing more is acknowledged.
    this.#post({ kind: 'fatal', error: sentError(error) })
    this.#reject(error)
  }
}

const batchAnswer = ({ result, ack }: Outcome): BatchAnswer => ack ?? (result === 'no-room' ? null : 'silent')
