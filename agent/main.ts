/** `heliograph-agent`: collects on this host and loses nothing. Exit codes: 0 stopped, 1 failed, 2 bad usage or configuration. */
import process from 'node:process'
import { ConfigError } from '../protocol/config/mod.ts'
import type { LogLevel } from '../protocol/env/mod.ts'
import { helpText, parseFlags, UsageError } from './cli/mod.ts'
import { createEnv, type LogFormat } from './env/mod.ts'
import { Agent } from './process/agent.ts'
import { ExporterError } from './process/exporters.ts'
import { AGENT_FLAGS, checkFlags } from './process/flags.ts'
import { VERSION } from './process/version.ts'

const STOP_TIMEOUT_MS = 8000

await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<void> {
  let flags: ReturnType<typeof parseFlags>
  try {
    flags = parseFlags(AGENT_FLAGS, argv)
    if (flags.positional.length > 0 && !flags.wantsHelp) throw new UsageError(`unexpected ${flags.positional[0]}`)
    if (!flags.wantsHelp && !flags.wantsVersion) checkFlags(flags)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    process.stderr.write(`heliograph-agent: error: ${error.message}, try --help\n`)
    process.exit(2)
  }
  if (flags.wantsHelp) {
    process.stdout.write(
      helpText('heliograph-agent', 'Collects metrics on this host and streams them to a Heliograph hub.', AGENT_FLAGS),
    )
    return
  }
  if (flags.wantsVersion) {
    process.stdout.write(`heliograph-agent, version ${VERSION}\n  runtime: ${process.version}\n`)
    return
  }
  const value = (name: string): string => flags.values.get(name)![0]!
  const env = createEnv({ logLevel: value('log.level') as LogLevel, logFormat: value('log.format') as LogFormat })
  const { log } = env
  let stopping = false
  const stop = async (exitCode: number): Promise<void> => {
    if (stopping) return
    stopping = true
    log.info('Stopping')
    env.clock.setTimer(STOP_TIMEOUT_MS, () => process.exit(1), { unref: true })
    await agent?.stop()
    log.info('Stopped')
    process.exit(exitCode)
  }
  let agent: Agent | null = null
  process.on('SIGTERM', () => void stop(0))
  process.on('SIGINT', () => void stop(0))
  try {
    agent = new Agent(env, {
      configFile: value('config.file'),
      listen: value('web.listen-address'),
      storagePath: value('storage.path'),
      lifecycleEnabled: value('web.enable-lifecycle') === 'true',
      version: VERSION,
      environment: process.env,
      onStop: (exitCode) => void stop(exitCode),
    })
    const started = agent
    process.on('SIGHUP', () => {
      started.reload().catch((err) => log.error('Error reloading config; the running one is kept', { err }))
    })
    await agent.start()
  } catch (error) {
    const isConfig =
      error instanceof ConfigError ||
      error instanceof ExporterError ||
      (error as { path?: string }).path === value('config.file')
    log.error(isConfig ? 'Error loading config' : 'The agent could not be started', {
      file: value('config.file'),
      err: error,
    })
    process.exit(isConfig ? 2 : 1)
  }
}
