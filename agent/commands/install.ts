/** `install` and `uninstall`: the agent as a service of this host, and gone again. */
import { UsageError } from '../cli/mod.ts'
import { carryOut, DROP_INS, installSteps, type Step, uninstallSteps } from '../install/mod.ts'
import { type Command, type CommandContext, flagOn, flagText, text, toggle } from './contract.ts'

const PLACES = [
  text('root', '', 'Folder that stands for /: accounts, owners and services are left alone.'),
  toggle('dry-run', 'Only says what would be done.'),
]
const dropInHelp = Object.entries(DROP_INS)
  .map(([name, { why }]) => `${name} (${why})`)
  .join(', ')

export const install: Command = {
  summary: 'Makes account, folders, configuration and a hardened systemd unit. A changed configuration stays.',
  usage: '',
  flags: [
    ...PLACES,
    text('hub', '', 'URL of the hub, for a new configuration.'),
    text('token-file', '', 'File with the one-time token of the enrolment, copied to the credentials of the unit.'),
    {
      name: 'with',
      kind: 'list',
      default: '',
      help: `Drop-ins of the unit for collectors that need more: ${dropInHelp}.`,
    },
    toggle('start', 'Enables and starts the service.', true),
  ],
  maxArguments: 0,
  async run(flags, context) {
    const tokenFile = flagText(flags, 'token-file')
    const dropIns = flags.values.get('with')!
    for (const name of dropIns)
      if (!Object.hasOwn(DROP_INS, name))
        throw new UsageError(`--with: unknown "${name}", known are ${Object.keys(DROP_INS).join(', ')}`)
    const options = {
      hubUrl: flagText(flags, 'hub'),
      token: tokenFile ? context.env.disk.readText(tokenFile).trim() : '',
      proposals: '',
      dropIns,
      isStarted: flagOn(flags, 'start'),
    }
    return carried(installSteps(options, context.tools), flags, context)
  },
}

export const uninstall: Command = {
  summary: 'Stops and removes the service. Configuration, ring and key stay without --purge.',
  usage: '',
  flags: [...PLACES, toggle('purge', 'Also removes configuration, ring, key and account.')],
  maxArguments: 0,
  run: async (flags, context) => carried(uninstallSteps({ isPurged: flagOn(flags, 'purge') }), flags, context),
}

function carried(steps: readonly Step[], flags: Parameters<Command['run']>[0], context: CommandContext): number {
  const { env, tools, say, complain } = context
  const root = flagText(flags, 'root').replace(/\/+$/, '')
  const isDryRun = flagOn(flags, 'dry-run')
  if (root === '' && !isDryRun && !tools.isRoot) {
    complain('this needs root; --dry-run shows what would be done')
    return 1
  }
  carryOut(steps, { disk: env.disk, tools, root, isDryRun, say })
  return 0
}
