#!/usr/bin/env node
/** `heliograph-agent`: runs main.ts on the pinned Node 26, whatever Node the system has. */
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const here = path.dirname(fs.realpathSync(fileURLToPath(import.meta.url)))
if (here.includes(`${path.sep}node_modules${path.sep}`)) {
  console.error(
    'heliograph-agent: Node does not run TypeScript from node_modules; install from a clone, the .deb or the single file (README, "Install")',
  )
  process.exit(1)
}
const node = path.join(here, '../node_modules/.bin/node')
if (!fs.existsSync(node)) {
  console.error(`heliograph-agent: ${node} is missing; run "npm ci" in ${path.dirname(here)}`)
  process.exit(1)
}
const child = spawn(node, [path.join(here, 'main.ts'), ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    // File work must not wait behind slow DNS look-ups, which share this pool.
    UV_THREADPOOL_SIZE: '16',
    // glibc would keep what large pages needed (bench/e2e/bad-day-targets.test.ts).
    MALLOC_ARENA_MAX: '2',
    MALLOC_MMAP_THRESHOLD_: '65536',
    MALLOC_TRIM_THRESHOLD_: '131072',
    ...process.env,
  },
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
