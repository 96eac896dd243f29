// Items that arbundles signs, as messages and as uploads, and arweave-js reading them back.

import assert from 'node:assert/strict'
import { constants, createPrivateKey, createSign } from 'node:crypto'

import { bundleAndSignData, createData, DataItem } from '@dha-team/arbundles'
import Arweave from 'arweave'

import { check } from '../suite.mjs'
import { jwk, signers } from '../wallets.mjs'

const CLIENT = 'arbundles'
const TYPES = { 1: 'Arweave', 2: 'Ed25519', 3: 'Ethereum', 4: 'Solana' }
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))
const info = { 'Data-Protocol': 'ao', Type: 'Message', Variant: 'ao.TN.1', Action: 'Info' }

async function signed (signer, data, options) {
  const item = createData(data, signer, options)
  await item.sign(signer)
  assert(await item.isValid(), 'arbundles itself does not verify it')
  return item
}

/** Sends an item to the messenger and checks that the process has handled it. */
async function handled ({ url, genesis }, item) {
  const sent = await fetch(url, { method: 'POST', body: item.getRaw() })
  assert.equal(sent.status, 202, await sent.text())
  const result = await fetch(`${url}/result/${item.id}?process-id=${genesis.token}`).then(answer => answer.json())
  assert.equal(result.Error ?? result.error, undefined)
}

/** Uploads bytes; the answer of the node. */
async function uploaded ({ url }, bytes, path = '/tx') {
  const answer = await fetch(`${url}${path}`, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body: bytes })
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
  return answer.json()
}

for (const [type, name] of Object.entries(TYPES)) {
  check(CLIENT, `message, signature type ${type} (${name})`, async node => {
    const item = await signed(signers[type], 'data', { target: node.genesis.token, anchor: 'a'.repeat(32), tags: tags(info) })
    assert.equal(item.signatureType, Number(type))
    await handled(node, item)
  })

  check(CLIENT, `upload, signature type ${type} (${name})`, async node => {
    const item = await signed(signers[type], `uploaded by ${name}`, { tags: tags({ 'Content-Type': 'text/plain' }) })
    assert.equal((await uploaded(node, item.getRaw())).id, item.id)
    const data = await fetch(`${node.url}/${item.id}`)
    assert.equal(data.headers.get('content-type'), 'text/plain')
    assert.equal(await data.text(), `uploaded by ${name}`)
  })
}

for (const [salt, saltLength] of [['of the hash, 32 bytes', 32], ['as long as fits', constants.RSA_PSS_SALTLEN_MAX_SIGN]]) {
  check(CLIENT, `message, RSA with a salt ${salt}`, async node => {
    const item = createData('data', signers[1], { target: node.genesis.token, tags: tags({ ...info, Salt: salt }) })
    const key = createPrivateKey({ key: jwk, format: 'jwk' })
    const sign = createSign('sha256').update(await item.getSignatureData())
    await item.setSignature(sign.sign({ key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }))
    assert(await DataItem.verify(item.getRaw()), 'arbundles itself does not verify it')
    await handled(node, item)
  })
}

check(CLIENT, 'message with a signature that is not its own', async ({ url, genesis }) => {
  const bytes = Buffer.from((await signed(signers[2], 'data', { target: genesis.token, tags: tags(info) })).getRaw())
  bytes[bytes.length - 1] ^= 1
  const answer = await fetch(url, { method: 'POST', body: bytes })
  assert.deepEqual([answer.status, (await answer.json()).code], [400, 'bad-signature'])
})

check(CLIENT, 'upload of a bundle within a bundle', async node => {
  const inner = await signed(signers[2], 'in the inner bundle', { tags: tags({ 'Content-Type': 'text/plain', Place: 'inner' }) })
  const beside = await signed(signers[3], 'beside the inner bundle', { tags: tags({ 'Content-Type': 'text/plain' }) })
  const bundleTags = tags({ 'Bundle-Format': 'binary', 'Bundle-Version': '2.0.0' })
  const within = await bundleAndSignData([inner], signers[2])
  const nested = await signed(signers[1], within.getRaw(), { tags: bundleTags })
  const bundle = await bundleAndSignData([nested, beside], signers[2])
  const outer = await signed(signers[1], bundle.getRaw(), { tags: bundleTags })
  await uploaded(node, outer.getRaw())
  for (const [item, text] of [[inner, 'in the inner bundle'], [beside, 'beside the inner bundle']]) {
    const data = await fetch(`${node.url}/${item.id}`)
    assert.equal(await data.text(), text)
  }
})

check('turbo', 'POST /v1/tx/arweave', async node => {
  const item = await signed(signers[1], 'as Turbo uploads', { tags: tags({ 'Content-Type': 'text/plain' }) })
  const receipt = await uploaded(node, item.getRaw(), '/v1/tx/arweave')
  assert.equal(receipt.id, item.id)
  assert(Array.isArray(receipt.dataCaches) && Array.isArray(receipt.fastFinalityIndexes) && receipt.winc === '0', JSON.stringify(receipt))
  assert.equal(await fetch(`${node.url}/${item.id}`).then(answer => answer.text()), 'as Turbo uploads')
})

const arweave = ({ url }) => {
  const { hostname, port, protocol } = new URL(url)
  return Arweave.init({ host: hostname, port, protocol: protocol.slice(0, -1) })
}

check('arweave-js', 'network.getInfo', async node => {
  const info = await arweave(node).network.getInfo()
  assert(info.height > 0, JSON.stringify(info))
})

check('arweave-js', 'transactions.getTransactionAnchor, getPrice', async node => {
  assert.match(await arweave(node).transactions.getTransactionAnchor(), /^[\w-]{43,64}$/)
  assert.equal(await arweave(node).transactions.getPrice(1000), '0')
})

check('arweave-js', 'api.request with an item, api.get of its data', async node => {
  const item = await signed(signers[1], 'from arweave-js', { tags: tags({ 'Content-Type': 'text/plain' }) })
  const headers = { 'content-type': 'application/octet-stream' }
  const sent = await arweave(node).api.request('tx', { method: 'POST', headers, body: item.getRaw() })
  assert.equal(sent.status, 200)
  const got = await arweave(node).api.get(item.id)
  assert.equal(got.data, 'from arweave-js')
})

check('arweave-js', 'transactions.getStatus, blocks.getCurrent', async node => {
  const item = await signed(signers[1], 'confirmed', { tags: tags({ 'Content-Type': 'text/plain' }) })
  await uploaded(node, item.getRaw())
  const { status, confirmed } = await arweave(node).transactions.getStatus(item.id)
  assert.equal(status, 200)
  const { height } = await arweave(node).blocks.getCurrent()
  assert(confirmed.number_of_confirmations >= 1 && confirmed.block_height <= height, JSON.stringify({ confirmed, height }))
})

check('arweave-js', 'transactions.post of a layer-1 transaction', async node => {
  const client = arweave(node)
  const transaction = await client.createTransaction({ data: 'data', last_tx: 'A'.repeat(43), reward: '0' }, jwk)
  await client.transactions.sign(transaction, jwk)
  const answer = await client.transactions.post(transaction)
  if (answer.status !== 200) throw new Error(`${answer.status}: ${JSON.stringify(answer.data)}`)
})
