/** The page in a real browser, served by a real hub: what only a hub tells. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { drawn, launch, NO_CHROMIUM, openPage, type WatchedPage } from './testing/browser.ts'
import { ensureBuilt } from './testing/build.ts'
import { type RunningHub, startHub } from './testing/hub.ts'

describe('the page of a real hub', { skip: NO_CHROMIUM }, () => {
  let browser: Browser
  let hub: RunningHub
  let watched: WatchedPage
  let page: Page

  before(async () => {
    ensureBuilt()
    hub = await startHub()
    browser = await launch()
    watched = await openPage(browser, hub.url)
    page = watched.page
    page.setDefaultTimeout(60_000)
  })
  after(async () => {
    await browser?.close()
    await hub?.stop()
  })

  const operators = (): Promise<string[]> =>
    page.locator('.plan-operator').evaluateAll((all) =>
      all.map((each) => {
        const name = (each.querySelector('strong')?.textContent ?? '').replace(': ', ' ')
        return `${name} | ${each.querySelector('.plan-expression')?.textContent}`
      }),
    )

  test('explains an instant query, then the range query, and keeps that in the URL', async () => {
    const expr = 'sum by (job) (up) / 2'
    await page.goto(`${hub.url}/query?${new URLSearchParams({ 'g0.expr': expr, 'g0.tab': 'table' })}`)
    await page.getByRole('tab', { name: 'Explain' }).click()
    await page.locator('.plan-operator').first().waitFor()
    const tree = [
      'Level 1 binary / | sum by (job) (up) / 2',
      'Level 2 aggregate sum | sum by (job) (up)',
      'Level 3 vector-selector | up',
      'Level 2 number | 2',
    ]
    assert.deepEqual(await operators(), tree)
    const cells = page.locator('.plan tbody tr').nth(2).locator('td')
    assert.equal(await cells.nth(1).textContent(), '3', 'series read by the selector')
    assert.match((await cells.nth(3).textContent()) ?? '', /^[\d.]+(µs|ms|s)$/)
    assert.match(
      (await page.locator('.named-facts').textContent()) ?? '',
      /ran(in place|in 1 worker|split).*steps1result3/,
    )

    await page.getByRole('combobox', { name: 'Explain' }).selectOption('range')
    await page.waitForURL(/g0.explains=range/)
    await page.getByRole('textbox', { name: 'Range' }).fill('1m')
    await page.keyboard.press('Enter')
    await page.waitForFunction(() =>
      /steps251 of 240ms/.test(document.querySelector('.named-facts')?.textContent ?? ''),
    )
    await page.reload()
    await page.locator('.plan-operator').first().waitFor()
    assert.deepEqual(await operators(), tree)
    assert.equal(await page.getByRole('combobox', { name: 'Explain' }).inputValue(), 'range')

    await page.getByRole('button', { name: 'Fold aggregate sum' }).click()
    assert.deepEqual(await operators(), [tree[0], tree[1], tree[3]])
    await page.locator('.plan-expression', { hasText: /^sum by \(job\) \(up\)$/ }).click()
    await page.waitForURL((url) => url.searchParams.get('g0.expr') === 'sum by (job) (up)')
    await page.locator('table.rows td.series').nth(2).waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('draws a graph from columns, and says an error that comes instead of them', async () => {
    const answered = page.waitForResponse((response) => response.url().endsWith('/api/v1/query_range'))
    await page.goto(`${hub.url}/query?g0.expr=up&g0.tab=graph&g0.range_input=10s&g0.res_type=fixed&g0.res_step=1`)
    assert.equal((await answered).headers()['content-type'], 'application/vnd.apache.arrow.stream')
    await drawn(page)
    assert.match(
      (await page.locator('figcaption').textContent()) ?? '',
      /^Graph of 3 series, .*nobody"}: last 0, lowest 0, highest 0/,
    )
    await page.goto(`${hub.url}/query?${new URLSearchParams({ 'g0.expr': 'sum(up', 'g0.tab': 'graph' })}`)
    await page.getByRole('alert').getByText('unclosed left parenthesis').waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('shows targets with their labels before relabelling, and the rule that dropped others', async () => {
    await page.goto(`${hub.url}/targets`)
    const active = page.getByRole('region', { name: 'Active targets' })
    await active.getByText('choosy', { exact: true }).waitFor()
    assert.equal(await active.locator('tbody tr').count(), 3)
    await page.getByLabel('Pool').selectOption('choosy')
    await page.waitForURL(/pool=choosy/)
    await active.getByText('showing 1 of 3').waitFor()
    await active.getByRole('button', { name: 'Labels before and after relabelling' }).click()
    const added = await page.locator('.label-added').evaluateAll((all) => all.map((each) => each.textContent))
    assert.ok(added.includes('place–inner+ added'), added.join())
    const dropped = page.getByRole('region', { name: 'Targets dropped by relabelling' })
    assert.equal(await dropped.locator('tbody tr').count(), 2)
    assert.match((await dropped.textContent()) ?? '', /relabel_configs\[1\].*outer/)

    await page.getByLabel('Pool').selectOption('')
    await page.getByLabel('Health').selectOption('down')
    await page.waitForURL((url) => url.search === '?health=down')
    await page.reload()
    await active.getByText('connection refused').waitFor()
    assert.equal(await active.locator('tbody tr').count(), 1)
    await page.getByLabel('Health').selectOption('')
    await page.getByLabel('Search').fill('env="test"')
    await page.waitForURL(/search=env/)
    await active.getByText('showing 1 of 3').waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('shows what the head holds and opens the series of a metric', async () => {
    await page.goto(`${hub.url}/status`)
    const head = page.getByRole('region', { name: 'TSDB head' })
    await head.locator('dd').first().waitFor()
    assert.match((await head.textContent()) ?? '', /series[\d,]{3,}label pairs[\d,]+/)
    const pairs = page.getByRole('region', { name: 'Series by label pair' })
    await pairs.getByText('job=choosy').waitFor()
    await pairs.getByText('the 10 largest; there may be more').waitFor()
    await page.getByRole('region', { name: 'Blocks' }).getByText('the head holds everything').waitFor()
    const metric = page.getByRole('region', { name: 'Series by metric name' }).locator('tbody button').first()
    const name = await metric.textContent()
    await metric.click()
    await page.waitForURL((url) => url.searchParams.get('g0.expr') === `{__name__="${name}"}`)
    await page.locator('table.rows td.series').first().waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('shows how far its own agent is accounted for, and its gaps', async () => {
    await page.goto(`${hub.url}/agents`)
    await page.getByRole('button', { name: 'Gaps and their reasons' }).click()
    const gaps = page.getByRole('region', { name: 'Gaps of hub' })
    await gaps.locator('.strip').waitFor()
    await gaps.getByLabel('Time of the gaps').selectOption('last hour')
    await gaps
      .getByText(/No gap is known|gaps? (missed|late|lost)/)
      .first()
      .waitFor()
    assert.deepEqual(await watched.complaints(), [])
  })

  test('silences an alert by a form, says what mutes it, and expires the silence', async () => {
    await page.goto(`${hub.url}/alerts`)
    const alerts = page.getByRole('region', { name: 'Alerts at the Alertmanager' })
    const firing = alerts.locator('tr', { has: page.getByText('AlwaysFiring', { exact: true }) })
    await firing.getByRole('button', { name: 'Silence…' }).click()
    await page.getByText('Matches 1 alert now').waitFor()
    await page.getByRole('button', { name: 'Remove matcher 3' }).click()
    await page.getByLabel('Operator 2').selectOption('=~')
    await page.getByLabel('Value 2').fill('pa.*')
    await page.getByText('Matches 1 alert now').waitFor()
    await page.getByLabel('Created by').fill('tester')
    const create = page.getByRole('button', { name: 'Create silence' })
    assert.equal(await create.isDisabled(), true)
    await page.getByLabel('Comment').fill('planned work')
    await create.click()
    await firing.getByText('silence of tester: planned work').waitFor()
    const silences = page.getByRole('region', { name: 'Silences' })
    const row = silences.locator('tbody tr').first()
    assert.match((await row.textContent()) ?? '', /active.*severity=~"pa\.\*"1 alertin .*tester.*planned work/)

    await row.getByRole('button', { name: 'Expire' }).click()
    await silences.getByText('showing 0 of 1').waitFor()
    await firing.getByText('active').waitFor()
    await silences.getByLabel('Expired ones').check()
    await silences.getByRole('button', { name: 'Recreate…' }).click()
    assert.equal(await page.getByLabel('Comment').inputValue(), 'planned work')
    assert.deepEqual(await watched.complaints(), [])
  })
})
