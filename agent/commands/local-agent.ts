/** Asks the agent of this host by its local API. */
import { NetError } from '../../protocol/env/mod.ts'
import { type ParsedFlags, UsageError } from '../cli/mod.ts'
import { type CommandContext, flagText, text } from './contract.ts'

export const LOCAL_FLAGS = [
  text(
    'url',
    '',
    'URL of the agent; by default where /etc/default/heliograph-agent says that it listens, or http://127.0.0.1:9100.',
  ),
  text('user', '', 'User of its web.config.file.'),
  text('password-file', '', 'File with the password of that user.'),
  text('ca-file', '', 'Authority of its certificate.'),
]

const DEFAULTS_FILE = '/etc/default/heliograph-agent'
const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 4 << 20

/** No agent answers there. */
export class NotRunningError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'NotRunningError'
  }
}

/** @throws NotRunningError; Error for any other answer than the expected one */
export async function askLocalAgent(path: string, flags: ParsedFlags, context: CommandContext): Promise<unknown> {
  const { net, disk } = context.env
  const base = (flagText(flags, 'url') || defaultUrl(context)).replace(/\/+$/, '')
  if (!/^https?:\/\//.test(base)) throw new UsageError(`--url: must begin with http:// or https://, got "${base}"`)
  const user = flagText(flags, 'user')
  const passwordFile = flagText(flags, 'password-file')
  const caFile = flagText(flags, 'ca-file')
  const password = passwordFile ? disk.readText(passwordFile).trim() : ''
  const url = `${base}${path}`
  let answer: { readonly status: number; readonly body: Uint8Array }
  try {
    answer = await net.request({
      method: 'GET',
      url,
      ...(user && { headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` } }),
      ...(caFile && { tls: { ca: disk.readText(caFile) } }),
      timeoutMs: TIMEOUT_MS,
      maxBodyBytes: MAX_ANSWER_BYTES,
    })
  } catch (error) {
    if (!(error instanceof NetError)) throw error
    // Somebody answered, with a certificate that cannot be trusted: that is not an agent that does not run.
    if (/: x509: /.test(error.message))
      throw new Error(`${error.message}; give its authority by --ca-file`, { cause: error })
    throw new NotRunningError(error.message, { cause: error })
  }
  const body = new TextDecoder().decode(answer.body)
  if (answer.status === 401) throw new Error(`${url} wants a password: give --user and --password-file`)
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}: ${body.slice(0, 200)}`)
  return (JSON.parse(body) as { data: unknown }).data
}

function defaultUrl({ env: { disk } }: CommandContext): string {
  const defaults = disk.stat(DEFAULTS_FILE) ? disk.readText(DEFAULTS_FILE) : ''
  const listen = /^ARGS=.*--web\.listen-address[= ]([^\s"']+)/m.exec(defaults)?.[1] ?? '127.0.0.1:9100'
  const scheme = /^ARGS=.*--web\.config\.file/m.test(defaults) ? 'https' : 'http'
  return `${scheme}://${listen.replace(/^(0\.0\.0\.0|\[::\])?:/, '127.0.0.1:')}`
}
