import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DEFAULT_PANEL, decodePanels, encodePanels, MAX_PANELS, type PanelState, stepOf } from './url-state.ts'

const decode = (search: string): PanelState => decodePanels(search)[0]!

test('decodePanels() reads what Prometheus writes', () => {
  const search =
    '?g0.expr=rate%28x%5B5m%5D%29&g0.show_tree=0&g0.tab=graph&g0.end_input=2026-11-22+12%3A00%3A00&g0.moment_input=2026-11-22+12%3A00%3A00&g0.range_input=2h&g0.res_type=fixed&g0.res_step=15&g0.display_mode=stacked&g0.y_axis_min=0&g0.show_exemplars=0&g1.expr=up&g1.tab=table'
  const panels = decodePanels(search)
  assert.equal(panels.length, 2)
  assert.deepEqual(panels[0], {
    expr: 'rate(x[5m])',
    tab: 'graph',
    rangeMs: 7_200_000,
    endMs: Date.UTC(2026, 10, 22, 12),
    resolution: { kind: 'fixed', stepMs: 15_000 },
    yMin: 0,
    displayMode: 'stacked',
    explains: 'instant',
  })
  assert.deepEqual(panels[1], { ...DEFAULT_PANEL, expr: 'up' })
})

const LENIENT: readonly (readonly [search: string, part: Partial<PanelState>])[] = [
  ['g0.expr=up&g0.tab=0', { tab: 'graph' }],
  ['g0.expr=up&g0.tab=1', { tab: 'table' }],
  ['g0.expr=up&g0.tab=explain', { tab: 'explain', explains: 'instant' }],
  ['g0.expr=up&g0.tab=explain&g0.explains=range', { tab: 'explain', explains: 'range' }],
  ['g0.expr=up&g0.step_input=30', { resolution: { kind: 'custom', stepMs: 30_000 } }],
  ['g0.expr=up&g0.res_type=custom&g0.res_step=0.5', { resolution: { kind: 'custom', stepMs: 500 } }],
  ['g0.expr=up&g0.res_type=auto&g0.res_density=high', { resolution: { kind: 'auto', density: 'high' } }],
  ['g0.expr=up&g0.res_type=fixed&g0.res_step=-1', { resolution: DEFAULT_PANEL.resolution }],
  ['g0.expr=up&g0.range_input=soon&g0.end_input=later', { rangeMs: 3_600_000, endMs: null }],
  ['g0.expr=up&g0.stacked=1', { displayMode: 'stacked' }],
  ['g0.expr=up&g0.y_axis_min=x', { yMin: null }],
  ['', DEFAULT_PANEL],
]
for (const [search, part] of LENIENT)
  test(`decodePanels() reads "${search}"`, () => assert.deepEqual(decode(search), { ...decode(search), ...part }))

test('decodePanels() reads a bounded number of panels', () => {
  const search = Array.from({ length: 200 }, (_, i) => `g${i}.expr=x`).join('&')
  assert.equal(decodePanels(search).length, MAX_PANELS)
})

test('decodePanels() undoes encodePanels()', () => {
  const plain = { noNullPrototype: true }
  const panel = fc.record<PanelState>(
    {
      expr: fc.string(),
      tab: fc.constantFrom('table', 'graph', 'explain'),
      rangeMs: fc.integer({ min: 1, max: 10 * 365 * 86_400_000 }),
      endMs: fc.option(fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2090, 0) })),
      resolution: fc.oneof(
        fc.record({ kind: fc.constant('auto' as const), density: fc.constantFrom('low', 'medium', 'high') }, plain),
        fc.record({ kind: fc.constantFrom('fixed', 'custom'), stepMs: fc.integer({ min: 1, max: 1e9 }) }, plain),
      ),
      yMin: fc.option(fc.integer()),
      displayMode: fc.constantFrom('lines', 'stacked', 'heatmap'),
      explains: fc.constantFrom('instant', 'range'),
    },
    plain,
  )
  fc.assert(
    fc.property(fc.array(panel, { minLength: 1, maxLength: 4 }), (panels) =>
      assert.deepEqual(decodePanels(encodePanels(panels)), panels),
    ),
  )
})

test('encodePanels() leaves an untouched page without parameters, and a relative end relative', () => {
  assert.equal(encodePanels([DEFAULT_PANEL]), '')
  assert.doesNotMatch(encodePanels([{ ...DEFAULT_PANEL, expr: 'up' }]), /end_input|moment_input/)
})

test('stepOf() follows the range, in whole seconds where there are some', () => {
  assert.equal(stepOf({ rangeMs: 3_600_000, resolution: { kind: 'auto', density: 'medium' } }), 14_000)
  assert.equal(stepOf({ rangeMs: 60_000, resolution: { kind: 'auto', density: 'medium' } }), 240)
  assert.equal(stepOf({ rangeMs: 10, resolution: { kind: 'auto', density: 'high' } }), 1)
  assert.equal(stepOf({ rangeMs: 1, resolution: { kind: 'fixed', stepMs: 15_000 } }), 15_000)
})
