/**
 * `enroll --hub URL --token TOKEN`: makes this agent's key known to a hub, once. What the agent needs afterwards is in
 * its state folder; a configuration that nobody has edited yet is told the hub too.
 */
import { loadAgentConfig } from '../../protocol/config/mod.ts'
import { UsageError } from '../cli/mod.ts'
import { ACCOUNT, CREDENTIALS_FOLDER, defaultConfig } from '../install/mod.ts'
import { enrolOnce, loadIdentity, rememberEnrolment } from '../process/identity.ts'
import { type Command, type CommandContext, flagText, text } from './contract.ts'

export const enroll: Command = {
  summary: 'Makes the key of this agent known to a hub by a one-time token.',
  usage: '',
  flags: [
    text('hub', '', 'URL of the hub; by default that of the configuration.'),
    text('token', '', 'One-time token, from: heliograph-hub agents token'),
    text('token-file', '', 'File with the token; the credentials folder of the unit by default.'),
    text('config.file', '/etc/heliograph/agent.yml', 'Agent configuration file path.'),
    text('storage.path', '', 'State folder; overrides storage.path of the configuration.'),
  ],
  maxArguments: 0,
  async run(flags, context) {
    const { env, environment, say, complain } = context
    const file = flagText(flags, 'config.file')
    const config = loadAgentConfig(env.disk.readText(file), { file })
    const url = (flagText(flags, 'hub') || config.hub?.url || '').replace(/\/+$/, '')
    if (!/^https?:\/\/[^/]/.test(url)) throw new UsageError(`--hub: must be http:// or https://, got "${url}"`)
    const tokenFile = flagText(flags, 'token-file') || config.hub?.tokenFile || `${CREDENTIALS_FOLDER}/token`
    const token = flagText(flags, 'token') || env.disk.readText(tokenFile).trim()
    const folder = flagText(flags, 'storage.path') || config.storage.path
    const identity = loadIdentity(env, config, folder, environment)
    const problem = await enrolOnce(env, { url, token, site: config.site }, identity, new AbortController().signal)
    if (problem !== null) {
      complain(`not enrolled at ${url}: ${problem}`)
      return 1
    }
    rememberEnrolment(env, url, identity, folder)
    giveToAccount(folder, context)
    say(`enrolled at ${url} as ${identity.agent}, key ${identity.publicKey}`)
    if (config.hub?.url !== url) nameHub(file, url, context)
    return 0
  },
}

/** What root made must be readable by the service. */
function giveToAccount(folder: string, { tools }: CommandContext): void {
  if (!tools.isRoot || tools.run('id', ['-u', ACCOUNT]).status !== 0) return
  for (const path of [folder, `${folder}/agent.nk`, `${folder}/enrolled`]) tools.chown(path, ACCOUNT, ACCOUNT)
}

function nameHub(file: string, url: string, { env: { disk }, tools, say }: CommandContext): void {
  if (disk.readText(file) !== defaultConfig({ hubUrl: '' })) {
    say(`now name the hub in ${file}, then systemctl restart heliograph-agent:\nhub:\n  url: ${JSON.stringify(url)}`)
    return
  }
  disk.writeFileAtomic(file, defaultConfig({ hubUrl: url }), { mode: 0o640 })
  tools.chmod(file, 0o640)
  if (tools.isRoot && tools.run('id', ['-u', ACCOUNT]).status === 0) tools.chown(file, 'root', ACCOUNT)
  say(`${file} names the hub now; systemctl restart heliograph-agent`)
}
