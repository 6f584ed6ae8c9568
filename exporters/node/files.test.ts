import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { before, test } from 'node:test'
import { temporaryFolder, testDisk } from '../testing/env.ts'
import { pageSizeBytes, parseCpuList, parseNumber, realPath } from './files.ts'

let folder = ''
before(() => {
  folder = temporaryFolder()
  fs.mkdirSync(path.join(folder, 'devices/platform/chip'), { recursive: true })
  fs.mkdirSync(path.join(folder, 'class'))
  fs.symlinkSync('../devices/platform/chip', path.join(folder, 'class/relative'))
  fs.symlinkSync(path.join(folder, 'devices'), path.join(folder, 'class/absolute'))
  fs.symlinkSync('relative/../..', path.join(folder, 'class/up'))
  fs.symlinkSync('round', path.join(folder, 'class/round'))
})

for (const link of [
  'class/relative',
  'class/absolute/platform/chip',
  'class/up/platform',
  'class/../devices/./platform',
]) {
  test(`realPath() of ${link} is that of the system`, () => {
    assert.equal(realPath(testDisk, `${folder}/${link}`), fs.realpathSync.native(`${folder}/${link}`))
  })
}

for (const link of ['class/round', 'class/relative/absent']) {
  test(`realPath() of ${link} is null`, () => assert.equal(realPath(testDisk, `${folder}/${link}`), null))
}

test('realPath() of a relative path stays relative', () => {
  const below = path.relative(process.cwd(), folder)
  // Parts that climb above the start cannot be followed without knowing it.
  if (!below.startsWith('..'))
    assert.equal(realPath(testDisk, `${below}/class/relative`), `${below}/devices/platform/chip`)
  assert.equal(realPath({ ...testDisk, stat: () => ({ ...testDisk.stat('/')!, isSymbolicLink: false }) }, 'a/b'), 'a/b')
})

const numbers: readonly [text: string, value: number | null][] = [
  ['12\n', 12],
  ['0x10', 16],
  ['-1', -1],
  ['', null],
  [' \n', null],
  ['N/A (no PMA)', null],
]
for (const [text, value] of numbers)
  test(`parseNumber() of ${JSON.stringify(text)}`, () => assert.equal(parseNumber(text), value))

test('parseCpuList() reads single numbers and ranges', () =>
  assert.deepEqual(parseCpuList('1,3-5,9\n'), [1, 3, 4, 5, 9]))

test('the page size is that of the system, and 4096 without an auxiliary vector', () => {
  assert.equal(pageSizeBytes(testDisk, '/nonexistent'), 4096)
  if (fs.existsSync('/proc/self/auxv')) assert.ok([4096, 16384, 65536].includes(pageSizeBytes(testDisk, '/proc')))
})
