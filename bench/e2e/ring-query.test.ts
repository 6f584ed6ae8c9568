/** The agent's ring answers for itself, over its own HTTP and over the bus; a budget is announced to the hub. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { api, queryValue, until, withWorld } from './world.ts'

type Series = { readonly metric: object; readonly value?: [number, string]; readonly values?: [number, string][] }
const series = ({ data }: { readonly data?: unknown }): readonly Series[] =>
  (data as { result: Series[] } | undefined)?.result ?? []

test('the ring answers over local HTTP, through the hub, and while the hub is gone', async () => {
  await withWorld(async (world) => {
    const hub = await world.startHub()
    const agent = await world.startAgent({ hub, id: 'web-1' })
    const selector = 'up{job="nodejs"}'
    await until('the hub has it', async () => (await queryValue(hub, selector)) === 1)
    const local = await until('the ring has it', async () => {
      const found = series(await api(agent, '/api/v1/query', { query: selector }))
      return found.length === 1 && found[0]!
    })
    assert.equal(local.value![1], '1')

    const through = await api(hub, '/api/v1/agents/web-1/query', { query: `${selector}[30s]` })
    assert.equal(through.status, 'success', JSON.stringify(through))
    assert.ok(series(through)[0]!.values!.length >= 1)

    const unknown = await api(hub, '/api/v1/agents/web-9/query', { query: 'up' })
    assert.deepEqual([unknown.status, unknown.errorType], ['error', 'not_found'])
    const tooMuch = await api(hub, '/api/v1/agents/web-1/query', { query: 'rate(up[5m])' })
    assert.deepEqual([tooMuch.status, tooMuch.errorType], ['error', 'bad_data'])

    const groups = await until('the agent has announced itself', async () => {
      const found = (await (await fetch(`${hub.url}/api/v1/sd/agents`)).json()) as {
        targets: string[]
        labels: Record<string, string>
      }[]
      return found.length === 1 && found
    })
    assert.equal(groups[0]!.labels['__meta_heliograph_agent'], 'web-1')
    assert.equal(groups[0]!.labels['__meta_heliograph_exporters'], ',nodejs,')
    assert.match(groups[0]!.targets[0]!, new RegExp(`:${new URL(agent.url).port}$`))

    await hub.kill()
    const before = Date.now() / 1000
    await until('the ring goes on without a hub', async () => {
      const values = series(await api(agent, '/api/v1/query', { query: `${selector}[10s]` }))[0]?.values ?? []
      return values.length > 0 && values.at(-1)![0] > before
    })
  })
})

test('over its budget an agent gives up what was declared, and the hub is told of each slot', async () => {
  await withWorld(async (world) => {
    const hub = await world.startHub()
    await world.startAgent({
      hub,
      id: 'dear-1',
      config: 'budget: { bytes_per_second: 600B, window: 5s, steps: [{ interval: 5 }] }',
    })
    type Gap = { target: string; fromMs: number; toMs: number; intervalMs: number; reason: string }
    const gaps = await until(
      'the slots left out are in the ledger',
      async () => {
        const { gaps: all } = (await api(hub, '/api/v1/agents/dear-1/gaps')).data as { gaps: Gap[] }
        const own = all.filter(({ reason }) => reason === 'budget')
        return own.length > 4 && own
      },
      { timeoutMs: 60_000 },
    )
    for (const { fromMs, toMs } of gaps)
      for (let slot = fromMs; slot <= toMs; slot += 1000) assert.notEqual((slot / 1000) % 5, 0)
  })
})
