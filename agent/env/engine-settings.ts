/**
 * Settings of the engine in the single file. Bun takes them from the environment alone, before anything runs, so the
 * file starts itself anew with them: the same process, 12 ms of CPU and 40 ms later. What the environment says already
 * stays, and so does everything if the system refuses.
 *
 * JavaScriptCore compiles a function after some thirty calls and optimises it after a hundred more, which is made for
 * pages that shall be quick at once. An agent does a little now and then, for months: its start alone brought most of
 * its code over those bounds, and 20 MB of its memory were compilers and what they made. With twenty and a hundred times
 * as many calls the figures are as in bench/agent/main.ts: what every scrape runs is compiled within the first minutes,
 * what is busy (100,000 packets a second) within the first seconds.
 *
 * Bun looks once a second whether the heap has grown, and collects it whole where it has: after every scrape. That was a
 * third of what was left, for 3 MB; looking less often leaves it to the engine, which collects when there is reason. Its
 * allocator has a thread that looks ten times a second for single pages to give back: 100 ms of CPU a minute for 2 MB.
 */
const SETTINGS: Readonly<Record<string, string>> = {
  BUN_JSC_thresholdForJITAfterWarmUp: '10000',
  BUN_JSC_thresholdForJITSoon: '2000',
  BUN_JSC_thresholdForOptimizeAfterWarmUp: '100000',
  BUN_JSC_thresholdForOptimizeAfterLongWarmUp: '100000',
  BUN_JSC_thresholdForOptimizeSoon: '100000',
  BUN_JSC_thresholdForFTLOptimizeAfterWarmUp: '1000000',
  BUN_JSC_thresholdForFTLOptimizeSoon: '100000',
  BUN_GC_TIMER_INTERVAL: '20000',
  mimalloc_purge_holes_min_interval: '10000',
}

/** Does not return where it starts anew. Before anything of note is loaded. */
export function startWithSettings(environment: Readonly<Record<string, string | undefined>>): void {
  // Where Bun keeps the modules of a compiled file.
  if (!import.meta.url.startsWith('file:///$bunfs/')) return
  if (Object.keys(SETTINGS).every((name) => environment[name] !== undefined)) return
  try {
    process.execve?.(process.execPath, [process.argv0, ...process.argv.slice(2)], {
      ...SETTINGS,
      ...(environment as Readonly<Record<string, string>>),
    })
  } catch {
    // It runs without them, too.
  }
}
