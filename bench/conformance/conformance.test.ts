/** The whole kit in the test run: a case that is not on the pending list must pass, and one that is must not. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { kitFolder, SUITES } from './suites.ts'

type Pending = { readonly suite: string; readonly case: string; readonly reason: string }
const pending = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, 'pending.json'), 'utf8')) as Pending[]

for (const [name, suite] of Object.entries(SUITES)) {
  const folder = kitFolder(name)
  test(`conformance: ${name}`, { skip: folder ? false : `../shared/conformance/${name} is absent` }, async (t) => {
    const results = await suite(folder!)
    assert.ok(results.length > 0, 'the suite has no cases')
    const listed = pending.filter((entry) => entry.suite === name)
    // HELP and TYPE lines belong to the family that they name.
    const plain = (title: string): string => title.replace(/^# (?:HELP|TYPE) /, '')
    const isListed = (title: string): boolean =>
      listed.some((entry) =>
        entry.case.endsWith('*') ? plain(title).startsWith(entry.case.slice(0, -1)) : entry.case === title,
      )
    const failures = results.filter(({ name: title, error }) => error !== null && !isListed(title))
    // Of a family, one line that passes proves nothing; an entry without a failure left is due.
    const finished = listed.filter(
      (entry) =>
        !results.some(
          ({ name: title, error }) =>
            error !== null &&
            (entry.case.endsWith('*') ? plain(title).startsWith(entry.case.slice(0, -1)) : entry.case === title),
        ),
    )
    assert.deepEqual(failures.slice(0, 20), [], `${failures.length} of ${results.length} cases fail`)
    assert.deepEqual(finished, [], 'these pass now: take them off pending.json')
    const open = results.filter(({ error }) => error !== null).length
    t.diagnostic(`${results.length - open} cases pass, ${open} are pending`)
  })
}
