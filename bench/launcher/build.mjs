/** `npm run build`: everything that a hub needs to run from this folder. Installs and builds what is not there or is old. */
import { ensureInstalled, ensureUiBuilt } from './bootstrap.mjs'

await ensureInstalled()
await ensureUiBuilt()
