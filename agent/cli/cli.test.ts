import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FlagDefinition, parseFlags, UsageError } from './mod.ts'

const DEFINITIONS: readonly FlagDefinition[] = [
  { name: 'config.file', help: '', kind: 'string', default: 'prometheus.yml' },
  { name: 'web.enable-lifecycle', help: '', kind: 'boolean', default: 'false' },
  { name: 'enable-feature', help: '', kind: 'list', default: '' },
]
const get = (argv: string[], name: string): readonly string[] => parseFlags(DEFINITIONS, argv).values.get(name)!

test('flags take their value after = or as the next argument, and have defaults', () => {
  assert.deepEqual(get([], 'config.file'), ['prometheus.yml'])
  assert.deepEqual(get(['--config.file=a.yml'], 'config.file'), ['a.yml'])
  assert.deepEqual(get(['--config.file', 'b.yml'], 'config.file'), ['b.yml'])
  assert.deepEqual(get(['--enable-feature=a,b', '--enable-feature=c'], 'enable-feature'), ['a', 'b', 'c'])
  assert.deepEqual(get(['--web.enable-lifecycle'], 'web.enable-lifecycle'), ['true'])
  assert.deepEqual(get(['--no-web.enable-lifecycle'], 'web.enable-lifecycle'), ['false'])
})

test('a flag that is unknown, repeated or without its value is named', () => {
  for (const argv of [
    ['--nope'],
    ['--config.file'],
    ['--config.file=a', '--config.file=b'],
    ['--web.enable-lifecycle=maybe'],
    ['--no-config.file'],
  ]) {
    assert.throws(() => parseFlags(DEFINITIONS, argv), UsageError)
  }
})
