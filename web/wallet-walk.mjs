// What people with a wallet in their browser do: refuse, allow a part, change the account, and at last fund and join.

import assert from 'node:assert/strict'

import { visit } from './browser.mjs'
import { WalletUser, injectWallet } from './wallet.mjs'

/** Bytes of a file that is over what a wallet can sign. */
const TOO_LARGE = 17 * 1024 * 1024

/** All of it in one pool; the user's addresses. */
export async function walkWithWallet (browser, node, { pool, file }) {
  const context = await browser.context()
  const user = new WalletUser()
  await injectWallet(context, user)
  const page = await context.newPage()
  const sent = []
  page.on('request', request => { if (request.method() === 'POST' && !request.url().includes('dry-run')) sent.push(request.url()) })
  const says = text => page.getByRole('status').getByText(text).waitFor()
  const connect = () => page.getByRole('button', { name: 'Connect the wallet' }).click()
  const join = () => page.getByRole('button', { name: 'Upload and join' }).click()
  await visit(page, `${node.url}${pool}/join`)

  user.refuses = ['connect']
  await connect()
  await says('No key: Error: User cancelled the AuthRequest')
  assert.ok(await page.getByRole('button', { name: 'Upload and join' }).isDisabled(), 'without a key nothing can be sent')

  user.refuses = []
  user.leavesOut = ['SIGN_TRANSACTION']
  await connect()
  await says('No key: the wallet did not allow SIGN_TRANSACTION')

  user.leavesOut = []
  await connect()
  await says(`Signing as ${user.addresses[0]}`)
  await page.getByLabel('A GGUF file').setInputFiles({ name: 'large.gguf', mimeType: 'application/octet-stream', buffer: Buffer.alloc(TOO_LARGE) })
  await join()
  await says('a wallet signs files of up to 16 MiB')
  await page.getByLabel('A GGUF file').setInputFiles(file)
  user.refuses = ['signDataItem']
  await join()
  await says('It did not work: User cancelled the AuthRequest')

  // Another account was chosen, and the page has not heard of it: what that one signed is not sent.
  user.refuses = []
  user.active = 1
  await join()
  await says(`the wallet signed as ${user.addresses[1]} by now: connect it again`)
  assert.deepEqual(sent, [], 'nothing of all that left the page')

  await page.evaluate(address => window.dispatchEvent(new CustomEvent('walletSwitch', { detail: { address } })), user.addresses[1])
  await says(`Signing as ${user.addresses[1]}`)
  await join()
  const link = page.getByRole('link', { name: 'Its page' })
  await link.waitFor()
  const entry = await fetch(`${node.url}${await link.getAttribute('href')}.json`).then(answer => answer.json())
  assert.equal(entry.entry.participant, user.addresses[1], 'the entry belongs to the account that signed')

  await fundWithWallet(page, node, user)
  await context.close()
}

async function fundWithWallet (page, node, user) {
  await node.run('-w', node.wallet('funder'), 'token', 'transfer', user.addresses[1], '3')
  await visit(page, `${node.url}/fund`)
  await page.getByRole('button', { name: 'Connect the wallet' }).click()
  await page.getByRole('status').getByText(`Signing as ${user.addresses[1]}`).waitFor()
  await page.getByLabel('Dataset').selectOption(node.genesis.dataset)
  await page.getByLabel('Amount').fill('2.5')
  await page.getByLabel('Title').fill('Funded by a wallet')
  await page.getByRole('button', { name: 'Fund' }).click()
  const link = page.getByRole('link', { name: 'To the pool' })
  await link.waitFor()
  const { pool } = await fetch(`${node.url}${await link.getAttribute('href')}.json`).then(answer => answer.json())
  assert.deepEqual([pool.funder, pool.funds], [user.addresses[1], '2500000000000'])
}
