/** Budgets of the built files, gzip: what the first load costs, and what the editor and the other pages add later. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ensureBuilt } from './testing/build.ts'
import { DIST } from './testing/page-server.ts'

const FIRST_LOAD_MAX = 60_000
const EDITOR_MAX = 150_000
const PAGES_MAX = 20_000

before(ensureBuilt)

const gzipBytes = (file: string): number => gzipSync(fs.readFileSync(path.join(DIST, file)), { level: 9 }).length

test('the first load stays within its budget, each lazy chunk within its own', (t) => {
  const html = fs.readFileSync(path.join(DIST, 'index.html'), 'utf8')
  const loaded = [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map((found) => found[1]!)
  const rest = fs
    .readdirSync(path.join(DIST, 'assets'))
    .map((name) => `assets/${name}`)
    .filter((name) => !loaded.includes(name))
  const firstBytes = loaded.reduce((sum, file) => sum + gzipBytes(file), 0)
  const [editorBytes, pagesBytes] = ['editor', 'pages'].map((name) => {
    const chunk = rest.find((file) => file.startsWith(`assets/${name}-`))
    assert.ok(chunk, `a chunk of ${name} is expected, got ${rest}`)
    return gzipBytes(chunk)
  }) as [number, number]
  t.diagnostic(`first load ${firstBytes} bytes, editor ${editorBytes} bytes, other pages ${pagesBytes} bytes, gzip -9`)
  assert.ok(loaded.some((file) => file.endsWith('.js')) && loaded.some((file) => file.endsWith('.css')), html)
  assert.ok(firstBytes > 10_000 && firstBytes <= FIRST_LOAD_MAX, `first load: ${firstBytes} bytes of ${loaded}`)
  assert.equal(rest.length, 2, `two lazy chunks are expected, got ${rest}`)
  assert.ok(editorBytes > 50_000 && editorBytes <= EDITOR_MAX, `editor: ${editorBytes} bytes`)
  assert.ok(pagesBytes > 3_000 && pagesBytes <= PAGES_MAX, `other pages: ${pagesBytes} bytes`)
})

test('the built page has nothing inline and nothing from elsewhere', () => {
  const html = fs.readFileSync(path.join(DIST, 'index.html'), 'utf8')
  assert.doesNotMatch(html, /<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=/i)
  assert.doesNotMatch(html, /(?:src|href)="(?!\.\/)/, 'all addresses are relative, for a route prefix')
})
