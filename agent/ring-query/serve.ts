/** The two ways to ask the ring: the local HTTP API, and the agent's control subject on the bus. */
import type { Bus, BusSubscription, Logger } from '../../protocol/env/mod.ts'
import { controlSubject } from '../../protocol/subjects/mod.ts'
import { ringApi } from './api.ts'
import type { RingSelector } from './select.ts'

const FORM_BYTES_MAX = 64 << 10

export type Asked = { readonly ring: RingSelector; readonly nowMs: number }

/** GET with parameters, or POST with a form. */
export async function serveRingHttp(request: Request, { ring, nowMs }: Asked): Promise<Response> {
  const parameters = new URL(request.url).searchParams
  if (request.method === 'POST') {
    const body = await readForm(request)
    if (body === null) return new Response(`a form may have ${FORM_BYTES_MAX} bytes\n`, { status: 413 })
    for (const [name, value] of new URLSearchParams(body)) parameters.append(name, value)
  }
  const { status, body } = await ringApi(ring, parameters, nowMs)
  return new Response(body, { status, headers: { 'content-type': 'application/json' } })
}

async function readForm(request: Request): Promise<string | null> {
  let text = ''
  if (!request.body) return text
  const decoder = new TextDecoder()
  for await (const chunk of request.body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > FORM_BYTES_MAX) return null
  }
  return text
}

/** The question is a query string; the answer `{"status": HTTP status, "body": JSON of the API}`. */
export function serveRingBus(
  bus: Bus,
  agent: string,
  { ask, log }: { readonly ask: () => Asked; readonly log: Logger },
): BusSubscription {
  return bus.subscribe(controlSubject(agent, 'query'), ({ payload, reply }) => {
    if (reply === '') return
    const { ring, nowMs } = ask()
    const parameters = new URLSearchParams(new TextDecoder().decode(payload))
    ringApi(ring, parameters, nowMs).then(
      (answer) => publish(bus, reply, answer),
      (err: unknown) => {
        log.error('A question to the ring failed', { err })
        publish(bus, reply, failure(500, 'internal', 'the ring could not be read'))
      },
    )
  })
}

type Answer = { readonly status: number; readonly body: string }

function publish(bus: Bus, reply: string, answer: Answer): void {
  let bytes = new TextEncoder().encode(JSON.stringify(answer))
  if (bytes.length > bus.maxPayloadBytes) {
    const problem = `the answer of ${bytes.length} bytes exceeds the bus's limit of ${bus.maxPayloadBytes}; ask for less`
    bytes = new TextEncoder().encode(JSON.stringify(failure(422, 'execution', problem)))
  }
  bus.publish(reply, bytes)
}

function failure(status: number, errorType: string, error: string): Answer {
  return { status, body: JSON.stringify({ status: 'error', errorType, error }) }
}
