// aoconnect in legacy mode: messenger, scheduler and compute unit are one node.

import assert from 'node:assert/strict'

import { connect, createDataItemSigner, serializeCron } from '@permaweb/aoconnect'

import { redirected } from '../redirect.mjs'
import { check } from '../suite.mjs'
import { jwk } from '../wallets.mjs'

const CLIENT = 'aoconnect legacy'
const signer = createDataItemSigner(jwk)
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))
const ao = ({ url }) => connect({ MODE: 'legacy', MU_URL: url, CU_URL: url, GATEWAY_URL: url })

/** The id of the native module with this name, as a user finds it: by a query. */
export async function moduleId ({ url }, name) {
  const query = `{ transactions(tags: [{ name: "Type", values: ["Module"] }, { name: "Name", values: ["${name}"] }]) { edges { node { id } } } }`
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query })
  }).then(answer => answer.json())
  return answer.data.transactions.edges[0].node.id
}

async function spawnToken (node) {
  return ao(node).spawn({
    module: await moduleId(node, 'token'),
    scheduler: node.address,
    signer,
    tags: tags({ Name: 'Compat', Ticker: 'COMPAT', Denomination: '0', 'X-Run': String(Math.random()) })
  })
}

check(CLIENT, 'message', async node => {
  const id = await ao(node).message({ process: node.genesis.token, signer, tags: tags({ Action: 'Info' }) })
  assert.match(id, /^[\w-]{43}$/)
})

check(CLIENT, 'message with anchor and data', async node => {
  const { token } = node.genesis
  const id = await ao(node).message({ process: token, signer, anchor: '7'.repeat(32), data: 'data', tags: tags({ Action: 'Info' }) })
  const record = await fetch(`${node.url}/${id}?process-id=${token}`).then(answer => answer.json())
  assert.equal(record.message.data, 'data')
})

check(CLIENT, 'message to an unknown process', async node => {
  const sent = ao(node).message({ process: 'A'.repeat(43), signer, tags: tags({ Action: 'Info' }) })
  await assert.rejects(sent, error => /there is no process A+ on this node/.test(error.message))
})

check(CLIENT, 'message to a wrong URL', async ({ url, genesis }) => {
  const sent = connect({ MODE: 'legacy', MU_URL: `${url}/mu` }).message({ process: genesis.token, signer })
  await assert.rejects(sent, error => error.message.includes('MU_URL'))
})

check(CLIENT, 'result and dryrun at a wrong URL', async ({ url, genesis: { token } }) => {
  const wrong = connect({ MODE: 'legacy', CU_URL: `${url}/cu` })
  const answers = [await wrong.result({ process: token, message: token }), await wrong.dryrun({ process: token, tags: [] })]
  for (const { error } of answers) assert.match(error, /'\/cu\/.*' .*CU_URL/)
})

check(CLIENT, 'spawn at a wrong GATEWAY_URL', async ({ url, address }) => {
  const wrong = connect({ MODE: 'legacy', MU_URL: url, CU_URL: url, GATEWAY_URL: `${url}/gateway` })
  await assert.rejects(wrong.spawn({ module: 'A'.repeat(43), scheduler: address, signer }), /GATEWAY_URL/)
})

check(CLIENT, 'message of another protocol too', async node => {
  const { token } = node.genesis
  const collection = [{ name: 'Data-Protocol', value: 'Collection' }, { name: 'Type', value: 'Document' }]
  const message = await ao(node).message({ process: token, signer, tags: [...tags({ Action: 'Info' }), ...collection] })
  const result = await ao(node).result({ process: token, message })
  assert.equal(result.Messages[0].Tags.find(tag => tag.name === 'Ticker').value, 'wAR')
})

check(CLIENT, 'a transfer without funds', async node => {
  const { token } = node.genesis
  const transfer = { Action: 'Transfer', Recipient: node.address, Quantity: '1' }
  const message = await ao(node).message({ process: token, signer, tags: tags({ ...transfer, 'X-Try': String(Math.random()) }) })
  const { Error: reason, Output, Messages } = await ao(node).result({ process: token, message })
  assert.deepEqual([reason, Output.error], [undefined, 'Insufficient Balance!'])
  const told = Object.fromEntries(Messages[0].Tags.map(({ name, value }) => [name, value]))
  assert.deepEqual([told.Action, told['Message-Id'], told.Error], ['Transfer-Error', message, 'Insufficient Balance!'])
})

check(CLIENT, 'a message for a process by who is no authority of it', async node => {
  const { token } = node.genesis
  const forged = await ao(node).signMessage({ process: token, signer, tags: tags({ Action: 'Info', 'From-Process': 'A'.repeat(43) }) })
  const answer = await fetch(node.url, { method: 'POST', body: forged.raw }).then(answer => answer.json())
  assert.match(answer.warning, /From-Process was not believed.*\(tag Authority\)/)
})

