/** Agents: enrolment with a one-time token, the list, and the gap ledger. */

import type { Hono } from 'hono'
import { joinBytes } from '../../protocol/bytes/mod.ts'
import { controlSubject } from '../../protocol/subjects/mod.ts'
import { EnrolmentError } from '../agents/mod.ts'
import { ApiError } from '../query/mod.ts'
import { json, params, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'

const MAX_BODY_BYTES = 16 << 10
const ASK_TIMEOUT_MS = 10_000

export function agentRoutes(app: Hono<Vars>, deps: ApiDeps): void {
  app.post('/api/v1/agents/enroll', async (c) => {
    const request = await readEnrolment(c.req.raw)
    try {
      const { agent, site } = deps.registry.enroll(request)
      deps.log.info('Agent enrolled', { agent, site, key: request.publicKey, remote: c.env.remoteAddress })
      return json({ agent, site })
    } catch (error) {
      if (!(error instanceof EnrolmentError)) throw error
      deps.log.warn('Enrolment refused', { err: error, remote: c.env.remoteAddress })
      throw new ApiError('bad_data', error.message, { cause: error })
    }
  })
  app.post('/api/v1/admin/agents', async (c) => {
    const given = (c.req.header('authorization') ?? '').replace(/^Bearer /, '')
    if (!sameText(given, deps.adminToken)) return c.text('the admin token of the data directory is needed\n', 401)
    const order = await readJson(c.req.raw)
    try {
      return json(execute(deps, order))
    } catch (error) {
      if (error instanceof EnrolmentError) throw new ApiError('bad_data', error.message, { cause: error })
      throw error
    }
  })
  app.get('/api/v1/agents', async () => {
    const { agents } = await deps.ingest.status()
    const live = new Map(agents.map((agent) => [agent.agent, agent]))
    const enrolled = deps.registry.list().map((record) => ({
      ...record,
      ingest: live.get(record.agent) ?? null,
      presence: deps.presence.get(record.agent),
    }))
    return json({ agents: enrolled, local: agents.filter(({ isLocal }) => isLocal) })
  })
  for (const path of ['query', 'query_range'])
    app.on(['GET', 'POST'], `/api/v1/agents/:agent/${path}`, async (c) => {
      const given = await params(c)
      const asked = new URLSearchParams()
      for (const name of ['query', 'time', 'start', 'end', 'step']) {
        const value = given.get(name)
        if (value !== '') asked.set(name, value)
      }
      return askRing(deps, c.req.param('agent')!, asked)
    })
  // The format of http_sd_configs, for any Prometheus and for this hub.
  app.get('/api/v1/sd/agents', () =>
    Promise.resolve(
      new Response(JSON.stringify(deps.presence.targetGroups()), { headers: { 'content-type': 'application/json' } }),
    ),
  )
  app.get('/api/v1/agents/:agent/gaps', async (c) => {
    const p = await params(c)
    const now = Math.round(deps.clock.now())
    const startMs = p.time('start', now - 24 * 3600_000)
    const endMs = p.time('end', now)
    return json({ gaps: await deps.ingest.ledger(c.req.param('agent'), startMs, endMs) })
  })
}

/**
 * What the agent's own ring holds, asked over the bus: for data that has not come yet. Plain selectors only.
 * The answer is the agent's.
 */
async function askRing(deps: ApiDeps, agent: string, parameters: URLSearchParams): Promise<Response> {
  if (deps.registry.byAgent(agent)?.status !== 'approved')
    throw new ApiError('not_found', `no agent ${JSON.stringify(agent)} is enrolled`)
  const bus = deps.bus()
  if (bus === null) throw new ApiError('unavailable', 'the hub has no bus')
  try {
    const question = new TextEncoder().encode(parameters.toString())
    const { payload } = await bus.request(controlSubject(agent, 'query'), question, { timeoutMs: ASK_TIMEOUT_MS })
    const { status, body } = JSON.parse(new TextDecoder().decode(payload)) as { status: number; body: string }
    return new Response(body, { status, headers: { 'content-type': 'application/json' } })
  } catch (error) {
    throw new ApiError('unavailable', `agent ${JSON.stringify(agent)} does not answer: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** What `heliograph-hub agents …` asks for. */
function execute({ registry, log }: ApiDeps, order: Readonly<Record<string, unknown>>): unknown {
  const text = (name: string): string => (typeof order[name] === 'string' ? (order[name] as string) : '')
  const action = text('action')
  log.info('Agents command', { action, agent: text('agent') })
  switch (action) {
    case 'list':
      return { agents: registry.list() }
    case 'approve':
      return registry.approve({
        agent: text('agent'),
        publicKey: text('publicKey'),
        ...(text('site') !== '' && { site: text('site') }),
      })
    case 'revoke':
      return registry.revoke(text('agent'))
    case 'token':
      return registry.createToken(text('agent') === '' ? {} : { agent: text('agent') })
  }
  throw new ApiError('bad_data', `unknown action ${JSON.stringify(action)}, known are list, approve, revoke, token`)
}

/** Takes as long for a near miss as for a far one. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let i = 0; i < b.length; i++) difference |= b.charCodeAt(i) ^ (a.charCodeAt(i) || 0)
  return difference === 0
}

async function readJson(request: Request): Promise<Readonly<Record<string, unknown>>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new ApiError('bad_data', 'the request is too large')
    chunks.push(chunk)
  }
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(joinBytes(chunks)))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    throw new ApiError('bad_data', 'the request is no JSON', { cause: error })
  }
  throw new ApiError('bad_data', 'the request is no JSON object')
}

async function readEnrolment(
  request: Request,
): Promise<{ token: string; agent: string; publicKey: string; site?: string; proof: Uint8Array }> {
  const body = await readJson(request)
  const text = (name: string): string => (typeof body[name] === 'string' ? (body[name] as string) : '')
  const missing = ['token', 'agent', 'publicKey', 'proof'].filter((name) => text(name) === '')
  if (missing.length > 0) throw new ApiError('bad_data', `the enrolment request lacks ${missing.join(', ')}`)
  let proof: Uint8Array
  try {
    proof = Uint8Array.from(atob(text('proof')), (char) => char.charCodeAt(0))
  } catch (error) {
    throw new ApiError('bad_data', 'the proof is no base64', { cause: error })
  }
  const site = text('site')
  return {
    token: text('token'),
    agent: text('agent'),
    publicKey: text('publicKey'),
    proof,
    ...(site !== '' && { site }),
  }
}
