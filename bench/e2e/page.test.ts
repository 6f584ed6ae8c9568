/** The hub's page in a real browser: an expression typed, answered as table and as graph, under its strict policy. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { chromium, type Page } from 'playwright-core'
import { lacksCommand, queryValue, ROOT, until, withWorld } from './world.ts'

const CHROMIUM = '/usr/bin/chromium'
const DIST = path.join(ROOT, 'hub/ui/dist/index.html')
const skip = lacksCommand(CHROMIUM) || (!fs.existsSync(DIST) && 'hub/ui/dist is not built (npm start builds it)')
const EXPRESSION = 'nodejs_eventloop_utilization or process_resident_memory_bytes'

/** What a page must not do, whoever notices it. */
function watch(page: Page): { readonly problems: string[] } {
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(`exception: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error' || /content security policy/i.test(message.text())) problems.push(message.text())
  })
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText ?? ''
    // Whoever leaves a page stops what it was loading.
    if (why !== 'net::ERR_ABORTED') problems.push(`failed: ${request.url()} ${why}`)
  })
  page.on('response', (response) => {
    if (response.status() >= 400) problems.push(`${response.status()}: ${response.url()}`)
  })
  return { problems }
}

/** In the browser's language: this file is checked without its types. Pixels that were drawn on, over all canvases. */
const COUNT_INK = `[...document.querySelectorAll('canvas')]
  .filter(({ width, height }) => width > 0 && height > 0)
  .map((canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)
  .reduce((ink, data) => { for (let i = 3; i < data.length; i += 4) if (data[i] !== 0) ink++; return ink }, 0)`
const REPORT_VIOLATIONS = `addEventListener('securitypolicyviolation', (event) =>
  console.error('policy violated: ' + event.violatedDirective + ' ' + event.blockedURI))`

const inkOf = (page: Page): Promise<number> => page.evaluate(COUNT_INK)

test('an expression is answered in Chromium as table and as graph, without a violation of the policy', { skip }, () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    await world.startAgent({ hub })
    await until('some samples', async () => (await queryValue(hub, 'count_over_time(up{job="nodejs"}[1m])'))! >= 3)
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu'],
      env: world.env() as Record<string, string>,
    })
    world.onClose(() => browser.close())
    const page = await browser.newPage()
    const { problems } = watch(page)
    await page.addInitScript({ content: REPORT_VIOLATIONS })
    const response = await page.goto(`${hub.url}/`)
    const policy = response!.headers()['content-security-policy'] ?? ''
    assert.match(policy, /default-src 'none'/)
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval/)

    // The editor comes in a chunk of its own; until then a plain field stands in its place.
    const field = page.locator('.cm-content')
    await field.waitFor({ timeout: 300_000 })
    await field.click()
    await page.keyboard.type(EXPRESSION)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Enter')
    const cells = page.locator('table').first()
    await cells.getByText('process_resident_memory_bytes').first().waitFor({ timeout: 300_000 })
    await until('the expression is in the URL', () => new URL(page.url()).searchParams.get('g0.expr') === EXPRESSION)

    await page.getByRole('tab', { name: /graph/i }).click()
    await page.locator('canvas').first().waitFor({ timeout: 300_000 })
    await until('the graph is drawn', async () => (await inkOf(page)) > 500)

    // A bookmark of a graph, as alerts have them.
    const bookmark = new URLSearchParams({
      'g0.expr': 'process_resident_memory_bytes',
      'g0.tab': '0',
      'g0.range_input': '5m',
    })
    await page.goto(`${hub.url}/graph?${bookmark}`)
    await until('the bookmarked graph is drawn', async () => (await inkOf(page)) > 500)
    assert.deepEqual(problems, [])

    // The server's word on a bad expression reaches the reader.
    await page.goto(`${hub.url}/query?${new URLSearchParams({ 'g0.expr': 'sum(', 'g0.tab': 'table' })}`)
    await page
      .getByRole('alert')
      .getByText(/parse error|unclosed|unexpected/)
      .first()
      .waitFor({ timeout: 300_000 })
    assert.deepEqual(
      problems.filter((problem) => !/\b400\b/.test(problem)),
      [],
    )
  }),
)

test('every page of the menu opens without an error', { skip }, () =>
  withWorld(async (world) => {
    const hub = await world.startHub()
    await world.startAgent({ hub })
    const browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu'],
      env: world.env() as Record<string, string>,
    })
    world.onClose(() => browser.close())
    const page = await browser.newPage()
    const { problems } = watch(page)
    await page.goto(`${hub.url}/`)
    const links = await page.getByRole('navigation').getByRole('link').all()
    const targets = await Promise.all(links.map((link) => link.getAttribute('href')))
    assert.ok(targets.length >= 4, `links: ${targets}`)
    for (const target of targets) {
      await page.goto(new URL(target!, `${hub.url}/`).href)
      await page.locator('main').waitFor()
      await page.waitForLoadState('networkidle')
    }
    assert.deepEqual(problems, [])
  }),
)
