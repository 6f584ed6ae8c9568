import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { parse } from 'yaml'
import { createHead } from '../tsdb/mod.ts'
import { startApi } from './testing/app.ts'

type Operation = { readonly operationId: string; readonly parameters: readonly { readonly name: string }[] }
type Document = {
  readonly openapi: string
  readonly info: { readonly version: string }
  readonly servers: readonly { readonly url: string }[]
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const api = await startApi(createHead())
after(() => api.close())

async function described(query = ''): Promise<Document> {
  const response = await fetch(`${api.url}/api/v1/openapi.yaml${query}`)
  assert.equal(response.headers.get('content-type'), 'application/yaml; charset=utf-8')
  assert.equal(response.headers.get('cache-control'), 'no-cache, no-store, must-revalidate')
  return parse(await response.text()) as Document
}

/** What upstream does not tell of either; of agents and their administrators, with protocols of their own. */
const UNTOLD = /^\/(?:openapi\.yaml|agents\/enroll|admin\/agents|agents\/\{agent\}\/(?!gaps).*)$/

test('the description tells of every route, and of none besides', async () => {
  const { paths } = await described('?openapi_version=3.2')
  const told = Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`))
  const there = api.routes
    .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/api/v1/'))
    .map(({ method, path }) => [method.toLowerCase(), path.slice(7).replace(/:(\w+)/g, '{$1}')] as const)
    .filter(([method, path]) => !UNTOLD.test(path) && method !== 'delete')
    .map((each) => each.join(' '))
  assert.deepEqual(told.toSorted(), [...new Set(there)].toSorted())
  const ids = Object.values(paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId))
  assert.equal(new Set(ids).size, ids.length)
})

test('events are told of by version 3.2 alone, and the server is where others reach it', async () => {
  const [older, newer] = [await described(), await described('?openapi_version=3.2.0')]
  assert.deepEqual([older.openapi, newer.openapi], ['3.1.0', '3.2.0'])
  assert.deepEqual(
    [older, newer].map(({ paths }) => '/notifications/live' in paths),
    [false, true],
  )
  assert.deepEqual(older.servers, [{ url: 'http://hub.example/api/v1' }])
  assert.equal(older.info.version, '1.2.3')
  assert.deepEqual(
    older.paths['/label/{name}/values']!['get']!.parameters.map(({ name }) => name),
    ['name', 'start', 'end', 'match[]', 'limit'],
  )
})
