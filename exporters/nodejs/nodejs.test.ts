import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nodeDisk, systemClock } from '../../agent/env/mod.ts'
import { createRuntimeStats } from '../../agent/env/runtime-stats.ts'
import { formatExposition, parseExposition } from '../../protocol/exposition/mod.ts'
import { createNodejsExporter } from './mod.ts'

test("the process reports prom-client's default metrics with plausible values", async () => {
  const stats = createRuntimeStats()
  try {
    ;(globalThis as { gc?: () => void }).gc?.()
    await new Promise((resolve) => setTimeout(resolve, 50))
    const text = formatExposition(await createNodejsExporter(stats, { disk: nodeDisk, clock: systemClock }).collect())
    parseExposition(new TextEncoder().encode(text), { format: 'text' })
    const value = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    assert.ok(value('process_resident_memory_bytes') > 1e6)
    assert.ok(value('process_open_fds') > 2)
    assert.ok(value('nodejs_heap_size_used_bytes') <= value('nodejs_heap_size_total_bytes'))
    assert.ok(value('nodejs_eventloop_lag_max_seconds') >= value('nodejs_eventloop_lag_min_seconds'))
    assert.match(text, /nodejs_version_info\{version="v\d+/)
  } finally {
    stats.close()
  }
})
