/** The HTTP API over a small head, on a real port: queries are answered in place, or by a pool in this thread. */

import { systemClock } from '../../../agent/env/mod.ts'
import { createNet } from '../../../agent/env/net.ts'
import type { Listener } from '../../../protocol/env/mod.ts'
import { EMPTY_LABELS } from '../../../protocol/labels/mod.ts'
import { compressBytes } from '../../env/compress.ts'
import { InPlace, NO_BLOCKS, type QueryPool, QueryService, runPart, type WorkerTask } from '../../query/mod.ts'
import { SETTINGS } from '../../query/testing/settings.ts'
import { type Head, openReader } from '../../tsdb/mod.ts'
import { memoryLogger } from '../../wal/testing/mod.ts'
import { type App, createApp } from '../app.ts'
import type { ApiDeps } from '../deps.ts'
import { Reloads } from '../reloads.ts'

export type TestApi = {
  /** Answered without Web objects where that can be. */
  readonly url: string
  /** Never so. */
  readonly webUrl: string
  readonly query: QueryService
  readonly routes: App['routes']
  /** What the pool was asked. */
  readonly tasks: WorkerTask[]
  close(): Promise<void>
}

export async function startApi(head: Head, more: Partial<ApiDeps> = {}): Promise<TestApi> {
  const tasks: WorkerTask[] = []
  const pool: QueryPool = {
    threads: 1,
    run: async (task) => {
      tasks.push(task)
      const reader = openReader(head.share())
      try {
        return runPart(task, { reader, flags: new Int32Array(task.flags), now: () => 0 })
      } finally {
        reader.release()
      }
    },
    close: async () => {},
  }
  const log = memoryLogger()
  const query = new QueryService({
    pool,
    clock: systemClock,
    log,
    share: () => head.share(),
    releaseOwner: () => {},
    maxConcurrency: 20,
    inPlace: new InPlace({ share: () => head.share(), blocks: () => NO_BLOCKS, now: () => 0, cpuMs: () => 0 }),
  })
  const deps = {
    clock: systemClock,
    log,
    query,
    settings: () => SETTINGS,
    queryTimeoutMs: 10_000,
    externalLabels: () => EMPTY_LABELS,
    reach: { externalUrl: 'http://hub.example', listen: '127.0.0.1:9090' },
    groups: () => [],
    flags: {},
    routePrefix: '',
    isReady: () => true,
    compress: compressBytes,
    uiFolder: '/nonexistent',
    storage: null,
    metrics: async () => [],
    build: { version: '1.2.3' },
    reloads: new Reloads(systemClock, 2),
    ...more,
  } as unknown as ApiDeps
  const app = createApp(deps)
  const net = createNet()
  const listen = (plain: boolean): Promise<Listener> =>
    net.serveHttp({ host: '127.0.0.1', port: 0, handler: app.handler, ...(plain && { plain: app.plain }) })
  const [fast, web] = [await listen(true), await listen(false)]
  const urlOf = ({ address }: Listener): string => `http://127.0.0.1:${address.port}`
  return {
    url: urlOf(fast),
    webUrl: urlOf(web),
    query,
    routes: app.routes,
    tasks,
    close: async () => {
      await Promise.all([fast.close(0), web.close(0), query.close()])
      net.close()
    },
  }
}
