/** `errors`: the last warnings and errors of the running agent, each kind once, with what to do. */
import { formatDuration } from '../../protocol/durations/mod.ts'
import type { LoggedError } from '../process/error-log.ts'
import { type Command, flagOn, toggle } from './contract.ts'
import { askLocalAgent, LOCAL_FLAGS, NotRunningError } from './local-agent.ts'

export const errors: Command = {
  summary: 'Shows the last errors of the agent and what to do about them.',
  usage: '',
  flags: [...LOCAL_FLAGS, toggle('json', 'Prints what the agent answered, as JSON.')],
  maxArguments: 0,
  async run(flags, context) {
    let list: readonly LoggedError[]
    try {
      list = (await askLocalAgent('/api/v1/errors', flags, context)) as readonly LoggedError[]
    } catch (error) {
      if (!(error instanceof NotRunningError)) throw error
      context.complain(`${error.message}. What an agent that ended said: journalctl -u heliograph-agent -p warning`)
      return 3
    }
    if (flagOn(flags, 'json')) context.say(JSON.stringify(list))
    else if (list.length === 0) context.say('no errors since the start')
    else for (const error of list) for (const line of errorLines(error, context.env.clock.now())) context.say(line)
    return 0
  },
}

export function errorLines({ level, message, detail, count, lastMs, hint }: LoggedError, nowMs: number): string[] {
  const ago = formatDuration(Math.max(0, Math.round((nowMs - lastMs) / 1000) * 1000))
  const lines = [`${ago} ago, ${count}x, ${level}: ${message}${detail ? ` (${detail})` : ''}`]
  if (hint) lines.push(`    to do: ${hint}`)
  return lines
}