check(CLIENT, 'result', async node => {
  const { token } = node.genesis
  const id = await ao(node).message({ process: token, signer, tags: tags({ Action: 'Info' }) })
  const result = await ao(node).result({ process: token, message: id })
  for (const name of ['Messages', 'Spawns', 'Assignments']) assert(Array.isArray(result[name]), name)
  assert.equal(result.Messages[0].Tags.find(tag => tag.name === 'Ticker').value, 'wAR')
  assert.equal(result.Error, undefined)
})

check(CLIENT, 'result of a fault', async node => {
  const { token } = node.genesis
  const id = await ao(node).message({ process: token, signer, tags: tags({ Action: 'Transfer', Quantity: 'many' }) })
  const result = await ao(node).result({ process: token, message: id })
  assert(result.Error, 'the fault has no Error')
})

check(CLIENT, 'result of an unknown message', async node => {
  const result = await ao(node).result({ process: node.genesis.token, message: 'A'.repeat(43) })
  assert.match(result.error, /has no message/)
})

check(CLIENT, 'results, pages in both orders', async node => {
  const { token } = node.genesis
  const first = await ao(node).results({ process: token, limit: 1 })
  const second = await ao(node).results({ process: token, from: first.edges[0].cursor, limit: 1 })
  assert.notEqual(first.edges[0].cursor, second.edges[0].cursor)
  const newest = await ao(node).results({ process: token, sort: 'DESC', limit: 5 })
  const slots = newest.edges.map(edge => Number(JSON.parse(atob(edge.cursor)).ordinate))
  assert.deepEqual(slots, [...slots].sort((a, b) => b - a))
})

check(CLIENT, 'dryrun', async node => {
  const answer = await ao(node).dryrun({ process: node.genesis.token, tags: tags({ Action: 'Balance' }) })
  assert.equal(answer.Messages[0].Data, '0')
})

check(CLIENT, 'dryrun of an unknown process', async node => {
  const answer = await ao(node).dryrun({ process: 'A'.repeat(43), tags: tags({ Action: 'Balance' }) })
  assert.match(answer.error, /there is no process/)
})

check(CLIENT, 'spawn', async node => {
  const process = await spawnToken(node)
  const answer = await ao(node).dryrun({ process, tags: tags({ Action: 'Info' }) })
  assert.equal(answer.Messages[0].Tags.find(tag => tag.name === 'Ticker').value, 'COMPAT')
})

check(CLIENT, 'spawn of an unknown module', async node => {
  const module = 'A'.repeat(43)
  const spawned = ao(node).spawn({ module, scheduler: node.address, signer, tags: [] })
  await assert.rejects(spawned, error => error.message.includes(`aobench module add FILE --id ${module}`))
})

check(CLIENT, 'monitor, unmonitor', async node => {
  const { token } = node.genesis
  assert.match(await ao(node).monitor({ process: token, signer }), /^[\w-]{43}$/)
  assert.match(await ao(node).unmonitor({ process: token, signer }), /^[\w-]{43}$/)
})

check(CLIENT, 'assign', async node => {
  const { token, dataset } = node.genesis
  const message = await ao(node).message({ process: token, signer, tags: tags({ Action: 'Info' }) })
  assert.match(await ao(node).assign({ process: dataset, message }), /^[\w-]{43}$/)
})

check(CLIENT, 'signMessage, sendSignedMessage', async node => {
  const { token } = node.genesis
  const signed = await ao(node).signMessage({ process: token, signer, tags: tags({ Action: 'Info' }) })
  assert.equal(await ao(node).sendSignedMessage(signed), signed.id)
  const result = await ao(node).result({ process: token, message: signed.id })
  assert.equal(result.Error, undefined)
})

// These calls ask a router at a fixed address where the scheduler is: first as they are, then with that address redirected.
const located = {
  'message, returnAssignmentSlot': async node => {
    const slot = await ao(node).message({ process: node.genesis.token, signer, tags: tags({ Action: 'Info' }), returnAssignmentSlot: true })
    assert.match(slot, /^\d+$/)
  },
  getLastSlot: async node => {
    await ao(node).message({ process: node.genesis.token, signer, tags: tags({ Action: 'Info' }) })
    assert.match(await ao(node).getLastSlot({ processId: node.genesis.token }), /^\d+$/)
  },
  getMessages: async node => {
    const page = await ao(node).getMessages({ processId: node.genesis.token, from: '0', to: '9999999999999', limit: '2' })
    assert.equal(page.edges.length, 2)
  },
  getMessageById: async node => {
    const messageId = await ao(node).message({ process: node.genesis.token, signer, tags: tags({ Action: 'Info' }) })
    const record = await ao(node).getMessageById({ processId: node.genesis.token, messageId })
    assert.equal(record.message.id, messageId)
  }
}

for (const [call, run] of Object.entries(located)) {
  check(CLIENT, call, run)
  check(CLIENT, `${call}, its router redirected`, node => redirected(node.url, () => run(node)))
}

check(CLIENT, 'serializeCron', async () => {
  assert.deepEqual(serializeCron({ interval: '5-minutes', tags: tags({ Action: 'Tick' }) }), [
    { name: 'Cron-Interval', value: '5-minutes' }, { name: 'Cron-Tag-Action', value: 'Tick' }
  ])
})
