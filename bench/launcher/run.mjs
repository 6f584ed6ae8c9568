/** `node run.mjs ENTRY.ts ARGS…`: installs if need be, then runs ENTRY on the pinned Node. */
import { ensureInstalled, fail, ROOT, runPinned } from './bootstrap.mjs'

const [entry, ...args] = process.argv.slice(2)
if (!entry) fail('usage: run.mjs ENTRY.ts [ARGS…]')
await ensureInstalled()
runPinned(entry, args, { cwd: process.env.INIT_CWD ?? ROOT })
