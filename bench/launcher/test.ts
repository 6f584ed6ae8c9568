/** Runs test files with node:test, two at a time, and prints the closing line that CI reads. */
import fs from 'node:fs'
import path from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { peer } from '../peers/peers.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const ROOMS = ['protocol', 'exporters', 'agent', 'hub', 'bench']
/** A file that hangs is a failure, not a lost CI run. */
const FILE_TIMEOUT_MS = 15 * 60_000

const wanted = process.argv.slice(2).map((name) => path.resolve(name))
const roots = wanted.length > 0 ? wanted : ROOMS.map((room) => path.join(ROOT, room))
const files = roots.flatMap(testFiles).sort(slowestFirst)
if (files.length === 0) {
  console.log('No test files found')
  console.log('0 passed, 1 failed')
  process.exit(1)
}

// Rooms import nothing from here: they are told where the real server is.
const natsServer = peer('nats-server')
if (natsServer.path !== null) process.env['HELIO_NATS_SERVER'] ??= natsServer.path

const skipped: string[] = []
let passed = 0
let failed = 0
const stream = run({ files, concurrency: 2, timeout: FILE_TIMEOUT_MS })
stream.on('test:pass', (event) => {
  if (event.details.type === 'suite') return
  if (event.skip !== undefined && event.skip !== false)
    skipped.push(`${event.name}: ${event.skip === true ? 'no reason given' : event.skip}`)
  else passed++
})
stream.on('test:fail', (event) => {
  if (event.details.type !== 'suite') failed++
})
stream.compose(spec).pipe(process.stdout, { end: false })
stream.on('end', () => {
  setImmediate(() => {
    if (skipped.length > 0) console.log(`\nSkipped:\n${skipped.map((line) => `  ${line}`).join('\n')}`)
    console.log(`\n${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`)
    process.exit(failed > 0 || passed === 0 ? 1 : 0)
  })
})

function testFiles(root: string): string[] {
  if (fs.statSync(root).isFile()) return [root]
  const out: string[] = []
  for (const entry of fs.readdirSync(root, { withFileTypes: true })) {
    if (entry.name === 'node_modules' || entry.name === 'dist') continue
    const file = path.join(root, entry.name)
    if (entry.isDirectory()) out.push(...testFiles(file))
    else if (/\.test\.ts$/.test(entry.name)) out.push(file)
  }
  return out
}

/** End-to-end tests wait more than they compute, so they start first and the small ones fill in. */
function slowestFirst(a: string, b: string): number {
  const rank = (file: string): number => (file.includes('/bench/e2e/') ? 0 : file.includes('/bench/') ? 1 : 2)
  return rank(a) - rank(b) || (a < b ? -1 : 1)
}
