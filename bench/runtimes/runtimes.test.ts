/** Whatever runs on Node here runs on Bun, which the single file is made of, and on Deno. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RuntimeName } from './exceptions.ts'
import { judged, runOn, runtimePath, summary } from './run.ts'

for (const name of ['bun', 'deno'] satisfies RuntimeName[])
  test(`agent/ and protocol/ pass their tests on ${name}`, {
    skip: runtimePath(name) ? false : `npm brought no ${name}`,
  }, async (t) => {
    const report = await runOn(name)
    t.diagnostic(summary(name, report))
    assert.deepEqual(report.failures, [])
    // A report that lost most of its files must not pass for a good one.
    assert.ok(report.passed > 400, `only ${report.passed} tests passed`)
  })

test('a report is read with its failures, skips and exceptions', () => {
  const exceptions = [
    { runtime: 'bun', file: 'a.test.ts', test: /known/, reason: 'r' },
    { runtime: 'bun', file: 'a.test.ts', test: /mended/, reason: 'r' },
  ] as const
  const xml = `<testsuites><testsuite name="a.test.ts">
    <testcase name="good &lt;1&gt;" file="a.test.ts" />
    <testcase name="known" file="a.test.ts"><failure message="m" /></testcase>
    <testcase name="mended" file="a.test.ts" />
    <testcase name="left out" file="a.test.ts"><skipped /></testcase>
    <testcase name="bad" classname="./a.test.ts"><failure message="1 &lt; 2">stack</failure></testcase>
  </testsuite></testsuites>`
  const report = judged(xml, exceptions, [])
  assert.deepEqual(
    [report.passed, report.skipped, report.expected, report.surprises, report.failures],
    [2, 1, [exceptions[0]], [exceptions[1]], ['./a.test.ts: bad: 1 < 2']],
  )
})
