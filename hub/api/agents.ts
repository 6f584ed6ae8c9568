/** Agents: enrolment with a one-time token, the list, and the gap ledger. */
import type { Hono } from 'hono'
import { EnrolmentError } from '../agents/mod.ts'
import { ApiError } from '../query/mod.ts'
import { concat, json, params, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'

const MAX_BODY_BYTES = 16 << 10

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
  app.get('/api/v1/agents', async () => {
    const { agents } = await deps.ingest.status()
    const live = new Map(agents.map((agent) => [agent.agent, agent]))
    const enrolled = deps.registry.list().map((record) => ({ ...record, ingest: live.get(record.agent) ?? null }))
    return json({ agents: enrolled, local: agents.filter(({ isLocal }) => isLocal) })
  })
  app.get('/api/v1/agents/:agent/gaps', async (c) => {
    const p = await params(c)
    const now = Math.round(deps.clock.now())
    const startMs = p.time('start', now - 24 * 3600_000)
    const endMs = p.time('end', now)
    return json({ gaps: await deps.ingest.ledger(c.req.param('agent'), startMs, endMs) })
  })
}

async function readEnrolment(
  request: Request,
): Promise<{ token: string; agent: string; publicKey: string; site?: string; proof: Uint8Array }> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new ApiError('bad_data', 'the enrolment request is too large')
    chunks.push(chunk)
  }
  let body: Record<string, unknown>
  try {
    body = JSON.parse(new TextDecoder().decode(concat(chunks, size)))
  } catch (error) {
    throw new ApiError('bad_data', 'the enrolment request is no JSON', { cause: error })
  }
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
