/** A real headless Chromium, and pages that keep a record of everything that must not happen. */
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'

export const CHROMIUM = '/usr/bin/chromium'
export const NO_CHROMIUM = existsSync(CHROMIUM) ? false : `no ${CHROMIUM} here`

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS })
}

export type WatchedPage = {
  readonly page: Page
  /** Policy violations, console errors, thrown errors, dialogs, requests to other origins. */
  complaints(): Promise<string[]>
  close(): Promise<void>
}

export async function openPage(browser: Browser, origin: string): Promise<WatchedPage> {
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    timezoneId: 'Europe/Berlin',
    locale: 'en-GB',
    acceptDownloads: true,
  })
  const page = await context.newPage()
  page.setDefaultTimeout(10_000)
  const seen: string[] = []
  page.on('console', (message) => {
    // The network's own report of a status that a test asked for says nothing about the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      seen.push(`console: ${message.text()}`)
  })
  page.on('pageerror', (error) => seen.push(`thrown: ${error.message}`))
  page.on('dialog', (dialog) => {
    seen.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    const url = new URL(request.url())
    if (url.protocol !== 'blob:' && url.origin !== new URL(origin).origin) seen.push(`off origin: ${request.url()}`)
  })
  await page.addInitScript(() => {
    const kept: string[] = []
    Object.assign(globalThis, { policyViolations: kept })
    document.addEventListener('securitypolicyviolation', (event) =>
      kept.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ''}`),
    )
  })
  return {
    page,
    complaints: async () => {
      const violations = await page.evaluate(
        () => (globalThis as unknown as { policyViolations: string[] }).policyViolations,
      )
      return [...seen, ...violations.map((text) => `policy: ${text}`)]
    },
    close: () => context.close(),
  }
}

/** How many pixels of each column of the first graph's canvas are of a line's colour, that is, neither grid nor text. */
export function linePixels(page: Page): Promise<number[]> {
  return page.evaluate(() => {
    const canvas = document.querySelector<HTMLCanvasElement>('.plot canvas')!
    const over = document.querySelector<HTMLElement>('.plot .u-over')!
    const ratio = canvas.width / canvas.clientWidth
    const [left, top] = [over.offsetLeft * ratio, over.offsetTop * ratio]
    const [width, height] = [Math.floor(over.clientWidth * ratio), Math.floor(over.clientHeight * ratio)]
    const { data } = canvas.getContext('2d')!.getImageData(left, top, width, height)
    const columns = new Array<number>(width).fill(0)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const at = (y * width + x) * 4
        const [r, g, b, alpha] = [data[at]!, data[at + 1]!, data[at + 2]!, data[at + 3]!]
        // Grid lines are greys; every colour of the palette has a hue or is darker than they are.
        const isGrey = Math.max(r, g, b) - Math.min(r, g, b) < 24 && Math.max(r, g, b) > 120
        if (alpha > 100 && !isGrey) columns[x]!++
      }
    return columns
  })
}

/** Waits until some line is on the canvas. */
export async function drawn(page: Page): Promise<void> {
  await page.locator('.plot canvas').first().waitFor()
  const deadline = Date.now() + 5000
  while ((await linePixels(page)).every((count) => count === 0)) {
    if (Date.now() > deadline) throw new Error('The canvas stays empty')
    await page.waitForTimeout(50)
  }
}
