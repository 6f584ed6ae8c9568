import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { LAUNCH } from './launch-settings.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')
const textOf = (file: string): string => fs.readFileSync(path.join(ROOT, file), 'utf8')

for (const name of ['hub', 'agent'] as const)
  test(`${name}/bin.mjs starts the ${name} as everything here does`, () => {
    const text = textOf(`${name}/bin.mjs`)
    const env = text.matchAll(/^ {4}([A-Z_]+): '(\d+)',$/gm).map(([, key, value]) => [key, value])
    assert.deepEqual(Object.fromEntries(env), LAUNCH[name].env)
    assert.deepEqual(text.match(/--[a-z-]*semi-space[a-z-]*=\d+/g) ?? [], LAUNCH[name].nodeFlags)
  })

test("the hub's unit starts it with the same flags", () => {
  const [, flags] = /^ExecStart=\S+\/node (.*?) ?\/opt\/heliograph\/hub\/main\.ts/m.exec(
    textOf('hub/systemd/heliograph-hub.service'),
  )!
  assert.deepEqual(flags!.split(' '), LAUNCH.hub.nodeFlags)
})
