// A real browser that reports everything a reader must not meet: errors in the console, requests to elsewhere, pages that
// jump, pages without a policy. TEMPLATES=../crates/node/templates takes the style sheet and the scripts from there, so that a
// change to them can be tried without a build.

import { resolve } from 'node:path'

import { chromium } from 'playwright-core'

export const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

const POLICY = "default-src 'self'"
const PAGE_BYTES_MAX = 100_000
const LAYOUT_SHIFT_MAX = 0.05

/** A browser whose pages watch themselves. `faults` collects what was wrong. */
export async function openBrowser (origin) {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--force-color-profile=srgb'] })
  const faults = []
  const context = async (options = {}) => {
    const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce', ...options })
    context.setDefaultTimeout(60_000)
    await context.addInitScript(() => {
      window.shifts = []
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value)
      }).observe({ type: 'layout-shift', buffered: true })
    })
    if (process.env.TEMPLATES) {
      const local = url => resolve(process.env.TEMPLATES, `.${url.pathname}`)
      await context.route(/\/style\.css$|\/script\//, route => route.fulfill({ path: local(new URL(route.request().url())) }))
    }
    context.on('page', page => watch(page, origin, faults))
    return context
  }
  return { context, faults, close: () => browser.close() }
}

function watch (page, origin, faults) {
  const fault = text => faults.push(`${new URL(page.url(), origin).pathname}: ${text}`)
  page.on('console', message => {
    if (['error', 'warning'].includes(message.type())) fault(`console ${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', error => fault(`script error: ${error.message}`))
  page.on('request', request => {
    const url = new URL(request.url())
    if (url.origin !== origin && !['data:', 'blob:'].includes(url.protocol)) fault(`a request to ${url.origin}`)
  })
  page.on('response', async response => {
    const headers = response.headers()
    if (!headers['content-type']?.startsWith('text/html')) return
    const policy = headers['content-security-policy'] ?? ''
    if (!policy.startsWith(POLICY) || policy.includes('unsafe')) fault(`the policy is '${policy}'`)
    const body = await response.body().catch(() => null)
    if (body && body.length > PAGE_BYTES_MAX) fault(`the page has ${body.length} bytes`)
  })
}

/** Opens a page and fails if it is not there; then how far it jumped while it was made. */
export async function visit (page, url) {
  const answer = await page.goto(url, { waitUntil: 'load' })
  if (answer.status() !== 200) throw new Error(`${url} answered ${answer.status()}`)
  const moved = await page.evaluate(() => (window.shifts ?? []).reduce((sum, shift) => sum + shift, 0))
  if (moved > LAYOUT_SHIFT_MAX) throw new Error(`${url} moved by ${moved.toFixed(3)} while it was made`)
}
