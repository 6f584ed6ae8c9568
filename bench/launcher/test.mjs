/**
 * `npm test`: installs (Debian packages too, where root), builds the page, type-checks, lints, runs every test, and
 * ends with `N passed, N failed`. Arguments are test files or folders to run instead of all.
 */
import { spawnSync } from 'node:child_process'
import { ensureInstalled, ensureUiBuilt, NODE, ROOT, runPinned, runStep } from './bootstrap.mjs'

const DEBIAN = [
  'prometheus',
  'chromium',
  'memcached',
  'haproxy',
  'mariadb-server',
  'debootstrap',
  'systemd',
  'openssl',
  'ca-certificates',
]
const PROGRAMS = {
  prometheus: 'promtool',
  chromium: 'chromium',
  memcached: 'memcached',
  haproxy: 'haproxy',
  'mariadb-server': 'mariadbd',
  debootstrap: 'debootstrap',
  systemd: 'systemd-analyze',
  openssl: 'openssl',
}

await ensureInstalled()
await ensureDebianPackages()
await ensureUiBuilt()
await step('type check', [`${ROOT}/node_modules/typescript/bin/tsc`, '-p', ROOT])
await step('type check of the page', [`${ROOT}/node_modules/typescript/bin/tsc`, '-p', `${ROOT}/hub/ui`])
await step('lint', [`${ROOT}/node_modules/@biomejs/biome/bin/biome`, 'check', '--diagnostic-level=error', ROOT])
runPinned('bench/launcher/test.ts', process.argv.slice(2), { cwd: ROOT })

async function step(name, args) {
  console.error(`heliograph: ${name}`)
  if ((await runStep(NODE, args)) !== 0) {
    console.log(`${name} failed`)
    console.log('0 passed, 1 failed')
    process.exit(1)
  }
}

/** Best effort: tests whose program is missing skip with that reason. */
async function ensureDebianPackages() {
  const missing = DEBIAN.filter((name) => PROGRAMS[name] && !onPath(PROGRAMS[name]))
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    console.error(
      `heliograph: not root, so these Debian packages are not installed and their tests skip: ${missing.join(' ')}`,
    )
    return
  }
  console.error(`heliograph: installing Debian packages: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = { stdio: ['ignore', 'ignore', 'inherit'], env }
  await runStep('apt-get', ['update', '-qq'], options)
  if ((await runStep('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], options)) !== 0)
    console.error('heliograph: apt-get install failed; the tests that need these packages will skip')
}

function onPath(program) {
  return spawnSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' }).status === 0
}
