/**
 * What the two commands need before anything else can run. Plain JavaScript, because it runs on the system's Node
 * (20 or newer) on a fresh clone, where neither node_modules nor the pinned Node 26 is there yet.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
/** The pinned Node 26: a file of the platform package, linked by npm. */
export const NODE = path.join(ROOT, 'node_modules/.bin/node')
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP']
const STAMP = path.join(ROOT, 'node_modules/.heliograph-installed')

/** Installs what package-lock.json names, unless just that is installed already. */
export async function ensureInstalled() {
  const lock = fs.readFileSync(path.join(ROOT, 'package-lock.json'))
  const wanted = createHash('sha256').update(lock).digest('hex')
  const have = fs.existsSync(STAMP) ? fs.readFileSync(STAMP, 'utf8') : ''
  if (have !== wanted || !fs.existsSync(NODE)) {
    console.error('heliograph: installing dependencies (npm ci)')
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    const status = await runStep('npm', args, { env: npmEnvironment() })
    if (status !== 0) fail(`npm ci failed with status ${status}`)
    fs.writeFileSync(STAMP, wanted)
  }
  const version = spawnSync(NODE, ['--version'], { encoding: 'utf8' })
  if (version.status !== 0) {
    fail(
      `the pinned Node is missing: no package node-linux-${process.arch} was installed. ` +
        'Supported are Linux on x64 and arm64; npm must not omit optional dependencies (check npm config get omit)',
    )
  }
}

/** Builds hub/ui into hub/ui/dist, unless it is newer than all of its sources. */
export async function ensureUiBuilt() {
  const source = path.join(ROOT, 'hub/ui')
  const config = path.join(source, 'vite.config.ts')
  if (!fs.existsSync(config)) return
  const built = path.join(source, 'dist/index.html')
  const builtAt = fs.existsSync(built) ? fs.statSync(built).mtimeMs : 0
  if (builtAt > newest(source)) return
  console.error('heliograph: building the page (vite build)')
  const vite = path.join(ROOT, 'node_modules/vite/bin/vite.js')
  const status = await runStep(NODE, [vite, 'build', '--config', config, '--logLevel', 'warn', source])
  if (status !== 0) fail(`vite build failed with status ${status}`)
}

/**
 * Runs one program of the preparation to its end. A signal that reaches us meanwhile is passed on, and ends us once it
 * has ended that program: SIGTERM for npm alone must leave no orphan that goes on installing.
 * @returns its exit status
 */
export function runStep(file, args, options = {}) {
  return new Promise((resolve) => {
    const stdio = options.stdio ?? ['ignore', 'inherit', 'inherit']
    const child = spawn(file, args, { cwd: ROOT, stdio, env: options.env ?? process.env })
    let received = null
    const handlers = {}
    for (const signal of SIGNALS) {
      handlers[signal] = () => {
        received = signal
        child.kill(signal)
      }
      process.on(signal, handlers[signal])
    }
    child.on('error', (error) => fail(`${file} could not be started: ${error.message}`))
    child.on('close', (code, endedBy) => {
      for (const signal of SIGNALS) process.off(signal, handlers[signal])
      if (received !== null) process.exit(128 + os.constants.signals[received])
      resolve(code ?? 128 + os.constants.signals[endedBy])
    })
  })
}

function newest(dir) {
  let time = 0
  for (const entry of fs.readdirSync(dir, { withFileTypes: true })) {
    if (entry.name === 'dist' || entry.name === 'node_modules') continue
    const file = path.join(dir, entry.name)
    time = Math.max(time, entry.isDirectory() ? newest(file) : fs.statSync(file).mtimeMs)
  }
  return time
}

/** Runs a TypeScript entry on the pinned Node as this process's replacement: same stdio, its exit code ours. */
export function runPinned(entry, args, options = {}) {
  const child = spawn(NODE, [...(options.nodeArgs ?? []), path.join(ROOT, entry), ...args], {
    cwd: options.cwd ?? process.cwd(),
    stdio: 'inherit',
    env: { ...process.env, ...options.env },
  })
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
  child.on('error', (error) => fail(error.message))
}

/** npm run by npm inherits its settings as variables; a nested install must not take the outer command's. */
function npmEnvironment() {
  const env = { ...process.env }
  for (const name of Object.keys(env))
    if (/^npm_(lifecycle|package|command|execpath|node_execpath)/.test(name)) delete env[name]
  delete env.NODE_ENV
  return env
}

export function fail(message) {
  console.error(`heliograph: ${message}`)
  process.exit(1)
}
