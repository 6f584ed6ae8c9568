/**
 * Does the hub keep what it acknowledged when it is killed with -9, over and over, also while it recovers and compacts?
 *
 *     npm run bench -- crash [--kills 200] [--minutes N] [--seed N] [--json FILE] [--watch FOLDER]
 *
 * See campaign.ts. Exits 1 if anything acknowledged is lost, or anything stored is not what was sent; the seed that is
 * printed repeats the run (as far as the operating system's timing allows).
 */
import fs from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { withWorld } from '../e2e/world.ts'
import { runCampaign } from './campaign.ts'

const HELP = `usage: npm run bench -- crash [flags]

  --kills N       kills in all (200: 15 to 20 minutes on a quiet machine)
  --minutes N     ends after so long at the latest
  --seed N        of all that is random (random)
  --json FILE     write all figures there
  --watch FOLDER  write profiles there of hubs whose main thread is busy for longer than a second`

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
    minutes: { type: 'string', default: 'Infinity' },
    json: { type: 'string' },
    watch: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const kills = Number(values.kills)
const seed = Number(values.seed)
console.log(`seed ${seed}, ${kills} kills`)
await withWorld(async (world) => {
  const began = performance.now()
  const result = await runCampaign(world, {
    kills,
    minutes: Number(values.minutes),
    seed,
    say: (line) => console.log(line),
    ...(values.watch !== undefined && { env: watchdogEnv(values.watch) }),
  })
  for (const problem of result.problems.slice(0, 20)) console.log(`WRONG: ${problem}`)
  const interrupted = Object.entries(result.interrupted).map(([what, count]) => `${count} × ${what}`)
  console.log(`interrupted: ${interrupted.join(', ')}`)
  console.log(
    `ready after a kill: p50 ${Math.round(result.readyMs.p50)} ms, p99 ${Math.round(result.readyMs.p99)} ms; ${Math.round((performance.now() - began) / 1000)} s in all`,
  )
  console.log(
    `${result.kills} kills, ${result.sent} samples sent, ${result.deletions} deletions, ${result.windows.whole} of ${result.windows.wanted} downsampled windows whole, ${result.exports} exports, ${result.earlyCuts} early cuts: ${result.lost} lost, ${result.problems.length} wrong`,
  )
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify({ seed, ...result }, null, 2)}\n`)
  if (result.lost > 0 || result.problems.length > 0) process.exitCode = 1
})

/** The watchdog in every hub. @param folder made if it is not there */
function watchdogEnv(folder: string): Record<string, string> {
  fs.mkdirSync(folder, { recursive: true })
  const watchdog = new URL('./watchdog.ts', import.meta.url).href
  return { NODE_OPTIONS: `--import=${watchdog}`, HELIO_WATCH: path.resolve(folder) }
}
