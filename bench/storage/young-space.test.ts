import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { systems } from './systems.ts'

test("the hub's main thread does not keep the 33 MB of young space that V8 takes while it loads", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heliograph-young-'))
  try {
    const hub = systems(null).found.find(({ name }) => name === 'Heliograph')!
    const { program, url } = await hub.start(folder)
    try {
      for (let i = 0; i < 50; i++) await (await fetch(`${url}/api/v1/query?query=${i}`)).text()
      const page = await (await fetch(`${url}/metrics`)).text()
      const bytes = /^nodejs_heap_space_size_total_bytes\{space="new"\} (\S+)/m.exec(page)?.[1]
      // Two halves of the 4 MB that the launchers give it.
      assert.ok(Number(bytes) <= 2 * (4 << 20), `${bytes} bytes`)
    } finally {
      await program[Symbol.asyncDispose]()
    }
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
