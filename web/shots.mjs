// Screenshots beside those that are stored. What differs from run to run (ids, times, rates) is replaced by a constant before
// the picture is taken. Pictures of other fonts cannot be compared: that is said, and counts as skipped.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pixelmatch from 'pixelmatch'
import { PNG } from 'pngjs'

import { visit } from './browser.mjs'

const STORED = join(import.meta.dirname, 'shots')
const NEW = join(import.meta.dirname, '../target/web-shots')

/** Share of the pixels that may differ. */
const TOLERANCE = 0.01
const HEIGHT_MAX = 1100

export const LOOKS = {
  light: { viewport: { width: 1200, height: 800 }, colorScheme: 'light', deviceScaleFactor: 0.5 },
  dark: { viewport: { width: 1200, height: 800 }, colorScheme: 'dark', deviceScaleFactor: 0.5 },
  phone: { viewport: { width: 375, height: 800 }, colorScheme: 'light', deviceScaleFactor: 1, hasTouch: true, isMobile: true }
}

const update = Boolean(process.env.UPDATE_SHOTS)

/** Takes pictures of named pages in all looks; what differs. */
export async function compareAll (browser, pages, looks = Object.keys(LOOKS)) {
  mkdirSync(STORED, { recursive: true })
  mkdirSync(NEW, { recursive: true })
  const differences = []
  for (const look of looks) {
    const context = await browser.context(LOOKS[look])
    const page = await context.newPage()
    for (const [name, url] of Object.entries(pages)) {
      await visit(page, url)
      await page.evaluate(steady)
      const height = Math.min(HEIGHT_MAX, await page.evaluate(() => document.documentElement.scrollHeight))
      const clip = { x: 0, y: 0, width: LOOKS[look].viewport.width, height }
      const bytes = await page.screenshot({ clip, fullPage: true, animations: 'disabled', caret: 'hide' })
      const difference = await compare(`${name}-${look}.png`, bytes, page)
      if (difference) differences.push(difference)
    }
    await context.close()
  }
  return differences
}

async function compare (name, bytes, page) {
  writeFileSync(join(NEW, name), bytes)
  const path = join(STORED, name)
  if (update || !existsSync(path)) {
    if (!update) return `${name} is not stored; UPDATE_SHOTS=1 stores it`
    writeFileSync(path, bytes)
    writeFileSync(join(STORED, 'fonts.json'), `${JSON.stringify(await page.evaluate(fonts))}\n`)
    return null
  }
  const [one, other] = [PNG.sync.read(readFileSync(path)), PNG.sync.read(bytes)]
  if (one.width !== other.width || one.height !== other.height) {
    return `${name} is ${other.width} x ${other.height}, and ${one.width} x ${one.height} is stored`
  }
  const differing = pixelmatch(one.data, other.data, null, one.width, one.height, { threshold: 0.2 })
  const share = differing / (one.width * one.height)
  return share > TOLERANCE ? `${name} differs in ${(100 * share).toFixed(1)} % of its pixels; see ${join(NEW, name)}` : null
}

/** Whether this machine draws text as the one that took the stored pictures. */
export async function hasTheFonts (page) {
  const path = join(STORED, 'fonts.json')
  if (update || !existsSync(path)) return true
  return readFileSync(path, 'utf8').trim() === JSON.stringify(await page.evaluate(fonts))
}

function fonts () {
  const pen = document.createElement('canvas').getContext('2d')
  return ['16px system-ui', '14px ui-monospace', '14px Menlo, Consolas, monospace', '16px sans-serif'].map(font => {
    pen.font = font
    return pen.measureText('The quick brown fox, 0123456789').width
  })
}

/** Replaces what differs from run to run; runs in the page. */
function steady () {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walk.nextNode()) {
    const node = walk.currentNode
    const parent = node.parentElement
    if (parent.closest('time')) node.textContent = '1 Jan 2026, 00:00 UTC'
    else if (parent.closest('.id')) node.textContent = 'AbCdEfGh'
    else {
      node.textContent = node.textContent
        .replace(/[\w-]{43,64}/g, id => 'AbCdEfGh'.repeat(8).slice(0, id.length))
        .replace(/\d+ messages behind/, 'up to date')
        .replace(/\b\d{4}-\d\d-\d\d\b/g, '2026-01-01')
        .replace(/at work|resting after failures/, 'ready')
        .replace(/\b(\d+ days?|\d+ h \d+ min|\d+ minutes?)( \d+ h)? (left|ago)/g, '1 day $3')
    }
  }
  for (const cell of document.querySelectorAll('[data-varies], [aria-label=Workers] .number, [aria-label=Processes] .number')) {
    if (cell.tagName === 'TD') cell.textContent = '1'
  }
  for (const code of document.querySelectorAll('td code')) code.textContent = 'AbCdEfGh'.repeat(5)
}
