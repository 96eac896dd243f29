// What people do on the pages: fund, join, watch the score arrive, see the payout.

import assert from 'node:assert/strict'
import { join, resolve } from 'node:path'

import { visit } from './browser.mjs'
import { rename } from './hostile.mjs'

const model = number => resolve(import.meta.dirname, `../demo/models/social-${number}.gguf`)

async function useKey (page, node, wallet) {
  await page.getByLabel(/Key file/).fill(node.key(wallet))
  await page.getByRole('button', { name: 'Use this key' }).click()
  await page.getByText('Signing as').waitFor()
}

/** Funds a pool from the page; its path. */
export async function fund (page, node, { title, amount, dataset }) {
  await visit(page, `${node.url}/fund`)
  await useKey(page, node, 'funder')
  await page.getByLabel('Amount').fill(amount)
  await page.getByLabel('Title').fill(title)
  if (dataset) await page.getByLabel('Dataset').selectOption(dataset)
  await page.getByRole('button', { name: 'Fund' }).click()
  const link = page.getByRole('link', { name: 'To the pool' })
  await Promise.race([link.waitFor(), refused(page)])
  return link.getAttribute('href')
}

/** Uploads a model and joins with it from the page; the path of the entry. */
export async function enter (page, node, pool, wallet, file) {
  await visit(page, `${node.url}${pool}/join`)
  await useKey(page, node, wallet)
  await page.getByLabel('A GGUF file').setInputFiles(file)
  await page.getByRole('button', { name: 'Upload and join' }).click()
  const link = page.getByRole('link', { name: 'Its page' })
  await Promise.race([link.waitFor(), refused(page)])
  return link.getAttribute('href')
}

/** Joins with a set of documents from the page, one that there is or one in a file; its hash. */
export async function enterDocuments (page, node, pool, wallet, { hash, file }) {
  await visit(page, `${node.url}${pool}/join`)
  await useKey(page, node, wallet)
  if (hash) await page.getByLabel('the hash of a set').fill(hash)
  else await page.getByLabel('A file').setInputFiles(file)
  await page.getByRole('button', { name: 'Create and join' }).click()
  const link = page.getByRole('link', { name: 'Its page' })
  await Promise.race([link.waitFor(), refused(page)])
  return (await link.getAttribute('href')).split('/').pop()
}

/** Creates a set of documents from the page, after some that cannot be created and are not sent; its hash. */
export async function createSet (page, node, wallet, file) {
  await visit(page, `${node.url}/documents`)
  await page.getByText('At most 100000 documents').waitFor()
  await useKey(page, node, wallet)
  const sent = []
  const note = request => { if (request.method() === 'POST') sent.push(request.url()) }
  page.on('request', note)
  const attach = (name, text) => page.getByLabel('A file').setInputFiles({ name, mimeType: 'text/plain', buffer: Buffer.from(text) })
  const create = () => page.getByRole('button', { name: 'Create' }).click()
  for (const [name, text, reason] of [
    ['a.jsonl', '{"content":"x"}\n{', 'line 2 is no JSON'],
    ['a.jsonl', '{"content":"x"}\n{"content":" "}', 'document 2 has no content'],
    ['a.json', '[{"text":"x"}]', 'document 1 is no {"content", "meta"}'],
    ['a.txt', 'x'.repeat(200_000), 'the content of document 1 has 200000 bytes'],
    ['a.txt', '\r\n', 'there is no document in it']
  ]) {
    await attach(name, text)
    await page.getByText(`It cannot be created: ${reason}`).waitFor()
    await create()
    await page.getByText(`It did not work: ${reason}`).waitFor()
  }
  assert.deepEqual(sent, [], 'what cannot be created is not sent')
  page.off('request', note)
  await page.getByLabel('A file').setInputFiles(file)
  await page.getByText(/^\d+ documents, \d+ bytes, the set [0-9a-f]{40}$/).waitFor()
  await create()
  const link = page.getByRole('link', { name: 'Its page' })
  await link.waitFor()
  await page.getByText('Your set is created.').waitFor()
  return new URL(await link.getAttribute('href'), node.url).pathname.split('/').pop()
}

async function refused (page) {
  const said = page.getByText('It did not work')
  await said.waitFor()
  throw new Error(await said.textContent())
}

