/** What main.ts runs: `heliograph-hub` stores, answers, alerts, federates. Exit codes: 0 stopped, 1 failed, 2 bad usage or configuration. */
import path from 'node:path'
import process from 'node:process'
import { helpText, parseFlags, UsageError } from '../agent/cli/mod.ts'
import { keepCompiled } from '../agent/env/compile-cache.ts'
import { createEnv } from '../agent/env/mod.ts'
import { VERSION } from '../agent/process/version.ts'
import { ConfigError } from '../protocol/config/mod.ts'
import type { Pool } from '../protocol/env/mod.ts'
import { agentsCommand } from './process/agents-command.ts'
import { AutoReload } from './process/auto-reload.ts'
import { HUB_FLAGS } from './process/flags.ts'
import type { Hub } from './process/hub.ts'
import { type HubSettings, hubSettings } from './process/settings.ts'
import { UPSTREAM_FLAGS } from './process/upstream-flags.ts'

const STOP_TIMEOUT_MS = 9000
const CHECKS = ['check-config', 'check-rules', 'check-alertmanager', 'test-rules']

/** @param pool with threads that were begun for the hub, if it is to be one */
export async function main(argv: readonly string[], pool: Pool): Promise<void> {
  let settings: HubSettings
  if (argv[0] === 'tsdb') {
    const { tsdbCommand } = await import('./process/tsdb-command.ts')
    process.exitCode = await tsdbCommand(argv.slice(1))
    return
  }
  if (CHECKS.includes(argv[0] ?? '')) {
    const { checkCommand } = await import('./process/check-commands.ts')
    process.exitCode = await checkCommand(argv, {
      disk: createEnv({ logLevel: 'error', logFormat: 'logfmt' }).disk,
      environment: process.env,
      say: (line) => void process.stdout.write(`${line}\n`),
      complain: (line) => void process.stderr.write(`${line}\n`),
    })
    return
  }
  try {
    const flags = parseFlags([...HUB_FLAGS, ...UPSTREAM_FLAGS], argv)
    if (flags.wantsHelp) {
      process.stdout.write(
        helpText(
          'heliograph-hub',
          'Stores, queries, alerts and federates: a monitoring hub for a fleet of Heliograph agents.\n\nCommands:\n  agents list | approve ID KEY | revoke ID | token [ID]\n        Administrate the agents of a running hub (needs its --storage.tsdb.path and --web.listen-address).\n  check-config | check-rules | check-alertmanager | test-rules [FILE…]\n        Check files, and run unit tests of rules, without starting anything; each has --help.\n  tsdb list | verify | analyze | dump | import | export | repair\n        Work on the data directory of a hub that is not running; see tsdb --help.',
          HUB_FLAGS,
        ),
      )
      return
    }
    if (flags.wantsVersion) {
      process.stdout.write(`heliograph-hub, version ${VERSION}\n  runtime: ${process.version}\n`)
      return
    }
    settings = hubSettings(flags)
    if (flags.positional[0] === 'agents') {
      process.exitCode = await agentsCommand(flags.positional.slice(1), settings, createEnv(settings))
      return
    }
    if (flags.positional.length > 0) throw new UsageError(`unexpected ${flags.positional[0]}`)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`heliograph-hub: error: ${error.message}, try --help\n`)
    process.exit(2)
  }
  const env = { ...createEnv({ logLevel: settings.logLevel, logFormat: settings.logFormat }), pool }
  const { log } = env
  if (settings.withoutEffect.length > 0)
    log.warn('Flags without effect in this program', { flags: settings.withoutEffect.join(' ') })
  let hub: Hub | null = null
  let stopping = false
  const stop = async (exitCode: number): Promise<void> => {
    if (stopping) return
    stopping = true
    log.info('Stopping')
    env.clock.setTimer(STOP_TIMEOUT_MS, () => process.exit(1), { unref: true })
    try {
      await hub?.stop()
    } catch (err) {
      log.error('Not stopped cleanly', { err })
      process.exit(1)
    }
    log.info('Stopped')
    process.exit(exitCode)
  }
  process.on('SIGTERM', () => void stop(0))
  process.on('SIGINT', () => void stop(0))
  const { Hub: HubOfProcess } = await import('./process/hub.ts')
  try {
    hub = new HubOfProcess(env, {
      settings,
      environment: process.env,
      build: { version: VERSION, revision: '', branch: '', buildUser: '', buildDate: '', goVersion: process.version },
      uiFolder: path.join(import.meta.dirname, 'ui/dist'),
      onStop: (exitCode) => void stop(exitCode),
    })
  } catch (error) {
    log.error('Error loading config', {
      file: error instanceof ConfigError ? error.file : settings.configFile,
      err: error,
    })
    process.exit(2)
  }
  const started = hub
  process.on('SIGHUP', () => {
    started.reload().catch((err) => log.error('Error reloading config; the running one is kept', { err }))
  })
  try {
    await hub.start()
    keepCompiled()
    if (settings.autoReloadMs > 0)
      new AutoReload({
        clock: env.clock,
        log,
        intervalMs: settings.autoReloadMs,
        state: () => started.configState,
        reload: () => started.reload(),
      })
  } catch (error) {
    log.error('The hub could not be started', { err: error })
    process.exit(1)
  }
}
