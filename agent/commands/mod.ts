/** The commands of `heliograph-agent` beside running the agent. */
import { helpText, parseFlags, UsageError } from '../cli/mod.ts'
import { checkConfig } from './check-config.ts'
import type { Command, CommandContext } from './contract.ts'
import { detect } from './detect.ts'
import { enroll } from './enroll.ts'
import { errors } from './errors.ts'
import { install, uninstall } from './install.ts'
import { status } from './status.ts'

export type { CommandContext } from './contract.ts'

export const COMMANDS: Readonly<Record<string, Command>> = {
  install,
  uninstall,
  status,
  errors,
  detect,
  'check-config': checkConfig,
  enroll,
}

/** For the program's own help. */
export function commandsHelp(): string {
  const lines = Object.entries(COMMANDS).map(
    ([name, { usage, summary }]) => `  ${name} ${usage}`.trimEnd() + `\n        ${summary}`,
  )
  return `Commands (each has --help):\n${lines.join('\n')}`
}

/** Exit status; 2 for a command or a flag that is none. */
export async function runCommand(argv: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = argv
  try {
    const command = Object.hasOwn(COMMANDS, name!) ? COMMANDS[name!]! : null
    if (!command) throw new UsageError(`unknown command "${name}", known are ${Object.keys(COMMANDS).join(', ')}`)
    const flags = parseFlags(command.flags, rest)
    if (flags.wantsHelp) {
      context.say(
        helpText(`heliograph-agent ${name} ${command.usage}`.trimEnd(), command.summary, command.flags).trimEnd(),
      )
      return 0
    }
    if (flags.positional.length > command.maxArguments)
      throw new UsageError(`unexpected ${flags.positional[command.maxArguments]}`)
    return await command.run(flags, context)
  } catch (error) {
    context.complain(
      `heliograph-agent: error: ${(error as Error).message}${error instanceof UsageError ? ', try --help' : ''}`,
    )
    return error instanceof UsageError ? 2 : 1
  }
}
