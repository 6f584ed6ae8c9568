/** The house rules that a machine can check: import arrows, no cycles, the environment only through its adapters. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folderCycles, importsOf, sourceFiles, stripCommentsAndStrings } from './sources.ts'

const ROOMS = ['protocol', 'exporters', 'agent', 'hub', 'bench']
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  protocol: ['protocol'],
  exporters: ['protocol', 'exporters'],
  agent: ['protocol', 'exporters', 'agent'],
  hub: ['protocol', 'exporters', 'agent', 'hub'],
  bench: ROOMS,
}
const PRIVATE_MODULES =
  /^node:(fs|fs\/promises|net|tls|http|https|http2|dgram|dns|dns\/promises|child_process|worker_threads|sqlite|timers|timers\/promises|perf_hooks)$/
const PRIVATE_GLOBALS =
  /\b(Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|Math\.random|crypto\.randomUUID|crypto\.getRandomValues|fetch)\b\s*\(?/
const ADAPTERS = /^(agent|hub)\/env\//

const files = sourceFiles(ROOMS)
const production = files.filter(
  (file) => !file.startsWith('bench/') && !file.startsWith('hub/ui/') && !/\.test\.ts$|\/testing\//.test(file),
)

test('imports follow protocol <- exporters <- agent <- hub <- bench, in tests too', () => {
  const wrong: string[] = []
  for (const file of files) {
    const room = file.split('/')[0]!
    for (const target of importsOf(file).local) {
      if (!MAY_IMPORT[room]!.includes(target.split('/')[0]!)) wrong.push(`${file} imports ${target}`)
    }
  }
  assert.deepEqual(wrong, [])
})

test('no import cycles between the folders of a room', () => {
  assert.deepEqual(folderCycles(production), [])
})

test('protocol imports no runtime', () => {
  const wrong: string[] = []
  for (const file of production) {
    if (!file.startsWith('protocol/')) continue
    for (const name of importsOf(file).packages) if (name.startsWith('node:')) wrong.push(`${file} imports ${name}`)
  }
  assert.deepEqual(wrong, [])
})

test('clocks, timers, randomness, files, sockets and threads are reached only through the environment', () => {
  const wrong: string[] = []
  for (const file of production) {
    if (ADAPTERS.test(file) || /^(agent|hub)\/main\.ts$/.test(file)) continue
    for (const name of importsOf(file).packages) if (PRIVATE_MODULES.test(name)) wrong.push(`${file} imports ${name}`)
    stripCommentsAndStrings(file).forEach((line, index) => {
      const found = PRIVATE_GLOBALS.exec(line)
      // A method of an injected object (`clock.setTimer`, `net.fetch`) is not the global.
      if (found && line[found.index - 1] !== '.') wrong.push(`${file}:${index + 1} uses ${found[1]}`)
    })
  }
  assert.deepEqual(wrong, [])
})

test('nobody exports default, and no file but an adapter, a launcher or a bench has more than 600 lines', () => {
  const wrong: string[] = []
  for (const file of production) {
    const lines = stripCommentsAndStrings(file)
    if (lines.some((line) => /^export default\b/.test(line))) wrong.push(`${file} exports default`)
    if (lines.length > 600) wrong.push(`${file} has ${lines.length} lines`)
  }
  assert.deepEqual(wrong, [])
})
