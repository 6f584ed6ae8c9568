/**
 * V8's code of our modules, kept on disk between starts: without it every thread strips types and compiles anew, which
 * is most of what a start costs (half a second and 30 MB a thread). Modules that are imported after `enableCompileCache`
 * profit, in this thread and in threads started later.
 */
import module from 'node:module'
import path from 'node:path'

/**
 * A folder that only this user writes; without one nothing is cached, for whoever writes there runs code as us. A
 * launcher that sets NODE_COMPILE_CACHE to it spares the program the compiler for its very first module: 17 MB.
 */
export function compileCacheFolder(environment: Readonly<Record<string, string | undefined>>): string | null {
  const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME, NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = environment
  if (NODE_DISABLE_COMPILE_CACHE) return null
  const base =
    CACHE_DIRECTORY || (XDG_CACHE_HOME && `${XDG_CACHE_HOME}/heliograph`) || (HOME && `${HOME}/.cache/heliograph`)
  return NODE_COMPILE_CACHE || (base ? path.resolve(base, 'code') : null)
}

export function enableCompileCache(environment: Readonly<Record<string, string | undefined>>): void {
  const folder = compileCacheFolder(environment)
  if (folder === null || typeof module.enableCompileCache !== 'function') return
  module.enableCompileCache(folder)
  // Worker threads look for it there.
  process.env['NODE_COMPILE_CACHE'] = folder
}

/** Once all is loaded: a process that is killed leaves its code behind, too. */
export function keepCompiled(): void {
  if (typeof module.flushCompileCache === 'function') module.flushCompileCache()
}
