/** `check-config [FILE]`: 0 when an agent would take it, else 2 and every place where it is wrong. */
import { ConfigError, checkAgentConfig, loadWebConfig, placeOf } from '../../protocol/config/mod.ts'
import { DiskError } from '../../protocol/env/mod.ts'
import { unsupportedSections } from '../discovery/mod.ts'
import { createRuntimeStats } from '../env/runtime-stats.ts'
import { exporterProblems } from '../process/exporter-check.ts'
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
    let isGood = await checkAgent(file, context)
    if (webFile) isGood = (await checkWeb(webFile, context)) && isGood
    return isGood ? 0 : 2
  },
}

/** @returns whether it is good; else every problem is told, with its place */
async function checkAgent(file: string, context: CommandContext): Promise<boolean> {
  const { env, environment, version, say, complain } = context
  return reads(file, context, async () => {
    const text = env.disk.readText(file)
    const { problems, config, exporters } = checkAgentConfig(text, { file })
    const stats = createRuntimeStats()
    const refused = await exporterProblems(exporters, { env, stats, version, environment })
    stats.close()
    const all = [
      ...problems,
      ...refused.map(({ path, problem }) => new ConfigError(placeOf(text, file, path), problem)),
    ].sort((a, b) => a.line - b.line || a.column - b.column)
    for (const problem of all) complain(lineOf(problem))
    if (config === null || all.length > 0) return false
    for (const problem of unsupportedSections(config.scrapeConfigs)) complain(`${file}: note: ${problem}`)
    const names = config.exporters.flatMap(({ name, enabled }) => (enabled ? [name] : [])).join(', ') || 'none'
    say(`${file}: valid (${config.scrapeConfigs.length} scrape jobs, exporters: ${names})`)
    return true
  })
}

async function checkWeb(file: string, context: CommandContext): Promise<boolean> {
  return reads(file, context, async () => {
    const { tls, users } = loadWebConfig(context.env.disk.readText(file), { file })
    context.say(`${file}: valid (TLS ${tls ? 'on' : 'off'}, ${users.size} users)`)
    return true
  })
}

async function reads(file: string, { complain }: CommandContext, run: () => Promise<boolean>): Promise<boolean> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ConfigError) complain(lineOf(error))
    else if (error instanceof DiskError) complain(`${file}: ${error.message}`)
    else throw error
    return false
  }
}

const lineOf = ({ file, line, column, key, problem }: ConfigError): string =>
  `${file}:${line}:${column}: ${key === '' ? '' : `${key}: `}${problem}`
