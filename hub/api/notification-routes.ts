/** What the server has to say of itself. Semantics: Prometheus web/api/v1/api.go, notifications and notificationsSSE. */
import type { Hono } from 'hono'
import { json, type Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'
import type { Notifications } from './reloads.ts'

export function notificationRoutes(app: Hono<Vars>, { reloads: { notifications } }: Pick<ApiDeps, 'reloads'>): void {
  app.get('/api/v1/notifications', () => json(notifications.list()))
  app.get('/api/v1/notifications/live', (c) => live(notifications, c.env.signal))
}

/** Events until the client goes; no content where too many listen. */
function live(notifications: Notifications, signal: AbortSignal): Response {
  const encoder = new TextEncoder()
  let stop: (() => void) | null = null
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      stop = notifications.subscribe((notification) =>
        controller.enqueue(encoder.encode(`data: ${JSON.stringify(notification)}\n\n`)),
      )
    },
    cancel: () => stop?.(),
  })
  if (stop === null) return new Response(null, { status: 204 })
  signal.addEventListener('abort', stop, { once: true })
  return new Response(body, { headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' } })
}
