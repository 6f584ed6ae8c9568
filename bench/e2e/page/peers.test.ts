/** The page in a real browser, in front of a real Prometheus, under the hub's content security policy. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { drawn, launch, linePixels, NO_CHROMIUM, openPage, type WatchedPage } from '../../../hub/ui/testing/browser.ts'
import { ensureBuilt } from '../../../hub/ui/testing/build.ts'
import { type PageServer, servePage } from '../../../hub/ui/testing/page-server.ts'
import { type RunningPrometheus, startPrometheus } from '../../../hub/ui/testing/prometheus.ts'
import { peer } from '../../peers/peers.ts'

const prometheus = peer('prometheus')
const skip = NO_CHROMIUM || (prometheus.path === null ? prometheus.reason : false)

describe('the page before a real Prometheus', { skip }, () => {
  let browser: Browser
  let server: PageServer
  let upstream: RunningPrometheus
  let watched: WatchedPage
  let page: Page

  before(async () => {
    ensureBuilt()
    upstream = await startPrometheus(prometheus.path!)
    server = await servePage({ upstream: upstream.url }, '/monitoring')
    browser = await launch()
    watched = await openPage(browser, server.url)
    page = watched.page
  })
  after(async () => {
    await browser?.close()
    await server?.close()
    await upstream?.stop()
  })

  test('completes, runs and tabulates an expression by keyboard alone', async () => {
    await page.goto(`${server.url}/`)
    await page.locator('.cm-content').waitFor()
    await page.locator('.cm-content').focus()
    await page.keyboard.type('prometheus_build_i')
    const list = page.locator('.cm-tooltip-autocomplete')
    await list.waitFor()
    assert.match((await list.textContent()) ?? '', /prometheus_build_info/)
    // CodeMirror ignores Enter for a moment after the list opened, lest it take what was not yet read.
    await page.waitForTimeout(150)
    await page.keyboard.press('Enter')
    assert.equal(await editorText(page), 'prometheus_build_info')
    await page.keyboard.press('Enter')
    const row = page.locator('table.rows tbody tr')
    await row.waitFor()
    assert.match((await row.first().textContent()) ?? '', /prometheus_build_info\{.*job="prometheus".*\}1$/)
    assert.equal(new URL(page.url()).pathname, '/monitoring/query')
    assert.equal(new URL(page.url()).searchParams.get('g0.expr'), 'prometheus_build_info')
    assert.deepEqual(await watched.complaints(), [])
  })

  test('draws the graph, and a reload of its address draws it again', async () => {
    await page.getByRole('tab', { name: 'Graph' }).click()
    await page.locator('.plot canvas').waitFor()
    await page.getByRole('textbox', { name: 'Range' }).fill('1m')
    await page.keyboard.press('Enter')
    await page.waitForURL(/range_input=1m/)
    await drawn(page)
    assert.match((await page.locator('figcaption').textContent()) ?? '', /^Graph of 1 series, .*lowest 1, highest 1/)
    const url = page.url()
    await page.reload()
    await drawn(page)
    assert.equal(page.url(), url)
    assert.equal(await editorText(page), 'prometheus_build_info')
    assert.equal(await page.getByRole('tab', { name: 'Graph' }).getAttribute('aria-selected'), 'true')
    assert.deepEqual(await watched.complaints(), [])
  })

  test('goes back and forward one change at a time', async () => {
    await page.goBack()
    await page.waitForURL(/range_input=1h/)
    await page.goBack()
    await page.waitForURL(/g0.tab=table/)
    await page.locator('table.rows tbody tr').first().waitFor()
    await page.goForward()
    await page.goForward()
    await page.waitForURL(/range_input=1m/)
    await drawn(page)
    assert.deepEqual(await watched.complaints(), [])
  })

  test('zooms by dragging, shows values on hover and by arrow keys', async () => {
    await page.goto(
      `${server.url}/graph?g0.expr=sum(prometheus_tsdb_head_series)&g0.tab=0&g0.range_input=20s&g0.step_input=1`,
    )
    await drawn(page)
    const box = (await page.locator('.plot .u-over').boundingBox())!
    await page.mouse.move(box.x + box.width * 0.97, box.y + box.height / 2)
    await page.locator('.tooltip').waitFor()
    assert.match(
      (await page.locator('.tooltip').textContent()) ?? '',
      /^20\d\d-\d\d-\d\d \d\d:\d\d:\d\d \+0[12]:00value\d/,
    )
    await page.mouse.move(0, 0)
    await page.locator('.plot-box').focus()
    await page.keyboard.press('ArrowLeft')
    await page.waitForFunction(() => /\{\} \d/.test(document.querySelector('.plot [aria-live]')?.textContent ?? ''))
    await page.mouse.move(box.x + box.width * 0.5, box.y + 40)
    await page.mouse.down()
    await page.mouse.move(box.x + box.width * 0.99, box.y + 60, { steps: 4 })
    await page.mouse.up()
    await page.waitForURL(/end_input=20/)
    const zoomed = new URL(page.url()).searchParams
    assert.match(zoomed.get('g0.range_input') ?? '', /^(9|10)s\d*/)
    await drawn(page)
    assert.deepEqual(await watched.complaints(), [])
  })

  test('says where an expression is wrong and why an answer is empty', async () => {
    await page.goto(`${server.url}/query?g0.expr=${encodeURIComponent('sum(up')}&g0.tab=table`)
    const alert = page.locator('.message.crit')
    await alert.waitFor()
    assert.match((await alert.textContent()) ?? '', /bad_data.*parse error.*\n\s+\^ line 1, column \d/s)

    await page.goto(`${server.url}/query?g0.expr=${encodeURIComponent('prometheus_build_inf')}&g0.tab=table`)
    await page.getByText('No metric is named prometheus_build_inf. Near it: prometheus_build_info').waitFor()
    await page.goto(`${server.url}/query?g0.expr=${encodeURIComponent('up{job="prometheus",instance="none"}')}`)
    await page.getByText('up exists, but {instance="none"} matches none of it.').waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('keeps several expressions, removes one, and recalls earlier ones', async () => {
    await page.goto(`${server.url}/query?g0.expr=up&g0.tab=table&g1.expr=vector(7)&g1.tab=table`)
    await page.getByText('showing').waitFor({ state: 'detached' })
    await page.locator('section.panel >> nth=1').locator('td.value', { hasText: '7' }).waitFor()
    await page.getByRole('button', { name: 'Remove expression 1' }).click()
    await page.waitForURL((url) => url.searchParams.get('g0.expr') === 'vector(7)' && !url.searchParams.has('g1.expr'))
    assert.equal(await editorText(page), 'vector(7)')
    await page.locator('.cm-content').focus()
    await page.keyboard.press('Control+ArrowUp')
    assert.equal(await editorText(page), 'prometheus_build_info')
    await page.keyboard.press('Control+ArrowDown')
    assert.equal(await editorText(page), 'vector(7)')
    assert.deepEqual(await watched.complaints(), [])
  })

  test('types over coloured text, brackets around a selection too, without breaking the policy', async () => {
    await page.goto(`${server.url}/query?g0.expr=${encodeURIComponent('rate(prometheus_http_requests_total[10s])')}`)
    await page.locator('.cm-content').focus()
    await page.keyboard.press('Control+A')
    await page.keyboard.type('up')
    assert.equal(await editorText(page), 'up')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Control+A')
    await page.keyboard.type('(')
    assert.equal(await editorText(page), '(up)')
    await page.keyboard.press('Control+Z')
    assert.equal(await editorText(page), 'up')
    assert.deepEqual(await watched.complaints(), [])
  })

  test('underlines what is wrong in the editor without breaking the policy', async () => {
    await page.goto(`${server.url}/query`)
    await page.locator('.cm-content').focus()
    await page.keyboard.type('rate(up)')
    await page.keyboard.press('Escape')
    await page.locator('.cm-lintRange-error').first().waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('lists targets, alerts and rules, and does without agents', async () => {
    await page.goto(`${server.url}/targets`)
    await page.getByText('connection refused').waitFor()
    await page.getByRole('link', { name: 'Alerts' }).click()
    await page.getByText('AlwaysFiring').first().waitFor()
    await page.getByRole('button', { name: 'sum by (job) (up)' }).waitFor()
    await page.getByRole('link', { name: 'Agents' }).click()
    await page.getByText('This server has no agents.').waitFor()
    await page.getByRole('link', { name: 'Status' }).click()
    await page.getByText('query.lookback-delta').waitFor()
    await page.getByRole('region', { name: 'TSDB head' }).waitFor()
    await page.goto(`${server.url}/query?g0.expr=up&g0.tab=explain`)
    await page.getByText('This server does not explain queries.').waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('follows the chosen zone and theme, and keeps both', async () => {
    await page.goto(`${server.url}/query?g0.expr=up&g0.tab=table&g0.end_input=2026-01-01+12%3A00%3A00`)
    const hasValue = (text: string): Promise<unknown> =>
      page.waitForFunction(
        (wanted) => document.querySelector<HTMLInputElement>('[aria-label="Evaluation time"]')?.value === wanted,
        text,
      )
    await hasValue('2026-01-01 13:00:00')
    await page.getByLabel('Time zone').selectOption('utc')
    await hasValue('2026-01-01 12:00:00')
    await page.getByLabel('Theme').selectOption('dark')
    await page.reload()
    await hasValue('2026-01-01 12:00:00')
    const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor)
    assert.equal(ground, 'rgb(11, 14, 18)')
    assert.deepEqual(await watched.complaints(), [])
  })
})

const EVIL = '"><img src=x onerror="globalThis.pwned=1"><script>globalThis.pwned=1</script>{{7*7}}\u202e'
const FORMULA = '=HYPERLINK("http://evil")'
const START = Date.UTC(2026, 10, 22, 12) / 1000

/** Three operators in a row, cut above the second. */
function evilPlan(depth: number): unknown {
  return {
    operator: `op ${EVIL}`,
    expression: EVIL,
    isCut: depth === 1,
    isConstant: depth === 2,
    series: 5,
    samples: 5000,
    timeMs: depth === 0 ? 'soon' : 9 - depth,
    selfMs: 1,
    shards: depth === 0 ? [] : Array.from({ length: 11 }, () => ({ series: 2, samples: 9, timeMs: 3 })),
    inputs: depth < 2 ? [evilPlan(depth + 1)] : [],
  }
}

/** An API whose every text is hostile. One line runs 61 steps of 10 s with the middle third missing. */
async function hostile(path: string, params: URLSearchParams): Promise<{ status: number; body: unknown }> {
  const labels = { __name__: EVIL, [EVIL]: EVIL, formula: FORMULA, url: 'javascript:globalThis.pwned=1' }
  const ok = (data: unknown) => ({
    status: 200,
    body: { status: 'success', data, warnings: [`warn ${EVIL}`], infos: [`info ${EVIL}`] },
  })
  const query = params.get('query') ?? ''
  if (query === 'slow') await new Promise((done) => setTimeout(done, 120_000).unref())
  if (query === 'bad')
    return { status: 400, body: { status: 'error', errorType: EVIL, error: `1:2: parse error: ${EVIL}` } }
  switch (path) {
    case '/api/v1/query': {
      const { status, body } = ok({ resultType: 'vector', result: [{ metric: labels, value: [START, '1'] }] })
      return { status, body: params.has('explain') ? { ...body, explain: { threads: 2, plan: evilPlan(0) } } : body }
    }
    case '/api/v1/query_range': {
      const line = Array.from({ length: 61 }, (_, i) => i).filter((i) => i < 20 || i > 40)
      const values = line.map((i) => [START + i * 10, String(5 + Math.sin(i))])
      return ok({ resultType: 'matrix', result: [{ metric: labels, values }] })
    }
    case '/api/v1/targets': {
      const url = 'javascript:globalThis.pwned=1'
      const said = { scrapePool: EVIL, scrapeUrl: url, health: EVIL, lastError: EVIL, warning: EVIL }
      return ok({
        activeTargets: [{ labels, discoveredLabels: { [EVIL]: 'before' }, ...said }],
        droppedTargets: [{ discoveredLabels: labels, scrapePool: EVIL, droppedBy: EVIL }],
        droppedTargetCounts: { [EVIL]: 3 },
      })
    }
    case '/api/v1/alertmanagers':
      return ok({ builtIn: true })
    case '/api/v2/alerts': {
      const status = { state: EVIL, silencedBy: ['s'], inhibitedBy: [EVIL], mutedBy: [EVIL] }
      return { status: 200, body: [{ labels, fingerprint: EVIL, receivers: [{ name: EVIL }], status }] }
    }
    case '/api/v2/silences': {
      const matchers = [{ name: EVIL, value: EVIL, isRegex: false, isEqual: true }]
      const times = { startsAt: EVIL, endsAt: EVIL }
      const silence = { id: 's', status: { state: EVIL }, matchers, ...times, createdBy: EVIL, comment: EVIL }
      return { status: 200, body: [silence] }
    }
    case '/api/v1/status/tsdb':
      return ok({ headStats: {}, seriesCountByMetricName: [{ name: EVIL, value: 1 }] })
    case '/api/v1/status/tsdb/blocks': {
      const found = [{ block: EVIL, piece: EVIL, why: EVIL }]
      return ok({ blocks: [{ ulid: EVIL, minTime: 0, maxTime: 1e300 }], damaged: { blocks: 1, runs: 2, found } })
    }
    case '/api/v1/alerts':
      return ok({ alerts: [{ labels: { alertname: EVIL, ...labels }, annotations: { [EVIL]: EVIL }, state: EVIL }] })
    case '/api/v1/rules': {
      const rules = [{ name: EVIL, query: EVIL, type: 'alerting', state: EVIL, lastError: EVIL }]
      return ok({ groups: [{ name: EVIL, file: EVIL, rules }] })
    }
    case '/api/v1/agents': {
      const presence = { version: EVIL, address: EVIL, exporters: [EVIL] }
      return ok({
        agents: [{ agent: EVIL, site: EVIL, status: EVIL, publicKey: EVIL, ingest: null, presence }],
        local: [],
      })
    }
    case `/api/v1/agents/${encodeURIComponent(EVIL)}/gaps`: {
      const [fromMs, toMs] = [Date.now() - 3_600_000, Date.now() - 1_800_000]
      const gap = { target: EVIL, fromMs, toMs, intervalMs: 15_000, reason: 'overwritten' }
      return ok({ gaps: [gap, { ...gap, reason: EVIL }] })
    }
    case '/api/v1/label/__name__/values':
      return ok([`evil_${EVIL}`, 'evil_plain'])
    case '/api/v1/metadata':
      return ok({ evil_plain: [{ type: EVIL, help: EVIL, unit: EVIL }] })
    case '/api/v1/status/config':
      return ok({ yaml: EVIL })
    default:
      return ok({ [EVIL]: EVIL })
  }
}

describe('the page before a hostile server', { skip: NO_CHROMIUM }, () => {
  let browser: Browser
  let server: PageServer
  let watched: WatchedPage
  let page: Page

  const isUnharmed = async (): Promise<void> => {
    assert.equal(await page.evaluate(() => (globalThis as { pwned?: unknown }).pwned), undefined)
    assert.equal(await page.locator('main img, main script').count(), 0)
    assert.deepEqual(await watched.complaints(), [])
  }
  const ask = (expr: string, tab: string): Promise<unknown> =>
    page.goto(
      `${server.url}/query?${new URLSearchParams({
        'g0.expr': expr,
        'g0.tab': tab,
        'g0.range_input': '10m',
        'g0.end_input': '2026-11-22 12:10:00',
        'g0.res_type': 'fixed',
        'g0.res_step': '10',
      })}`,
    )

  before(async () => {
    ensureBuilt()
    server = await servePage({ answer: hostile })
    browser = await launch()
    watched = await openPage(browser, server.url)
    page = watched.page
  })
  after(async () => {
    await browser?.close()
    await server?.close()
  })

  test('shows names, labels, warnings and errors as text', async () => {
    await ask(EVIL, 'table')
    const cell = page.locator('td.series').first()
    await cell.waitFor()
    const text = (await cell.textContent()) ?? ''
    assert.ok(text.startsWith(EVIL), text)
    assert.equal(await page.locator('.message.warn .wrap').textContent(), `warn ${EVIL}`)
    await ask('bad', 'table')
    const failure = page.locator('.message.crit')
    await failure.waitFor()
    assert.ok(((await failure.textContent()) ?? '').includes(EVIL))
    await isUnharmed()
  })

  test('saves a CSV whose cells are data, not formulas', async () => {
    await ask('x', 'table')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'CSV' }).click(),
    ])
    const text = fs.readFileSync((await download.path())!, 'utf8')
    assert.ok(text.includes(`"'=HYPERLINK(""http://evil"")"`), text)
    assert.doesNotMatch(text, /(^|,|")[=@]/m)
    await isUnharmed()
  })

  test('draws a gap as a gap, and hovers safely', async () => {
    await ask('x', 'graph')
    await drawn(page)
    const columns = await linePixels(page)
    const filled = (from: number, to: number): number => {
      const part = columns.slice(Math.floor(columns.length * from), Math.floor(columns.length * to))
      return part.filter((count) => count > 0).length / part.length
    }
    assert.ok(filled(0.01, 0.31) > 0.95, `before the gap: ${filled(0.01, 0.31)}`)
    assert.equal(filled(0.325, 0.675), 0, 'nothing is drawn where nothing was sampled')
    assert.ok(filled(0.69, 0.99) > 0.95, `after the gap: ${filled(0.69, 0.99)}`)
    assert.match((await page.locator('figcaption').textContent()) ?? '', /21 steps missing inside lines/)
    const box = (await page.locator('.plot .u-over').boundingBox())!
    await page.mouse.move(box.x + box.width * 0.2, box.y + box.height / 2)
    await page.locator('.tooltip').waitFor()
    assert.ok(((await page.locator('.tooltip').textContent()) ?? '').includes(EVIL))
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height / 2)
    await page.getByText('no value').waitFor()
    await page.locator('.legend td.series button').hover()
    await isUnharmed()
  })

  test('completes hostile names as text', async () => {
    await page.goto(`${server.url}/query`)
    await page.locator('.cm-content').focus()
    await page.keyboard.type('evil_')
    const list = page.locator('.cm-tooltip-autocomplete')
    await list.waitFor()
    await page.waitForFunction(
      () => document.querySelector('.expression-input')?.shadowRoot?.textContent?.includes('onerror') ?? false,
    )
    await page.keyboard.press('ArrowDown')
    assert.equal(await page.locator('.cm-editor img, .cm-editor script').count(), 0)
    await isUnharmed()
  })

  for (const name of ['targets', 'alerts', 'agents', 'status'])
    test(`shows ${name} as text`, async () => {
      await page.goto(`${server.url}/${name}`)
      await page.getByText('onerror').filter({ visible: true }).first().waitFor()
      assert.equal(await page.locator('main a').count(), 0, 'no link to an address from outside')
      await isUnharmed()
    })

  test('shows a plan as text, with its cut and its limits named', async () => {
    await ask('x', 'explain')
    await page.locator('.plan-operator').nth(2).waitFor()
    assert.deepEqual(
      await page.locator('.plan-operator strong').evaluateAll((all) => all.map((each) => each.textContent)),
      [1, 2, 3].map((level) => `Level ${level}: op ${EVIL}`),
    )
    const cut = page.locator('tr.cut')
    assert.equal(await cut.count(), 1)
    assert.match((await cut.textContent()) ?? '', /11 workers.*1: 2 series in 3ms.*showing 8 of 11 workers/)
    await page.getByRole('button', { name: /^Fold/ }).nth(1).click()
    assert.equal(await page.locator('.plan-operator').count(), 2)
    assert.match((await page.locator('.named-facts').textContent()) ?? '', /split over 2 workers/)
    await isUnharmed()
  })

  test('shows gaps and silences of a hostile agent and alert as text', async () => {
    await page.goto(`${server.url}/agents`)
    await page.getByRole('button', { name: 'Gaps and their reasons' }).click()
    await page.getByText('overwritten in the ring').waitFor()
    assert.equal(await page.locator('.strip-lost').count(), 1)
    await page.goto(`${server.url}/targets`)
    await page.getByRole('button', { name: 'Labels before and after relabelling' }).click()
    await page.locator('.label-changed').waitFor()
    await page.getByText('showing 1 of 3').waitFor()
    await page.goto(`${server.url}/alerts`)
    await page.getByRole('button', { name: 'Silence…', exact: true }).click()
    await page.getByText('Matches 1 alert now').waitFor()
    assert.equal(await page.getByLabel('Value 2').inputValue(), EVIL.replace(/\n/g, ''))
    await isUnharmed()
  })

  test('cancels a running query and says so', async () => {
    await ask('slow', 'table')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('Canceled. Run asks again.').waitFor()
    await page.getByRole('button', { name: 'Run' }).waitFor()
    await isUnharmed()
  })

  test('says so when the other pages cannot be fetched, and the query page stays', async () => {
    await page.route(/assets\/pages/, (route) => route.abort())
    await page.goto(`${server.url}/targets`)
    await page.getByText('This page could not be fetched from the server.').waitFor()
    await page.getByRole('link', { name: 'Query' }).click()
    await page.getByRole('button', { name: 'Run' }).waitFor()
    await page.unroute(/assets\/pages/)
  })

  test('works without the editor chunk', async () => {
    await page.route(/assets\/editor/, (route) => route.abort())
    await page.goto(`${server.url}/query`)
    const area = page.locator('textarea')
    await area.fill('x')
    await area.press('Enter')
    await page.locator('td.series').first().waitFor()
    assert.equal(await page.locator('.cm-editor').count(), 0)
    assert.equal(new URL(page.url()).searchParams.get('g0.expr'), 'x')
    assert.equal(await page.evaluate(() => (globalThis as { pwned?: unknown }).pwned), undefined)
  })
})

function editorText(page: Page): Promise<string> {
  return page
    .locator('.cm-content')
    .first()
    .evaluate((node) => (node.querySelector('.cm-placeholder') ? '' : (node.textContent ?? '')))
}
