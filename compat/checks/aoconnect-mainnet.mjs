// aoconnect in mainnet mode: the node as HyperBEAM.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { join } from 'node:path'

import { connect, createSigner } from '@permaweb/aoconnect'

import { redirected } from '../redirect.mjs'
import { check } from '../suite.mjs'
import { jwk } from '../wallets.mjs'

const CLIENT = 'aoconnect mainnet'
const PRINT_MS = 60_000
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
  const process = await ao(node).spawn({ module: 'token', tags: tags({ Name: 'Compat', Ticker: 'COMPAT', Denomination: '0' }) })
  const answer = await ao(node).dryrun({ process, tags: tags({ Action: 'Info' }) })
  assert.equal(answer.Messages[0].Tags.find(tag => tag.name === 'Ticker').value, 'COMPAT')
})

check(CLIENT, 'spawn of an unknown module', async node => {
  await assert.rejects(ao(node).spawn({ module: 'A'.repeat(43), tags: [] }))
})

// aoconnect replaces what a node says by a text of its own, and prints it with DEBUG=error.
const MISTAKES = {
  'a wrong URL': [`connect({ ...options, URL: options.URL + '/node' }).message({ process: token })`, /\/node.* URL of a client are the address of this node without any path/s],
  'an unknown process': [`ao.message({ process: 'A'.repeat(43) })`, /there is no process A+ on this node/],
  'an unknown module': [`ao.spawn({ module: 'A'.repeat(43) })`, /aobench module add FILE --id A+/],
  'a native module that cannot be spawned': [
    `ao.spawn({ module: 'token', tags: [{ name: 'Denomination', value: 'many' }] })`, /could not be spawned: .*Denomination/
  ],
  'a transfer without funds': [
    `ao.message({ process: token, opts: { fullResponse: true }, tags: [
      { name: 'Action', value: 'Transfer' }, { name: 'Recipient', value: token }, { name: 'Quantity', value: '1' }
    ] }).then(({ Output }) => console.log(Output.error))`, /Insufficient Balance!/
  ]
}

for (const [mistake, [call, said]] of Object.entries(MISTAKES)) {
  check(CLIENT, `what is printed of ${mistake}`, async node => assert.match(await printed(node, call), said))
}

/** What a program prints that makes a call. */
function printed ({ url, genesis }, call) {
  const program = `import { connect, createSigner } from '@permaweb/aoconnect'
    const { JWK, NODE_URL: URL, token } = process.env
    const options = { MODE: 'mainnet', URL, signer: createSigner(JSON.parse(JWK)) }
    const ao = connect(options)
    ${call}.catch(() => {})`
  const env = { ...process.env, DEBUG: 'error', JWK: JSON.stringify(jwk), NODE_URL: url, token: genesis.token }
  const options = { cwd: join(import.meta.dirname, '..'), env, timeout: PRINT_MS }
  return new Promise(resolve => {
    execFile(process.execPath, ['--input-type=module', '--eval', program], options, (error, stdout, stderr) => resolve(stdout + stderr))
  })
}

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
