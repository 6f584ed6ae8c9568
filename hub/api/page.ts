/** The built page, under a strict content security policy. */
import type { Hono } from 'hono'
import type { Vars } from './app.ts'
import type { ApiDeps } from './deps.ts'

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  woff2: 'font/woff2',
  json: 'application/json',
}

/** Paths of Prometheus's own page, which alerts and bookmarks point at. */
const PAGES = [
  '/',
  '/graph',
  '/query',
  '/targets',
  '/rules',
  '/alerts',
  '/status',
  '/config',
  '/flags',
  '/tsdb-status',
  '/service-discovery',
  '/agents',
]

export function servePage(app: Hono<Vars>, { disk, uiFolder }: Pick<ApiDeps, 'disk' | 'uiFolder'>): void {
  const send = (file: string, immutable: boolean): Response | null => {
    let bytes: Uint8Array
    try {
      bytes = disk.readFile(`${uiFolder}/${file}`)
    } catch {
      return null
    }
    const type = TYPES[file.slice(file.lastIndexOf('.') + 1)] ?? 'application/octet-stream'
    return new Response(bytes as Uint8Array<ArrayBuffer>, {
      headers: {
        'content-type': type,
        'content-security-policy': CSP,
        'cache-control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
      },
    })
  }
  for (const path of PAGES) {
    app.get(
      path,
      (c) =>
        send('index.html', false) ?? c.text('The page is not built: run "npm start", or vite build in hub/ui.\n', 404),
    )
  }
  app.get('/assets/:file', (c) => {
    const file = c.req.param('file')
    if (!/^[A-Za-z0-9_.-]+$/.test(file) || file.startsWith('.')) return c.text('404 page not found\n', 404)
    return send(`assets/${file}`, true) ?? c.text('404 page not found\n', 404)
  })
  app.get('/favicon.svg', (c) => send('favicon.svg', false) ?? c.text('404 page not found\n', 404))
  app.get('/favicon.ico', (c) => send('favicon.ico', false) ?? c.body(null, 204))
}
