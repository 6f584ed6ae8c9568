/**
 * A live copy of one collection of Kubernetes objects: listed in pages, then watched from the version of the list.
 * A watch that ends goes on where it stopped; a version that the server has forgotten (410) means a new list.
 * Semantics: Kubernetes API concepts, "Efficient detection of changes"; client-go tools/cache Reflector.
 */
import { type DiscoveryContext, pause } from '../group.ts'
import { type HttpAccess, statusError } from '../http-access.ts'
import { type KubeObject, keyOf } from './objects.ts'

export type Collection = {
  /** For instance `https://10.0.0.1/api/v1/namespaces/default/pods`. */
  readonly url: string
  readonly labelSelector: string
  readonly fieldSelector: string
}

/** The object is null when it is gone. */
export type OnChange = (key: string, object: KubeObject | null) => void

const PAGE = 500
const LIST_TIMEOUT_MS = 60_000
const WATCH_MS = 300_000
const MAX_LIST_BYTES = 64 * 2 ** 20
/** One object with its managed fields; etcd's own limit is 1.5 MB. */
const MAX_EVENT_BYTES = 8 * 2 ** 20
const RETRY_MS_MIN = 1000
const RETRY_MS_MAX = 30_000

export class Informer {
  readonly objects = new Map<string, KubeObject>()
  readonly #collection: Collection
  readonly #context: DiscoveryContext
  readonly #access: HttpAccess
  readonly #onChange: OnChange
  #version = ''
  /** The watched connection has told that the version is too old. */
  #isExpired = false

  constructor(collection: Collection, context: DiscoveryContext, access: HttpAccess, onChange: OnChange) {
    this.#collection = collection
    this.#context = context
    this.#access = access
    this.#onChange = onChange
  }

  /** Resolves once the first list is in; goes on until the signal is aborted. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      void this.#run(resolve)
    })
  }

  async #run(onSynced: () => void): Promise<void> {
    const { clock, counters, log, signal } = this.#context
    let delayMs = RETRY_MS_MIN
    let lastError = ''
    while (!signal.aborted) {
      try {
        if (this.#version === '') {
          counters.refreshes++
          await this.#list()
          onSynced()
        }
        await this.#watch()
        delayMs = RETRY_MS_MIN
        lastError = ''
      } catch (err) {
        if (signal.aborted) break
        counters.failures++
        if ((err as Error).message !== lastError) log.error('Kubernetes API failed', { url: this.#collection.url, err })
        lastError = (err as Error).message
        await pause(clock, delayMs, signal)
        delayMs = Math.min(RETRY_MS_MAX, delayMs * 2)
      }
    }
    onSynced()
  }

  async #list(): Promise<void> {
    const found = new Map<string, KubeObject>()
    let version = ''
    let next = ''
    do {
      const query = this.#query({ limit: String(PAGE), ...(next !== '' && { continue: next }) })
      const page = (await this.#access.json({
        method: 'GET',
        url: `${this.#collection.url}?${query}`,
        headers: { accept: 'application/json', 'user-agent': this.#context.userAgent },
        timeoutMs: LIST_TIMEOUT_MS,
        maxBodyBytes: MAX_LIST_BYTES,
        signal: this.#context.signal,
      })) as { metadata?: { resourceVersion?: string; continue?: string }; items?: readonly KubeObject[] | null }
      for (const item of page.items ?? []) found.set(keyOf(item), item)
      version = page.metadata?.resourceVersion ?? ''
      next = page.metadata?.continue ?? ''
    } while (next !== '')
    for (const key of [...this.objects.keys()]) if (!found.has(key)) this.#set(key, null)
    for (const [key, object] of found) this.#set(key, object)
    this.#version = version
  }

  async #watch(): Promise<void> {
    const query = this.#query({
      watch: '1',
      resourceVersion: this.#version,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(WATCH_MS / 1000),
    })
    const url = `${this.#collection.url}?${query}`
    const lines = new LineReader(MAX_EVENT_BYTES, (line) => this.#take(line))
    this.#isExpired = false
    const { status, body } = await this.#access.request({
      method: 'GET',
      url,
      headers: { accept: 'application/json', 'user-agent': this.#context.userAgent },
      timeoutMs: WATCH_MS + 30_000,
      maxBodyBytes: Number.MAX_SAFE_INTEGER,
      onChunk: (chunk) => lines.push(chunk),
      signal: this.#context.signal,
    })
    if (status === 410) this.#isExpired = true
    else if (status !== 200) throw statusError(url, status, body)
    if (this.#isExpired) this.#version = ''
  }

  #take(line: string): void {
    const { type, object } = JSON.parse(line) as {
      type: string
      object: KubeObject & { code?: number; message?: string }
    }
    if (type === 'ERROR') {
      // Gone: what happened since cannot be told any more.
      this.#isExpired = true
      if (object.code !== 410)
        throw new Error(`${this.#collection.url}: watch: ${object.message ?? line.slice(0, 200)}`)
      return
    }
    this.#version = object.metadata.resourceVersion ?? this.#version
    if (type === 'BOOKMARK') return
    this.#set(keyOf(object), type === 'DELETED' ? null : object)
  }

  #set(key: string, object: KubeObject | null): void {
    if (object === null) this.objects.delete(key)
    else {
      const known = this.objects.get(key)?.metadata.resourceVersion
      if (known !== undefined && known === object.metadata.resourceVersion) return
      this.objects.set(key, object)
    }
    this.#onChange(key, object)
  }

  #query(own: Readonly<Record<string, string>>): string {
    const { labelSelector, fieldSelector } = this.#collection
    return new URLSearchParams({
      ...own,
      ...(labelSelector !== '' && { labelSelector }),
      ...(fieldSelector !== '' && { fieldSelector }),
    }).toString()
  }
}

/** Splits a stream of bytes at line ends. @throws Error when a line is too long */
export class LineReader {
  readonly #maxBytes: number
  readonly #onLine: (line: string) => void
  readonly #decoder = new TextDecoder()
  #parts: Uint8Array[] = []
  #bytes = 0

  constructor(maxBytes: number, onLine: (line: string) => void) {
    this.#maxBytes = maxBytes
    this.#onLine = onLine
  }

  push(chunk: Uint8Array): void {
    let from = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
      this.#keep(chunk.subarray(from, end))
      from = end + 1
      const line = this.#decoder.decode(this.#joined())
      if (line.trim() !== '') this.#onLine(line)
    }
    this.#keep(chunk.slice(from))
  }

  #keep(part: Uint8Array): void {
    this.#bytes += part.length
    if (this.#bytes > this.#maxBytes) throw new Error(`An event is longer than ${this.#maxBytes} bytes`)
    if (part.length > 0) this.#parts.push(part)
  }

  #joined(): Uint8Array {
    const out = new Uint8Array(this.#bytes)
    let at = 0
    for (const part of this.#parts) {
      out.set(part, at)
      at += part.length
    }
    this.#parts = []
    this.#bytes = 0
    return out
  }
}
