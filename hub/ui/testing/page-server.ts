/**
 * Serves the built page as the hub does (same paths, same policy), under a route prefix if asked, with /api answered by
 * a real server behind a proxy or by a function.
 */
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'

export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
export const DIST = path.join(import.meta.dirname, '../dist')

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Gets the path after the prefix, with the query, and the form of a POST. */
export type Answer = (path: string, params: URLSearchParams) => Promise<{ status: number; body: unknown }>

export type PageServer = { readonly url: string; close(): Promise<void> }

export async function servePage(
  api: { readonly upstream: string } | { readonly answer: Answer },
  prefix = '',
): Promise<PageServer> {
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://page')
    if (!url.pathname.startsWith(prefix)) {
      fail(response, 404)
      return
    }
    const name = url.pathname.slice(prefix.length)
    if (!name.startsWith('/api/')) sendFile(response, name)
    else if ('upstream' in api) proxy(request, response, `${api.upstream}${name}${url.search}`)
    else void answer(api.answer, name, url, request, response)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`,
    close: () =>
      new Promise((done) => {
        server.closeAllConnections()
        server.close(() => done())
      }),
  }
}

function sendFile(response: http.ServerResponse, name: string): void {
  const isAsset = /^\/assets\/[\w.-]+$/.test(name) || name === '/favicon.svg'
  const file = path.join(DIST, isAsset ? name : 'index.html')
  if (!fs.existsSync(file)) {
    fail(response, 404)
    return
  }
  response.writeHead(200, {
    'content-type': TYPES[path.extname(file)] ?? 'application/octet-stream',
    'content-security-policy': CSP,
    'x-content-type-options': 'nosniff',
  })
  response.end(fs.readFileSync(file))
}

function proxy(request: http.IncomingMessage, response: http.ServerResponse, target: string): void {
  const { host: _, connection: __, ...headers } = request.headers
  const upstream = http.request(target, { method: request.method ?? 'GET', headers }, (answered) => {
    response.writeHead(answered.statusCode ?? 502, answered.headers)
    answered.pipe(response)
  })
  upstream.on('error', () => fail(response, 502))
  response.on('close', () => upstream.destroy())
  request.pipe(upstream)
}

async function answer(
  give: Answer,
  name: string,
  url: URL,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const form = new URLSearchParams(Buffer.concat(chunks).toString())
  for (const [key, value] of url.searchParams) form.append(key, value)
  const { status, body } = await give(name, form)
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

function fail(response: http.ServerResponse, status: number): void {
  if (!response.headersSent) response.writeHead(status)
  response.end()
}
