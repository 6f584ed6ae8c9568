/** `heliograph-hub agents …`: administrates the agents of a running hub, by right of reading its data directory. */
import { UsageError } from '../../agent/cli/mod.ts'
import type { Env } from '../../protocol/env/mod.ts'
import type { HubSettings } from './settings.ts'

const USAGE = 'usage: heliograph-hub agents list | approve ID KEY | revoke ID | token [ID]'

/** @returns the exit code @throws UsageError */
export async function agentsCommand(args: readonly string[], settings: HubSettings, env: Env): Promise<number> {
  const order = orderOf(args)
  const file = `${settings.dataPath}/admin.token`
  let token: string
  try {
    token = env.disk.readText(file).trim()
  } catch (error) {
    return fail(`cannot read ${file}: ${(error as Error).message}; is --storage.tsdb.path that of the running hub?`)
  }
  try {
    const { status, body } = await env.net.request({
      method: 'POST',
      url: `http://${settings.listen}${settings.routePrefix}/api/v1/admin/agents`,
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: new TextEncoder().encode(JSON.stringify(order)),
      timeoutMs: 10_000,
      maxBodyBytes: 16 << 20,
    })
    const text = new TextDecoder().decode(body)
    if (status !== 200) return fail(errorOf(text))
    process.stdout.write(`${show(order.action, (JSON.parse(text) as { data: never }).data)}\n`)
    return 0
  } catch (error) {
    return fail(`cannot reach the hub at ${settings.listen}: ${(error as Error).message}`)
  }
}

type Order = { readonly action: string; readonly agent?: string; readonly publicKey?: string }

function orderOf([action = '', ...rest]: readonly string[]): Order {
  const [agent, publicKey] = rest
  if (action === 'list' && rest.length === 0) return { action }
  if (action === 'approve' && agent && publicKey && rest.length === 2) return { action, agent, publicKey }
  if (action === 'revoke' && agent && rest.length === 1) return { action, agent }
  if (action === 'token' && rest.length <= 1) return agent ? { action, agent } : { action }
  throw new UsageError(USAGE)
}

type Listed = { readonly agent: string; readonly publicKey: string; readonly site: string; readonly status: string }

function show(action: string, data: { readonly agents: readonly Listed[]; readonly token: string } & Listed): string {
  if (action === 'list')
    return data.agents
      .map(({ agent, publicKey, site, status }) => `${agent}\t${status}\t${site}\t${publicKey}`)
      .join('\n')
  return action === 'token' ? data.token : `${data.agent}\t${data.status}`
}

function errorOf(text: string): string {
  try {
    return String((JSON.parse(text) as { error?: unknown }).error ?? text)
  } catch {
    return text.trim()
  }
}

function fail(problem: string): number {
  process.stderr.write(`heliograph-hub: error: ${problem}\n`)
  return 1
}
