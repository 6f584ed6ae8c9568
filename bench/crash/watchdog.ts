/**
 * Loaded into a program under test (`NODE_OPTIONS=--import=…/watchdog.ts`, `HELIO_WATCH=folder`): says what its main
 * thread was doing whenever that did nothing else for longer than BUSY_MS. A thread beside it looks at a counter in shared
 * memory that the main thread's timer moves on, and keeps a CPU profile of that thread running; a pause leaves
 * `<pid>-<n>.cpuprofile`, and `<pid>-<n>.json` with how long it took, on the clock and in CPU time. Both are equal when
 * the program is to blame, and far apart when it did not get the CPU or waited for the disk.
 */
import fs from 'node:fs'
import inspector from 'node:inspector'
import { isMainThread, threadId, Worker, workerData } from 'node:worker_threads'

const BUSY_MS = 1000
const TICK_MS = 20
const LOOK_MS = 100
/** Of one profile: what is longer is thrown away with what nobody wants to see. */
const PROFILE_MS = 5000
const SAMPLE_US = 2000

type Watched = { readonly watched: Int32Array; readonly folder: string; readonly startedMs: number }

const folder = process.env['HELIO_WATCH']
const given = (workerData as Partial<Watched> | null) ?? {}
if (folder && isMainThread) {
  const watched = new Int32Array(new SharedArrayBuffer(4))
  setInterval(() => Atomics.add(watched, 0, 1), TICK_MS).unref()
  const data: Watched = { watched, folder, startedMs: Date.now() - performance.now() }
  // Another URL: the thread has loaded this file before it has its data, for the option counts for all threads.
  new Worker(new URL(`${import.meta.url}?watch`), { workerData: data }).unref()
} else if (given.watched && threadId > 0) await watch(given as Watched)

async function watch({ watched, folder, startedMs }: Watched): Promise<void> {
  // What is asked of another thread does not keep this one.
  setInterval(() => {}, 60_000)
  const session = new inspector.Session()
  session.connectToMainThread()
  await post(session, 'Profiler.enable')
  await post(session, 'Profiler.setSamplingInterval', { interval: SAMPLE_US })
  await post(session, 'Profiler.start')
  let profileFrom = performance.now()
  let last = -1
  let movedMs = performance.now()
  let movedCpuMs = mainCpuMs()
  let pauses = 0
  let isPaused = false
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    const now = performance.now()
    const count = Atomics.load(watched, 0)
    const pauseMs = now - movedMs
    if (count === last) {
      isPaused ||= pauseMs > BUSY_MS
      continue
    }
    if (isPaused) {
      const file = `${folder}/${process.pid}-${pauses++}`
      const { profile } = (await post(session, 'Profiler.stop')) as { profile: unknown }
      fs.writeFileSync(`${file}.cpuprofile`, JSON.stringify(profile))
      const about = { pauseMs, cpuMs: mainCpuMs() - movedCpuMs, sinceStartMs: Date.now() - startedMs - pauseMs }
      fs.writeFileSync(`${file}.json`, `${JSON.stringify(about)}\n`)
      await post(session, 'Profiler.start')
      profileFrom = now
    } else if (now - profileFrom > PROFILE_MS) {
      await post(session, 'Profiler.stop')
      await post(session, 'Profiler.start')
      profileFrom = now
    }
    isPaused = false
    last = count
    movedMs = now
    movedCpuMs = mainCpuMs()
  }
}

function post(session: inspector.Session, method: string, params: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, params, (error: Error | null, result: unknown) => (error ? reject(error) : resolve(result)))
  })
}

/** User and system time of the main thread; fields 14 and 15 of its `stat`, in hundredths of a second. */
function mainCpuMs(): number {
  const stat = fs.readFileSync(`/proc/self/task/${process.pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return 10 * (Number(fields[11]) + Number(fields[12]))
}