/** An upload that breaks off and goes on where it was, with the same signed header and without signing again. */
export async function resume (page, node, pool) {
  await visit(page, `${node.url}${pool}/join`)
  await useKey(page, node, 'trainer-4')
  let parts = 0
  page.breaks = true
  await page.route(/\/v1\/chunks\/arweave\/.*\/finalize/, route => route.abort())
  page.on('request', request => { if (/chunks\/arweave\/[\w-]{43}\/\d+$/.test(request.url())) parts += 1 })
  await page.getByLabel('A GGUF file').setInputFiles(model(1))
  const broken = page.waitForRequest(/finalize/)
  await page.getByRole('button', { name: 'Upload and join' }).click()
  await broken
  const kept = () => page.evaluate(() => Object.entries(localStorage).find(([name]) => name.startsWith('aobench upload')))
  const before = JSON.parse((await kept())[1])
  await page.unroute(/\/v1\/chunks\/arweave\/.*\/finalize/)
  const sent = parts
  await page.reload()
  page.breaks = false
  await useKey(page, node, 'trainer-4')
  await page.getByLabel('A GGUF file').setInputFiles(model(1))
  await page.getByRole('button', { name: 'Upload and join' }).click()
  const link = page.getByRole('link', { name: 'Its page' })
  await Promise.race([link.waitFor(), refused(page)])
  assert.equal(parts, sent, 'no part was sent twice')
  assert.ok((await link.getAttribute('href')).endsWith(before.id), 'the upload has the id that was signed first')
  assert.equal(await kept(), undefined, 'nothing of a finished upload is kept')
}

/** The contest from the first transfer to the payout, watched on a page that is never reloaded by hand. */
export async function contest (browser, node) {
  const context = await browser.context()
  const page = await context.newPage()
  const pool = await fund(page, node, { title: 'Winter round', amount: '1000' })
  const watching = await context.newPage()
  await visit(watching, `${node.url}${pool}`)
  await watching.getByText('No model has entered').waitFor()
  const first = await enter(page, node, pool, 'trainer-2', model(2))
  await watching.getByRole('row', { name: /Social 2.*55\.9 %/ }).waitFor()
  const renamed = join(node.folder, 'hostile.gguf')
  const { HOSTILE } = await import('./hostile.mjs')
  rename(model(3), renamed, HOSTILE)
  await enter(page, node, pool, 'trainer-3', renamed)
  await resume(page, node, pool)
  await watching.getByRole('status').getByText('3 of 3 entries evaluated').waitFor({ state: 'attached' })
  return { context, pool, first, watching }
}

/** The clock jumps to the end: the page that watches shows the payouts, and the money is where it says. */
export async function payout (node, watching, pool) {
  await node.warp('31d')
  await watching.getByRole('heading', { name: 'Payouts' }).waitFor()
  await watching.getByText('3 of 3 paid').waitFor()
  const data = await fetch(`${node.url}${pool}.json`).then(answer => answer.json())
  assert.equal(data.pool.status, 'Settled')
  const paid = data.payouts.map(payout => BigInt(payout.quantity)).reduce((sum, one) => sum + one)
  assert.equal(paid, BigInt(data.pool.funds), 'what is paid is what was put in')
  for (const { participant, message: id, quantity } of data.payouts) {
    const address = await fetch(`${node.url}/address/${participant}.json`).then(answer => answer.json())
    assert.equal(BigInt(address.balance), BigInt(quantity) + 10n ** 13n, 'the balance is what was there and the payout')
    const found = await fetch(`${node.url}/message/${id}`, { headers: { accept: 'application/json' } })
    const message = await found.json()
    const tags = new Map(message.tags.map(({ name, value }) => [name, value]))
    assert.deepEqual([tags.get('Action'), tags.get('Quantity'), tags.get('Recipient')], ['Transfer', quantity, participant])
  }
}

/** Every number in the table is the one in the JSON, and that one is the benchmark process's own answer. */
export async function sameNumbers (page, node, pool) {
  await visit(page, `${node.url}${pool}`)
  const rows = await page.locator('#board tbody tr').evaluateAll(rows =>
    rows.map(row => [...row.cells].map(cell => cell.textContent.trim())))
  const { leaderboard } = await fetch(`${node.url}${pool}.json`).then(answer => answer.json())
  const { Output } = await fetch(`${node.url}/dry-run?process-id=${node.genesis.benchmark}`, {
    method: 'POST',
    body: JSON.stringify({
      Id: '1', Owner: '1', Target: node.genesis.benchmark, Anchor: '0', Data: pool.split('/').pop(),
      Tags: [{ name: 'Action', value: 'Leaderboard' }]
    })
  }).then(answer => answer.json())
  assert.deepEqual(leaderboard, JSON.parse(Output.data).leaderboard, 'the JSON of the page is what the process answers')
  assert.equal(rows.length, leaderboard.length)
  const percent = share => `${(share * 100).toFixed(1)} %`
  for (const [index, line] of leaderboard.entries()) {
    const shown = rows[index].join(' | ')
    const achieved = `${line.correct} of ${line.total * line.points}`
    for (const text of [`${line.rank}`, percent(line.score), achieved, percent(line.interval[1])]) {
      assert.ok(shown.includes(text), `'${text}' is not in '${shown}'`)
    }
  }
}
