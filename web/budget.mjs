// What a page may cost whoever opens it for the first time, counted and not timed: bytes, requests, elements; and that it is
// there before, and without, any script.

import assert from 'node:assert/strict'

/** Of one page: bytes of its HTML, bytes of all that it loads, how many requests that takes, and elements. */
const BUDGET = { htmlBytes: 100_000, allBytes: 125_000, requests: 6, elements: 2_500 }

/** How far a page may move for a reader in another zone, whose times are written anew with other letters: a tenth of what is
 * called good. */
const SHIFT_ELSEWHERE = 0.01

/** How long a page may still move after it was loaded. */
const SETTLES_MS = 300

/** How often a page without script is asked whether it is painted, every 50 ms. */
const PAINT_ATTEMPTS = 100

/** Holds pages to the budget; what each of them costs. */
export async function withinBudget (browser, pages) {
  const costs = {}
  for (const [name, url] of Object.entries(pages)) {
    costs[name] = await cost(browser, url)
    for (const [what, most] of Object.entries(BUDGET)) {
      assert.ok(costs[name][what] <= most, `${name}: ${what} is ${costs[name][what]}, and ${most} is the budget`)
    }
    assert.equal(costs[name].shift, 0, `${name} moves while it is made`)
    const { shift } = await cost(browser, url, { locale: 'en-US', timezoneId: 'America/New_York' })
    assert.ok(shift <= SHIFT_ELSEWHERE, `${name} moves by ${shift} for a reader in New York`)
    assert.deepEqual(costs[name].blocking, [], `${name} waits for scripts before it is drawn`)
    await drawnWithoutScript(browser, name, url)
  }
  return costs
}

/** Opens a page with nothing kept from before. */
async function cost (browser, url, reader = {}) {
  const context = await browser.context({ ...reader, viewport: { width: 1200, height: 800 } })
  const page = await context.newPage()
  const bodies = []
  page.on('response', response => {
    const kind = response.headers()['content-type'] ?? ''
    // A stream of events has no end.
    bodies.push(kind.startsWith('text/event-stream') ? Promise.resolve(0) : response.body().then(body => body.length))
  })
  await page.goto(url, { waitUntil: 'load' })
  await page.waitForTimeout(SETTLES_MS)
  const found = await page.evaluate(() => ({
    shift: window.shifts.reduce((sum, shift) => sum + shift, 0),
    elements: document.querySelectorAll('*').length,
    blocking: performance.getEntriesByType('resource')
      .filter(entry => entry.initiatorType === 'script' && entry.renderBlockingStatus === 'blocking')
      .map(entry => entry.name)
      .concat([...document.querySelectorAll('script')]
        .filter(script => !script.src || !(script.type === 'module' || script.defer || script.async))
        .map(script => script.outerHTML))
  }))
  const sizes = await Promise.all(bodies)
  await context.close()
  return { htmlBytes: sizes[0], allBytes: sizes.reduce((sum, one) => sum + one, 0), requests: sizes.length, ...found }
}

/** The first paint with content comes without any script. */
async function drawnWithoutScript (browser, name, url) {
  const context = await browser.context({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(url, { waitUntil: 'load' })
  await page.locator('h1').waitFor()
  // Asked from outside: nothing that waits inside of a page without script is ever woken.
  const painted = () => page.evaluate(() => performance.getEntriesByName('first-contentful-paint').length === 1)
  for (let attempt = 0; attempt < PAINT_ATTEMPTS && !await painted(); attempt++) await page.waitForTimeout(50)
  assert.ok(await painted(), `${name} is not drawn without script`)
  await context.close()
}
