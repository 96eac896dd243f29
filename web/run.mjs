// Drives Chromium through the pages of a node: `npm ci && cargo build -p aobench && node run.mjs`.
// Environment: AOBENCH, the binary (../target/debug/aobench); CHROMIUM, the browser (/usr/bin/chromium); UPDATE_SHOTS=1 stores
// the screenshots anew; VERBOSE=1 shows what the node logs.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

import { embeddingModel } from '../compat/node.mjs'
import { openBrowser, visit } from './browser.mjs'
import { withinBudget } from './budget.mjs'
import { documentsContest } from './documents.mjs'
import { HOSTILE, HOSTILE_SHOWN, LONG, questions } from './hostile.mjs'
import { WORKERS, startNode } from './node.mjs'
import { compareAll, hasTheFonts } from './shots.mjs'
import { walkWithWallet } from './wallet-walk.mjs'
import { asDescribed } from './openapi.mjs'
import { contest, enter, payout, sameNumbers } from './walk.mjs'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const faults = []
const began = Date.now()

async function step (name, work) {
  const started = Date.now()
  try {
    return await work()
  } catch (error) {
    faults.push(`${name}: ${error.message}`)
    if (process.env.VERBOSE) console.error(error)
  } finally {
    console.log(`${name}: ${((Date.now() - started) / 1000).toFixed(1)} s`)
  }
}

/** Serious faults that axe-core finds. */
async function accessible (browser, pages, options) {
  const context = await browser.context(options)
  const page = await context.newPage()
  for (const [name, url] of Object.entries(pages)) {
    await visit(page, url)
    // Evaluated from outside, so that the policy of the page stands as it is.
    await page.evaluate(axe)
    const { violations } = await page.evaluate(() => window.axe.run({ resultTypes: ['violations'] }))
    for (const { id, impact, help, nodes } of violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))) {
      faults.push(`${name}: ${impact} ${id}: ${help}; ${nodes.slice(0, 2).map(node => node.html.slice(0, 160)).join(' ')}`)
    }
  }
  await context.close()
}

/** Hostile text runs nothing and stays inside the page; on the pages with these names it is there, as text. */
async function harmless (browser, pages, shown = []) {
  for (const viewport of [{ width: 1200, height: 800 }, { width: 375, height: 800 }]) {
    const context = await browser.context({ viewport })
    const page = await context.newPage()
    for (const [name, url] of Object.entries(pages)) {
      await visit(page, url)
      for (const details of await page.locator('details').all()) await details.evaluate(one => { one.open = true })
      const found = await page.evaluate(() => ({
        hacked: window.hacked,
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
        scripts: document.querySelectorAll('main script, main img, [onload], [onerror], [onmouseover]').length,
        text: document.body.textContent
      }))
      assert.equal(found.hacked, undefined, `${name}: hostile text ran`)
      assert.equal(found.scripts, 0, `${name}: hostile text became an element`)
      assert.ok(found.wide <= 0, `${name} is ${found.wide} pixels too wide at ${viewport.width}`)
      if (shown.includes(name)) assert.ok(found.text.includes(HOSTILE_SHOWN), `${name} does not show what was written`)
      assert.doesNotMatch(found.text, /[\u202a-\u202e\u2066-\u2069\u0000]/, `${name} turns text around`)
    }
    await context.close()
  }
}

