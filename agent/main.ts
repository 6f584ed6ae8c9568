/**
 * `heliograph-agent`: collects on this host and loses nothing. Exit codes: 0 stopped, 1 failed, 2 bad usage or
 * configuration; those of the commands are theirs.
 */
import process from 'node:process'
import { ConfigError } from '../protocol/config/mod.ts'
import type { LogLevel } from '../protocol/env/mod.ts'
import { helpText, parseFlags, UsageError } from './cli/mod.ts'
import { enableCompileCache, keepCompiled } from './env/compile-cache.ts'
import { startWithSettings } from './env/engine-settings.ts'
import { createHostTools } from './env/host.ts'
import { collectYoungAlone, createEnv, keepYoungSpaceSmall, type LogFormat } from './env/mod.ts'
import { unmapNowAndThen } from './env/program-pages.ts'
import { createNoticeSender } from './env/service-notify.ts'
import type { Agent } from './process/agent.ts'
import { ErrorLog } from './process/error-log.ts'
import { AGENT_FLAGS, checkFlags, START_TIMESTAMPS } from './process/flags.ts'
import { ServiceState } from './process/service-state.ts'
import { VERSION } from './process/version.ts'

const STOP_TIMEOUT_MS = 8000

await main(process.argv.slice(2))

async function main(argv: readonly string[]): Promise<void> {
  // Not when it is the value of a flag before it: flags of the agent come before nothing else.
  if (argv[0] !== undefined && !argv[0].startsWith('-')) return command(argv)
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
    const { commandsHelp } = await import('./commands/mod.ts')
    const summary = `Collects metrics on this host and streams them to a Heliograph hub.\n\n${commandsHelp()}`
    process.stdout.write(helpText('heliograph-agent', summary, AGENT_FLAGS))
    return
  }
  if (flags.wantsVersion) {
    process.stdout.write(`heliograph-agent, version ${VERSION}\n  runtime: ${runtimeName()}\n`)
    return
  }
  startWithSettings(process.env)
  await serve((name) => flags.values.get(name)![0]!)
}

/** Answers on stdout, complaints on stderr; ends the process. */
async function command(argv: readonly string[]): Promise<void> {
  // Whoever reads may have enough early: `status | head -1`.
  process.stdout.on('error', () => process.exit())
  // Only here: it brings discovery and all exporters, which a start loads once the compile cache is open.
  const { runCommand } = await import('./commands/mod.ts')
  process.exitCode = await runCommand(argv, {
    env: createEnv({ logLevel: 'error', logFormat: 'logfmt' }),
    tools: createHostTools(process.argv[1] ?? ''),
    environment: process.env,
    version: VERSION,
    say: (line) => void process.stdout.write(`${line}\n`),
    complain: (line) => void process.stderr.write(`${line}\n`),
  })
}

async function serve(value: (name: string) => string): Promise<void> {
  keepYoungSpaceSmall()
  collectYoungAlone()
  const created = createEnv({ logLevel: value('log.level') as LogLevel, logFormat: value('log.format') as LogFormat })
  const errors = new ErrorLog(created.clock.now)
  const env = { ...created, log: errors.watch(created.log) }
  const { log } = env
  const service = serviceState(env)
  let stopping = false
  const stop = async (exitCode: number): Promise<void> => {
    if (stopping) return
    stopping = true
    log.info('Stopping')
    service.stopping()
    env.clock.setTimer(STOP_TIMEOUT_MS, () => process.exit(1), { unref: true })
    await agent?.stop()
    log.info('Stopped')
    process.exit(exitCode)
  }
  // Before the imports, so that most of what is loaded is loaded compiled.
  enableCompileCache(process.env)
  const [{ Agent: AgentOfProcess }, { ExporterError }] = await Promise.all([
    import('./process/agent.ts'),
    import('./process/exporters.ts'),
  ])
  let agent: Agent | null = null
  process.on('SIGTERM', () => void stop(0))
  process.on('SIGINT', () => void stop(0))
  try {
    agent = new AgentOfProcess(env, {
      configFile: value('config.file'),
      listen: value('web.listen-address'),
      webConfigFile: value('web.config.file'),
      errors,
      storagePath: value('storage.path'),
      lifecycleEnabled: value('web.enable-lifecycle') === 'true',
      startTimestamps: value('enable-feature') === START_TIMESTAMPS,
      version: VERSION,
      environment: process.env,
      onStop: (exitCode) => void stop(exitCode),
    })
    const started = agent
    process.on('SIGHUP', () => void reload(started, service))
    await agent.start()
    keepCompiled()
    unmapNowAndThen(env.clock, log)
    service.ready(`Collecting; metrics on ${agent.address}`)
  } catch (error) {
    const isConfig =
      error instanceof ConfigError ||
      error instanceof ExporterError ||
      [value('config.file'), value('web.config.file')].includes((error as { path?: string }).path ?? '-')
    log.error(isConfig ? 'Error loading config' : 'The agent could not be started', {
      file: value('config.file'),
      err: error,
    })
    process.exit(isConfig ? 2 : 1)
  }
}

async function reload(agent: Agent, service: ServiceState): Promise<void> {
  service.reloading()
  try {
    await agent.reload()
    service.ready(`Collecting; metrics on ${agent.address}`)
  } catch {
    // The agent has logged it.
    service.ready('Collecting with the configuration of before: the new one is wrong')
  }
}

/** Says nothing unless the service manager asked to be told. */
function serviceState({ clock, log }: ReturnType<typeof createEnv>): ServiceState {
  const { NOTIFY_SOCKET: path, WATCHDOG_USEC: watchdogUsec = '', WATCHDOG_PID: watchdogPid } = process.env
  // Programs that exporters may start must not speak for the agent.
  delete process.env['NOTIFY_SOCKET']
  const isWatched = watchdogPid === undefined || watchdogPid === String(process.pid)
  const send = path
    ? createNoticeSender(path, (problem) => log.warn('The service manager is not told', { problem }))
    : null
  return new ServiceState({ clock, send, watchdogUsec: isWatched ? watchdogUsec : '' })
}

function runtimeName(): string {
  const { bun, deno } = process.versions
  return bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node ${process.version}`
}
