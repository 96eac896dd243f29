// aoconnect in mainnet mode: the node as HyperBEAM.

import assert from 'node:assert/strict'

import { connect, createSigner } from '@permaweb/aoconnect'

import { redirected } from '../redirect.mjs'
import { check } from '../suite.mjs'
import { jwk } from '../wallets.mjs'

const CLIENT = 'aoconnect mainnet'
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))
const ao = ({ url }) => connect({ MODE: 'mainnet', URL: url, signer: createSigner(jwk) })

check(CLIENT, 'message', async node => {
  const slot = await ao(node).message({ process: node.genesis.token, tags: tags({ Action: 'Info' }) })
  assert(Number.isInteger(slot) && slot > 0, `slot ${slot}`)
})

check(CLIENT, 'message, returnMessageId', async node => {
  const { token } = node.genesis
  const { id, slot } = await ao(node).message({ process: token, tags: tags({ Action: 'Info' }), returnMessageId: true, returnAssignmentSlot: true })
  const record = await fetch(`${node.url}/${id}?process-id=${token}`).then(answer => answer.json())
  assert.equal(record.assignment.tags.find(tag => tag.name === 'Nonce').value, String(slot))
})

check(CLIENT, 'message, fullResponse', async node => {
  const full = await ao(node).message({ process: node.genesis.token, tags: tags({ Action: 'Info' }), opts: { fullResponse: true } })
  assert.equal(full.Messages[0].Tags.find(tag => tag.name === 'Ticker').value, 'wAR')
})

check(CLIENT, 'message to an unknown process', async node => {
  await assert.rejects(ao(node).message({ process: 'A'.repeat(43), tags: [] }), /Error sending message/)
})

check(CLIENT, 'result', async node => {
  const { token } = node.genesis
  const slot = await ao(node).message({ process: token, tags: tags({ Action: 'Balance' }) })
  const result = await ao(node).result({ process: token, slot })
  assert.equal(result.Messages[0].Data, '0')
})

check(CLIENT, 'result by message id', async node => {
  const { token } = node.genesis
  const message = await ao(node).message({ process: token, tags: tags({ Action: 'Balance' }), returnMessageId: true })
  const result = await ao(node).result({ process: token, message })
  assert.equal(result.Messages[0].Data, '0')
})

check(CLIENT, 'result of a fault', async node => {
  const { token } = node.genesis
  const slot = await ao(node).message({ process: token, tags: tags({ Action: 'Transfer', Quantity: 'many' }) })
  assert((await ao(node).result({ process: token, slot })).Error, 'the fault has no Error')
})

check(CLIENT, 'results', async node => {
  const { token } = node.genesis
  const slot = await ao(node).message({ process: token, tags: tags({ Action: 'Info' }) })
  const { edges } = await ao(node).results({ process: token })
  assert.equal(edges[0].cursor, String(slot))
  assert.equal(edges[0].node.Error, undefined)
})

check(CLIENT, 'dryrun', async node => {
  const { token } = node.genesis
  const before = await ao(node).results({ process: token })
  const answer = await ao(node).dryrun({ process: token, tags: tags({ Action: 'Balance', Recipient: node.address }) })
  assert.match(answer.Messages[0].Data, /^\d+$/)
  const after = await ao(node).results({ process: token })
  assert.equal(after.edges[0].cursor, before.edges[0].cursor)
})

check(CLIENT, 'spawn', async node => {
  const process = await ao(node).spawn({ module: 'token', data: '{}', tags: tags({ Name: 'Compat', Ticker: 'COMPAT', Denomination: '0' }) })
  const answer = await ao(node).dryrun({ process, tags: tags({ Action: 'Info' }) })
  assert.equal(answer.Messages[0].Tags.find(tag => tag.name === 'Ticker').value, 'COMPAT')
})

check(CLIENT, 'spawn of an unknown module', async node => {
  await assert.rejects(ao(node).spawn({ module: 'A'.repeat(43), tags: [] }))
})

check(CLIENT, 'request, a signed read', async node => {
  const answer = await ao(node).request({ path: '/~meta@1.0/info/address', method: 'GET' })
  assert.equal(await answer.text(), node.address)
})

check(CLIENT, 'request, state that a process publishes', async node => {
  const { token } = node.genesis
  const answer = await ao(node).request({ path: `/${token}~process@1.0/now/ticker`, method: 'GET' })
  assert.equal(await answer.text(), 'wAR')
})

check(CLIENT, 'request, a signed HTTP message', async node => {
  const { token } = node.genesis
  const answer = await ao(node).request({ path: `/${token}~process@1.0/push`, method: 'POST', target: token, Action: 'Info', 'signing-format': 'httpsig' })
  if (!answer.ok) throw new Error((await answer.json()).error)
})

// These ask the same built-in address as in legacy mode; there it is checked that they fail as they are.
check(CLIENT, 'getLastSlot, getMessages, getMessageById, their router redirected', node => redirected(node.url, async () => {
  const { token } = node.genesis
  const messageId = await ao(node).message({ process: token, tags: tags({ Action: 'Info' }), returnMessageId: true })
  assert.match(await ao(node).getLastSlot({ processId: token }), /^\d+$/)
  const page = await ao(node).getMessages({ processId: token, from: '0', to: '9999999999999', limit: '2' })
  assert.equal(page.edges.length, 2)
  assert.equal((await ao(node).getMessageById({ processId: token, messageId })).message.id, messageId)
}))