/** A page without script says the same. */
async function scriptless (browser, node, pool) {
  const context = await browser.context({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(`${node.url}${pool}`)
  await page.getByRole('row', { name: /Social 2.*55\.9 %/ }).waitFor()
  await page.goto(`${node.url}${pool}/join`)
  await page.locator('noscript p').waitFor()
  await context.close()
}

/** A keyboard alone reaches the leaderboard's entries. */
async function keyboard (browser, node, pool) {
  const context = await browser.context()
  const page = await context.newPage()
  await visit(page, `${node.url}${pool}`)
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip')
  for (let pressed = 0; pressed < 40; pressed++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(() => document.activeElement.closest('#board tbody') !== null)) return context.close()
  }
  throw new Error('no entry was reached with forty presses of Tab')
}

/** What programs get. */
async function machines (node, pages, pool, entry) {
  const get = path => fetch(`${node.url}${path}`)
  for (const [name, url] of Object.entries(pages).filter(([name]) => !/join|fund/.test(name))) {
    const answer = await fetch(url, { headers: { accept: 'application/json' } })
    assert.match(answer.headers.get('content-type'), /json/, `${name} has JSON at its path`)
    assert.equal(typeof await answer.json(), 'object')
  }
  const { pool: { entries } } = await (await get(`${pool}.json`)).json()
  assert.equal((await (await get(`${pool}.csv`)).text()).trim().split('\r\n').length, entries + 1, 'all entries and a header')
  assert.ok((await (await get(`${entry}.csv`)).text()).split('\r\n').length > 558)
  for (const path of [`${pool}.svg`, `${pool}/badge.svg`]) {
    assert.equal((await get(path)).headers.get('content-type'), 'image/svg+xml', path)
  }
  const card = new Uint8Array(await (await get(`${pool}/card.png`)).arrayBuffer())
  assert.deepEqual([...card.subarray(1, 4)], [...'PNG'].map(letter => letter.charCodeAt(0)))
  assert.match(await (await get('/feed.rss')).text(), /<title>New pool: Winter round<\/title>/)
  const { paths } = await (await get('/openapi.json')).json()
  for (const path of ['/pool/{pool}.json', '/pool/{pool}/entry/{model}.json', '/documents/{hash}.json', '/documents.json', '/judge.json']) {
    assert.ok(path in paths, `${path} is described`)
  }
}

async function hostilePool (browser, node) {
  const file = join(node.folder, 'hostile.jsonl')
  writeFileSync(file, questions(12))
  const title = HOSTILE.slice(0, 200)
  const made = await node.run('-w', node.wallet('funder'), 'dataset', 'create', file, '--title', title, '--license', '<b>MIT</b>')
  const dataset = made.dataset ?? made.id ?? made.process
  const { id } = await node.run('-w', node.wallet('funder'), 'pool', 'create', '--dataset', dataset, '--amount', '5', '--title',
    HOSTILE.slice(0, 60), '--tag', `X-Note=${HOSTILE}${LONG.slice(0, 2000)}`)
  return { dataset, pool: `/pool/${id}` }
}

/** Pages on which a pool of documents leaves a trace: without an embedding model there is none, and they look different. */
const WITH_DOCUMENTS = ['home', 'explorer', 'process', 'workers']

/** Waits until every worker is known to the herder, and has nothing to do. */
async function idle (node) {
  for (let round = 0; round < 100; round++) {
    const { about, workers } = await fetch(`${node.url}/workers.json`).then(answer => answer.json())
    const busy = about.prompts_in_flight + about.prompts_waiting
    if (busy === 0 && workers.length === WORKERS && workers.every(worker => worker.active)) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error('the workers did not come to rest within 10 s')
}

const embedding = embeddingModel('pages of documents, and pictures of pages that name them')
const node = await startNode(embedding)
const browser = await openBrowser(node.url)
try {
  const empty = { 'empty-home': `${node.url}/`, fund: `${node.url}/fund` }
  const comparable = await step('empty pages', async () => {
    const context = await browser.context()
    const page = await context.newPage()
    await visit(page, `${node.url}/`)
    const comparable = await hasTheFonts(page)
    await context.close()
    if (comparable) faults.push(...await compareAll(browser, empty))
    else console.log('SKIPPED: screenshots, because this machine has other fonts than the one that took those stored')
    return comparable
  })
  await step('accessibility of empty pages', () => accessible(browser, empty))
  const { context, pool, first, watching } = await step('fund, join, watch', () => contest(browser, node)) ?? {}
  if (!pool) throw new Error(faults.join('\n'))
  const data = await fetch(`${node.url}${pool}.json`).then(answer => answer.json())
  const leader = data.leaderboard[0]
  const pages = {
    home: `${node.url}/`,
    pool: `${node.url}${pool}`,
    entry: `${node.url}${first}`,
    dataset: `${node.url}/dataset/${data.pool.dataset}`,
    model: `${node.url}/model/${leader.model}`,
    address: `${node.url}/address/${leader.participant}`,
    workers: `${node.url}/workers`,
    explorer: `${node.url}/explorer`,
    process: `${node.url}/explorer/${node.genesis.benchmark}`,
    message: `${node.url}/explorer/${node.genesis.benchmark}/1`,
    join: `${node.url}${pool}/join`
  }
  await step('the same numbers', async () => sameNumbers(await context.newPage(), node, pool))
  await step('without script', () => scriptless(browser, node, pool))
  await step('with the keyboard', () => keyboard(browser, node, pool))
  let wallets, documents
  await step('hostile text', async () => {
    const hostile = await hostilePool(browser, node)
    const page = await context.newPage()
    const entry = await enter(page, node, hostile.pool, 'trainer-1', join(import.meta.dirname, '../demo/models/social-1.gguf'))
    wallets = hostile.pool
    const written = { ...pages, pool2: `${node.url}${hostile.pool}`, dataset2: `${node.url}/dataset/${hostile.dataset}`,
      entry2: `${node.url}${entry}`, process2: `${node.url}/explorer/${hostile.dataset}`,
      message2: `${node.url}/explorer/${hostile.dataset}/0`, message3: `${node.url}/explorer/${hostile.dataset}/1`,
      search: `${node.url}/pools?search=${encodeURIComponent(HOSTILE)}`, feed: `${node.url}/` }
    await harmless(browser, written, ['pool2', 'dataset2', 'entry2', 'process2', 'message2', 'message3', 'search', 'feed', 'pool', 'entry', 'model'])
  })
  await step('a wallet of the browser', () =>
    walkWithWallet(browser, node, { pool: wallets, file: join(import.meta.dirname, '../demo/models/social-4.gguf') }))
  if (embedding) {
    await step('documents', async () => {
      documents = await documentsContest(node, await context.newPage())
      Object.assign(pages, {
        'documents-pool': `${node.url}${documents.pool}`, judged: `${node.url}${documents.entry}`, documents: `${node.url}${documents.set}`,
        sets: `${node.url}/documents`, retrieval: `${node.url}/dataset/${documents.dataset}`, 'documents-join': `${node.url}${documents.pool}/join`,
        judge: `${node.url}/judge`
      })
      await sameNumbers(await context.newPage(), node, documents.pool)
      await harmless(browser, pages)
    })
  }
  await step('budget', async () => {
    const { home, pool, entry, dataset, judged, documents } = pages
    const costs = await withinBudget(browser, { home, pool, entry, dataset, ...(judged ? { judged, documents } : {}) })
    if (process.env.VERBOSE) console.table(costs)
  })
  // Before the clock is warped: after it, which workers the herder still knows depends on when they gave a sign of life.
  const { workers, ...later } = pages
  if (comparable) {
    await step('screenshots of workers', async () => {
      await idle(node)
      if (embedding) faults.push(...await compareAll(browser, { workers }))
    })
  }
  await step('payout', () => payout(node, watching, pool))
  await step('machine faces', () => machines(node, pages, pool, first))
  await step('JSON as it is described', async () => {
    const of = (pool, entry) => ({ pool: pool.split('/').pop(), model: entry.split('/').pop() })
    const first = {
      ...of(pool, pages.entry.slice(node.url.length)), dataset: data.pool.dataset, address: leader.participant, process: node.genesis.benchmark, slot: 1
    }
    const others = documents ? [{ ...of(documents.pool, documents.entry), dataset: documents.dataset, hash: documents.sets[0] }] : []
    for (const fault of await asDescribed(node, [first, ...others])) faults.push(fault)
  })
  await step('accessibility, light', () => accessible(browser, pages))
  await step('accessibility, dark', () => accessible(browser, { pool: pages.pool, home: pages.home, entry: pages.entry }, { colorScheme: 'dark' }))
  if (comparable) {
    if (!embedding) for (const name of WITH_DOCUMENTS) delete later[name]
    await step('screenshots', async () => faults.push(...await compareAll(browser, later)))
  }
  if (documents) {
    await step('questions are shown', async () => {
      await node.warp('5d')
      await node.run('-w', node.wallet('funder'), 'send', documents.dataset, '-a', 'Show-Questions')
      const shown = { 'judged-shown': pages.judged }
      const page = await context.newPage()
      await visit(page, pages.judged)
      await page.getByText('Yeast makes gas in the dough.').waitFor({ state: 'attached' })
      await harmless(browser, shown, ['judged-shown'])
      await accessible(browser, shown)
      if (comparable) faults.push(...await compareAll(browser, shown))
    })
  }
} catch (error) {
  faults.push(error.message)
} finally {
  await browser.close()
  await node.stop()
}
faults.push(...browser.faults)
for (const fault of new Set(faults)) console.error(`FAULT ${fault}`)
console.log(`\n${faults.length === 0 ? 'no fault' : `${faults.length} faults`} in ${((Date.now() - began) / 1000).toFixed(0)} s`)
process.exit(faults.length === 0 ? 0 : 1)
