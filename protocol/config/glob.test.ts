import assert from 'node:assert/strict'
import { test } from 'node:test'
import { expandGlob } from './mod.ts'

const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  '.': ['a.yml', 'b.yml', 'c.yaml'],
  '/r': ['.x.yml', 'a.yml', 'a[1].yml', 'ab.yml', 'team-a', 'team-b'],
  '/r/team-a': ['1.yml', '2.yml'],
  '/r/team-b': ['1.yml'],
}
const files = {
  readDirectory: (path: string): string[] => {
    if (!FOLDERS[path]) throw new Error('no directory')
    return [...FOLDERS[path]]
  },
}

const rows: readonly (readonly [pattern: string, found: readonly string[] | string])[] = [
  ['/r/absent.yml', ['/r/absent.yml']],
  ['*.yml', ['a.yml', 'b.yml']],
  ['/r/*.yml', ['/r/.x.yml', '/r/a.yml', '/r/a[1].yml', '/r/ab.yml']],
  ['/r/?.yml', ['/r/a.yml']],
  ['/r/a?.yml', ['/r/ab.yml']],
  ['/r/team-*/1.yml', ['/r/team-a/1.yml', '/r/team-b/1.yml']],
  ['/r/*/[^1].yml', ['/r/team-a/2.yml']],
  ['/r/team-[b-z]/*', ['/r/team-b/1.yml']],
  ['/r/a\\[1].yml', ['/r/a[1].yml']],
  ['/r/a[[]1[\\]].yml', ['/r/a[1].yml']],
  ['/none/*.yml', []],
  ['/r/a.yml/*', []],
  ['/r/[a.yml', 'syntax error in pattern'],
  ['/r/[].yml', 'syntax error in pattern'],
  ['/r/[a-].yml', 'syntax error in pattern'],
  ['/r/a\\', 'syntax error in pattern'],
]
for (const [pattern, found] of rows)
  test(`expandGlob() of ${pattern}`, () => {
    if (typeof found === 'string') assert.throws(() => expandGlob(pattern, files), { message: found })
    else assert.deepEqual(expandGlob(pattern, files), found)
  })
