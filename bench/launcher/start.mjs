/** `npm start`: installs, builds the page, then runs a hub and an agent on this host until Ctrl-C. */
import { ensureInstalled, ensureUiBuilt, ROOT, runPinned } from './bootstrap.mjs'

await ensureInstalled()
await ensureUiBuilt()
runPinned('bench/launcher/start.ts', process.argv.slice(2), { cwd: ROOT })
