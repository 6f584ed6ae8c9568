/** The agent's key on disk, made at its first start, and its enrolment at a hub. */
import type { AgentConfig } from '../../protocol/config/mod.ts'
import { DiskError, type Env } from '../../protocol/env/mod.ts'
import {
  agentIdFromHostName,
  generateSeed,
  publicKeyOfSeed,
  type Signer,
  signEnrolment,
} from '../../protocol/identity/mod.ts'
import { runtimeSigner } from '../env/ed25519.ts'

export type AgentIdentity = {
  readonly agent: string
  readonly seed: string
  readonly publicKey: string
  readonly signer: Signer
}

/** What the service manager shows to this process alone (`LoadCredential=heliograph:FOLDER`); null without such a file. */
export function credentialFile(
  { disk }: Pick<Env, 'disk'>,
  environment: Readonly<Record<string, string | undefined>>,
  name: 'token' | 'agent.nk',
): string | null {
  const folder = environment['CREDENTIALS_DIRECTORY']
  if (!folder) return null
  const file = `${folder}/heliograph_${name}`
  return disk.stat(file) === null ? null : file
}

/**
 * The key is that of the credentials, or the one that an earlier life made, or a new one.
 * @throws DiskError, KeyError for a key file that is damaged
 */
export function loadIdentity(
  env: Env,
  config: AgentConfig,
  directory: string,
  environment: Readonly<Record<string, string | undefined>> = {},
): AgentIdentity {
  const { disk, random } = env
  const given = credentialFile(env, environment, 'agent.nk')
  const file = given ?? `${directory}/agent.nk`
  disk.makeDirectory(directory, { mode: 0o700 })
  if (disk.stat(file) === null) disk.writeFileAtomic(file, `${generateSeed(random)}\n`, { mode: 0o600 })
  const seed = disk.readText(file).trim()
  const signer = runtimeSigner(seed)
  return { agent: config.id || agentIdFromHostName(hostName(env)), seed, publicKey: publicKeyOfSeed(seed), signer }
}

export function hostName({ disk }: Pick<Env, 'disk'>): string {
  try {
    return disk.readText('/proc/sys/kernel/hostname').trim()
  } catch (error) {
    if (error instanceof DiskError) return 'localhost'
    throw error
  }
}

const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 15_000
const MAX_ANSWER_BYTES = 64 << 10

/**
 * Enrols this agent's key with the one-time token of `hub.token_file`, and goes on trying while the hub cannot be
 * reached or the token is not there yet. Resolves at once when an earlier life has enrolled at this hub.
 */
export async function ensureEnrolled(
  env: Env,
  config: AgentConfig,
  identity: AgentIdentity,
  directory: string,
  signal: AbortSignal,
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<void> {
  const { hub } = config
  const tokenFile = hub?.tokenFile || credentialFile(env, environment, 'token')
  if (!hub || !tokenFile) return
  const marker = markerFile(directory)
  const enrolledAs = markerText(hub.url, identity)
  const known = env.disk.stat(marker) === null ? '' : env.disk.readText(marker)
  if (known === enrolledAs) return
  for (let waitMs = RETRY_MIN_MS; !signal.aborted; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
    const problem = await enrolByFile(env, config, identity, { url: hub.url, tokenFile }, signal)
    if (problem === null) {
      env.disk.writeFileAtomic(marker, enrolledAs)
      env.log.info('Enrolled at the hub', { hub: hub.url, agent: identity.agent, key: identity.publicKey })
      return
    }
    env.log.warn('Not enrolled yet', {
      hub: hub.url,
      agent: identity.agent,
      key: identity.publicKey,
      err: problem,
      retryMs: waitMs,
    })
    await env.clock.sleep(waitMs, signal).catch(() => {})
  }
}

/** Remembers that the key is known to the hub, so that the next start asks for no token. */
export function rememberEnrolment(env: Env, url: string, identity: AgentIdentity, directory: string): void {
  env.disk.writeFileAtomic(markerFile(directory), markerText(url, identity))
}

const markerFile = (directory: string): string => `${directory}/enrolled`
const markerText = (url: string, { agent, publicKey }: AgentIdentity): string => `${url} ${agent} ${publicKey}\n`

async function enrolByFile(
  env: Env,
  config: AgentConfig,
  identity: AgentIdentity,
  hub: NonNullable<AgentConfig['hub']>,
  signal: AbortSignal,
): Promise<string | null> {
  let token: string
  try {
    token = env.disk.readText(hub.tokenFile).trim()
  } catch (error) {
    return `cannot read the token file: ${(error as Error).message}`
  }
  return enrolOnce(env, { url: hub.url, token, site: config.site }, identity, signal)
}

/** One attempt. The problem, or null. */
export async function enrolOnce(
  env: Pick<Env, 'net'>,
  { url: hubUrl, token, site }: { readonly url: string; readonly token: string; readonly site: string },
  identity: AgentIdentity,
  signal: AbortSignal,
): Promise<string | null> {
  const { agent, publicKey, signer } = identity
  const proof = base64(signEnrolment(signer, { token, agent, publicKey }))
  const body = new TextEncoder().encode(JSON.stringify({ token, agent, publicKey, site, proof }))
  try {
    const url = `${hubUrl}/api/v1/agents/enroll`
    const { status, body: answer } = await env.net.request({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/json' },
      body,
      timeoutMs: 10_000,
      maxBodyBytes: MAX_ANSWER_BYTES,
      signal,
    })
    if (status === 200) return null
    const text = new TextDecoder().decode(answer)
    return `the hub answered ${status}: ${errorOf(text)}`
  } catch (error) {
    return (error as Error).message
  }
}

function errorOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown }
    if (typeof error === 'string') return error
  } catch {
    // A proxy's page.
  }
  return text.slice(0, 200)
}

function base64(bytes: Uint8Array): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}
