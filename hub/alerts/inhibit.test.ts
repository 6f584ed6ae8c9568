import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeYaml, list } from '../../protocol/config/mod.ts'
import { labelsFrom } from '../../protocol/labels/mod.ts'
import { inhibitRule } from './config/inhibit-rule.ts'
import { Inhibitor } from './inhibit.ts'

const NOW_MS = 1000
type Side = Readonly<Record<string, string>>
const SOURCES = `
- sources: [{matchers: ['s1="1"'], equal: [e]}, {matchers: ['s2="1"'], equal: [f]}]
  target_matchers: ['t="1"']
`
const rows: readonly (readonly [what: string, firing: readonly Side[], target: Side, muted: number])[] = [
  ['one source of two', [{ s1: '1', e: 'x' }], { t: '1', e: 'x' }, 0],
  [
    'both, each with its own equal labels',
    [
      { s1: '1', e: 'x' },
      { s2: '1', f: 'y' },
    ],
    { t: '1', e: 'x', f: 'y' },
    2,
  ],
  [
    'both, the equal label of one differing',
    [
      { s1: '1', e: 'x' },
      { s2: '1', f: 'y' },
    ],
    { t: '1', e: 'x', f: 'z' },
    0,
  ],
  ['one alert that is both sources', [{ s1: '1', s2: '1' }], { t: '1' }, 1],
  [
    'a target that is a source, by sources that are targets',
    [{ s1: '1', t: '1' }, { s2: '1' }],
    { t: '1', s2: '1' },
    0,
  ],
]
for (const [what, firing, target, muted] of rows)
  test(`a rule with sources: ${what} mutes by ${muted}`, () => {
    const inhibitor = new Inhibitor(decodeYaml(SOURCES, 'x.yml', list(inhibitRule('utf8'))).value)
    for (const labels of firing) inhibitor.observe({ labels: labelsFrom(labels), endsAtMs: NOW_MS + 1 })
    assert.equal(inhibitor.mutedBy(labelsFrom(target), NOW_MS).length, muted)
    inhibitor.sweep(NOW_MS + 1)
    assert.equal(inhibitor.mutedBy(labelsFrom(target), NOW_MS).length, 0)
  })
