/** Installing the agent on a host and removing it again: account, folders, configuration, unit. */
import { DEFAULTS_FILE, defaultConfig } from './default-config.ts'
import type { HostTools } from './host.ts'
import { applySysctl, SYSCTL_MARK, SYSCTL_NAME, SYSCTL_TEXT } from './receive-queue.ts'
import type { Step } from './steps.ts'
import { CREDENTIALS_FOLDER, dropInText, UNIT_MARK, UNIT_NAME, unitText } from './unit.ts'

export { DEFAULTS_FILE, defaultConfig } from './default-config.ts'
export type { HostTools } from './host.ts'
export { applySysctl, SYSCTL_NAME, SYSCTL_TEXT } from './receive-queue.ts'
export { carryOut, type Step, type StepContext } from './steps.ts'
export { CREDENTIALS_FOLDER, DROP_INS, dropInText, UNIT_MARK, UNIT_NAME, unitText } from './unit.ts'

export const ACCOUNT = 'heliograph'
export const CONFIG_FILE = '/etc/heliograph/agent.yml'
const STATE_FOLDER = '/var/lib/heliograph'
const PROGRAM = '/usr/local/bin/heliograph-agent'
const UNIT_FILE = `/etc/systemd/system/${UNIT_NAME}`
const SYSCTL_FOLDER = '/etc/sysctl.d'
const SYSCTL_FILE = `${SYSCTL_FOLDER}/${SYSCTL_NAME}`
const DROP_IN_FOLDER = `${UNIT_FILE}.d`

export type InstallOptions = {
  readonly hubUrl: string
  /** '' = none; else it is laid where the unit loads credentials from. */
  readonly token: string
  readonly proposals: string
  /** Keys of `DROP_INS`. */
  readonly dropIns: readonly string[]
  readonly isStarted: boolean
}

export function installSteps(options: InstallOptions, tools: Pick<HostTools, 'selfCommand' | 'isSingleFile'>): Step[] {
  const isPlaced = tools.isSingleFile && !/^\/usr\/(local\/)?bin\//.test(tools.selfCommand[0]!)
  const command = isPlaced ? [PROGRAM] : tools.selfCommand
  const ours = [ACCOUNT, ACCOUNT] as const
  const readable = ['root', ACCOUNT] as const
  const steps: Step[] = [
    { kind: 'account', name: ACCOUNT, home: STATE_FOLDER },
    { kind: 'directory', path: '/etc/heliograph', mode: 0o755 },
    { kind: 'directory', path: CREDENTIALS_FOLDER, mode: 0o700 },
    { kind: 'directory', path: STATE_FOLDER, mode: 0o700, owner: ours },
    // Passwords of exporters may stand in it.
    { kind: 'file', path: CONFIG_FILE, text: defaultConfig(options), mode: 0o640, replaceIf: '', owner: readable },
    { kind: 'file', path: '/etc/default/heliograph-agent', text: DEFAULTS_FILE, mode: 0o644, replaceIf: '' },
    { kind: 'file', path: UNIT_FILE, text: unitText({ command }), mode: 0o644, replaceIf: UNIT_MARK },
    { kind: 'file', path: SYSCTL_FILE, text: SYSCTL_TEXT, mode: 0o644, replaceIf: SYSCTL_MARK },
    { kind: 'run', command: ['sh', '-c', applySysctl(SYSCTL_FILE)], isOptional: true },
  ]
  if (options.token !== '')
    steps.push({
      kind: 'file',
      path: `${CREDENTIALS_FOLDER}/token`,
      text: `${options.token}\n`,
      mode: 0o600,
      replaceIf: '\n',
    })
  if (isPlaced) steps.push({ kind: 'program', from: tools.selfCommand[0]!, path: PROGRAM })
  for (const name of options.dropIns)
    steps.push({
      kind: 'file',
      path: `${DROP_IN_FOLDER}/${name}.conf`,
      text: dropInText(name),
      mode: 0o644,
      replaceIf: UNIT_MARK,
    })
  steps.push({ kind: 'run', command: ['systemctl', 'daemon-reload'], isOptional: true })
  if (options.isStarted)
    steps.push({ kind: 'run', command: ['systemctl', 'enable', '--now', UNIT_NAME], isOptional: true })
  return steps
}

/** Configuration, ring and key stay unless `isPurged`. */
export function uninstallSteps({ isPurged }: { readonly isPurged: boolean }): Step[] {
  const steps: Step[] = [
    { kind: 'run', command: ['systemctl', 'disable', '--now', UNIT_NAME], isOptional: true },
    { kind: 'remove', path: UNIT_FILE },
    { kind: 'remove', path: DROP_IN_FOLDER, isFolder: true },
    { kind: 'remove', path: SYSCTL_FILE },
    // A small system has the folder from us.
    { kind: 'remove', path: SYSCTL_FOLDER, isFolder: true, ifEmpty: true },
    { kind: 'run', command: ['systemctl', 'daemon-reload'], isOptional: true },
    { kind: 'remove', path: PROGRAM },
  ]
  if (!isPurged) return steps
  return [
    ...steps,
    { kind: 'remove', path: '/etc/heliograph', isFolder: true },
    { kind: 'remove', path: '/etc/default/heliograph-agent' },
    { kind: 'remove', path: STATE_FOLDER, isFolder: true },
    { kind: 'run', command: ['userdel', ACCOUNT], isOptional: true },
  ]
}
