/** `/api/v2`: the Alertmanager's API. */
import type { Hono } from 'hono'
import { alertApi } from '../alerts/mod.ts'
import type { Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'

export function alertRoutes(app: Hono<Vars>, deps: ApiDeps): void {
  app.all('/api/v2/*', async (c) => {
    const { pathname } = new URL(c.req.url)
    const path = pathname.slice(pathname.indexOf('/api/v2') + '/api/v2'.length)
    const { dispatcher, build } = deps
    return alertApi(c.req.raw, path, { dispatcher, build, now: () => Math.round(deps.clock.now()) })
  })
}
