#!/usr/bin/env node
/** `heliograph-hub`: runs main.ts on the pinned Node 26, whatever Node the system has. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fs.realpathSync(fileURLToPath(import.meta.url)))
if (here.includes(`${path.sep}node_modules${path.sep}`)) {
  console.error(
    'heliograph-hub: Node does not run TypeScript from node_modules; install from a clone, the .deb or the single file (README, "Install")',
  )
  process.exit(1)
}
const node = path.join(here, '../node_modules/.bin/node')
if (!fs.existsSync(node)) {
  console.error(`heliograph-hub: ${node} is missing; run "npm ci" in ${path.dirname(here)}`)
  process.exit(1)
}
const { CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = process.env
// As agent/env/compile-cache.ts has it; known from the start, it spares the hub the compiler of TypeScript: 17 MB.
const cache =
  CACHE_DIRECTORY || (XDG_CACHE_HOME && `${XDG_CACHE_HOME}/heliograph`) || (HOME && `${HOME}/.cache/heliograph`)
// Each small answer leaves garbage of which next to nothing lives. A young space of a megabyte, where main.ts keeps it,
// is full after a few: collecting it was a fifth of what they cost.
const flags = ['--min-semi-space-size=4']
const child = spawn(node, [...flags, path.join(here, 'main.ts'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    // File work must not wait behind slow DNS look-ups, which share this pool.
    UV_THREADPOOL_SIZE: '16',
    // glibc would keep the buffers of large answers in an arena per thread: 1.4 GB after a storm of queries, not 0.4.
    MALLOC_ARENA_MAX: '2',
    MALLOC_MMAP_THRESHOLD_: '1048576',
    ...(cache && { NODE_COMPILE_CACHE: path.resolve(cache, 'code') }),
    ...process.env,
  },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
