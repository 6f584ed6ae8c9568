/** `check-config [FILE]`: 0 when an agent would take it, else 2 and where it is wrong. */
import { ConfigError, loadAgentConfig, loadWebConfig } from '../../protocol/config/mod.ts'
import { DiskError } from '../../protocol/env/mod.ts'
import { SUPPORTED_KINDS } from '../discovery/mod.ts'
import { createRuntimeStats } from '../env/runtime-stats.ts'
import { ExporterSet } from '../process/exporter-set.ts'
import { ExporterError } from '../process/exporters.ts'
import { type Command, type CommandContext, flagText, text } from './contract.ts'

export const checkConfig: Command = {
  summary: 'Checks a configuration without starting anything.',
  usage: '[FILE]',
  flags: [
    text('config.file', '/etc/heliograph/agent.yml', 'Agent configuration file path, where no FILE is given.'),
    text('web.config.file', '', 'Also checks this file of TLS and passwords.'),
  ],
  maxArguments: 1,
  async run(flags, context) {
    const file = flags.positional[0] ?? flagText(flags, 'config.file')
    const webFile = flagText(flags, 'web.config.file')
    let isGood = check(file, context, () => checkAgentConfig(file, context))
    if (webFile) isGood = check(webFile, context, () => checkWebConfig(webFile, context)) && isGood
    return isGood ? 0 : 2
  },
}

function checkAgentConfig(file: string, { env, environment, version, complain }: CommandContext): string {
  const config = loadAgentConfig(env.disk.readText(file), { file })
  const stats = createRuntimeStats()
  // Makes every exporter, which checks its flags, and opens nothing.
  const { next } = new ExporterSet({ env, stats, version, environment }, { lifecycleEnabled: false }).prepare(config)
  stats.close()
  for (const { jobName, discovery } of config.scrapeConfigs)
    for (const kind of new Set(discovery.map(({ kind }) => kind)))
      if (!SUPPORTED_KINDS.includes(kind))
        complain(
          `${file}: note: job "${jobName}": ${kind} discovery is not supported (supported: ${SUPPORTED_KINDS.join(', ')}), its targets are not scraped`,
        )
  const names = next.map(({ name }) => name).join(', ') || 'none'
  return `${config.scrapeConfigs.length} scrape jobs, exporters: ${names}`
}

function checkWebConfig(file: string, { env }: CommandContext): string {
  const { tls, users } = loadWebConfig(env.disk.readText(file), { file })
  return `TLS ${tls ? 'on' : 'off'}, ${users.size} users`
}

function check(file: string, { say, complain }: CommandContext, run: () => string): boolean {
  try {
    say(`${file}: valid (${run()})`)
    return true
  } catch (error) {
    if (error instanceof ConfigError) {
      const key = error.key === '' ? '' : `${error.key}: `
      complain(`${error.file}:${error.line}:${error.column}: ${key}${error.problem}`)
    } else if (error instanceof ExporterError || error instanceof DiskError) complain(`${file}: ${error.message}`)
    else throw error
    return false
  }
}
