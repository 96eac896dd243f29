// The queries that AO's clients send to a gateway, word for word in shape.

import assert from 'node:assert/strict'

import { connect, createDataItemSigner } from '@permaweb/aoconnect'
import { connect as schedulers } from '@permaweb/ao-scheduler-utils'

import { check } from '../suite.mjs'
import { jwk, signers } from '../wallets.mjs'
import { moduleId } from './aoconnect-legacy.mjs'

const CLIENT = 'graphql'
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))

async function query ({ url }, query, variables) {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, variables })
  })
  const { data, errors } = await answer.json()
  if (errors) throw new Error(errors.map(error => error.message).join('; '))
  return data
}

async function named (node, name) {
  const ao = connect({ MODE: 'legacy', MU_URL: node.url, CU_URL: node.url, GATEWAY_URL: node.url })
  const module = await moduleId(node, 'token')
  return ao.spawn({ module, scheduler: node.address, signer: createDataItemSigner(jwk), data: '{}', tags: tags({ Name: name, Ticker: 'T', Denomination: '0', 'aos-Version': '2.0.16' }) })
}

check(CLIENT, 'aos: find a process by name', async node => {
  const process = await named(node, 'found-by-name')
  const data = await query(node, `query ($owners: [String!]!) {
    transactions(first: 10, owners: $owners, tags: [
      { name: "Data-Protocol", values: ["ao"] }, { name: "Type", values: ["Process"]}, { name: "Name", values: ["found-by-name"]}
    ]) { edges { node { id tags { name value } } } }
  }`, { owners: [await address(), ''] })
  assert.deepEqual(data.transactions.edges.map(edge => edge.node.id), [process])
})

check(CLIENT, 'aos --list', async node => {
  const data = await query(node, `query ($owners: [String!]!) {
    transactions(first: 100, owners: $owners, tags: [{ name: "Data-Protocol", values: ["ao"] }, { name: "Type", values: ["Process"]}]) {
      edges { node { id owner { address } tags { name value } } }
    }
  }`, { owners: [await address()] })
  assert(data.transactions.edges.length > 0)
  for (const { node } of data.transactions.edges) assert.equal(node.owner.address, await address())
})

check(CLIENT, 'aos --module: a module by name', async node => {
  const data = await query(node, `query FindAoModuleByName($name: String!) {
    transactions(tags: [
      { name: "Type", values: ["Module"] }, { name: "Data-Protocol", values: ["ao"] }, { name: "Name", values: [$name] }
    ], sort: HEIGHT_DESC, first: 100) { edges { node { id tags { name value } block { timestamp } } } }
  }`, { name: 'token' })
  assert.equal(data.transactions.edges.length, 1)
})

check(CLIENT, 'ao-scheduler-utils: raw, validate', async node => {
  const location = await upload(node, { 'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Scheduler-Location', Url: node.url, 'Time-To-Live': '3600000' })
  assert(location)
  const { raw, validate } = schedulers({ cacheSize: 1, GRAPHQL_URL: `${node.url}/graphql` })
  assert.equal((await raw(await address())).url, node.url)
  assert.equal(await validate(await address()), true)
})

check(CLIENT, 'all fields of a transaction', async node => {
  const id = await upload(node, { 'Content-Type': 'text/plain', Field: 'all' })
  const data = await query(node, `query ($id: ID!) { transaction(id: $id) {
    id anchor signature recipient owner { address key } fee { winston ar } quantity { winston ar } data { size type }
    tags { name value } block { id timestamp height previous } parent { id } bundledIn { id } } }`, { id })
  const { transaction } = data
  assert.equal(transaction.id, id)
  assert.equal(transaction.owner.key, jwk.n)
  assert.equal(transaction.data.type, 'text/plain')
  assert.equal(Buffer.from(transaction.signature, 'base64url').length, 512)
})

check(CLIENT, 'pages in both orders, by recipient', async node => {
  for (let number = 0; number < 5; number++) await upload(node, { Page: 'pages', Number: String(number) }, node.genesis.token)
  const seen = {}
  for (const sort of ['HEIGHT_ASC', 'HEIGHT_DESC']) {
    const numbers = []
    let after = null
    for (let more = true; more;) {
      const data = await query(node, `query ($after: String, $sort: SortOrder, $recipient: String!) {
        transactions(first: 2, after: $after, sort: $sort, recipients: [$recipient], tags: [{ name: "Page", values: ["pages"], op: EQ }]) {
          pageInfo { hasNextPage } edges { cursor node { tags { name value } } } } }`, { after, sort, recipient: node.genesis.token })
      for (const { cursor, node } of data.transactions.edges) {
        after = cursor
        numbers.push(node.tags.find(tag => tag.name === 'Number').value)
      }
      more = data.transactions.pageInfo.hasNextPage
    }
    seen[sort] = numbers
  }
  assert.deepEqual(seen, { HEIGHT_ASC: ['0', '1', '2', '3', '4'], HEIGHT_DESC: ['4', '3', '2', '1', '0'] })
})

check(CLIENT, 'a query that asks for too much', async node => {
  const many = Array.from({ length: 50 }, (_, number) => `q${number}: transactions(first: 100) { edges { node { id } } }`)
  await assert.rejects(query(node, `{ ${many.join(' ')} }`), /too complex/)
})

check(CLIENT, 'what is no query', async ({ url }) => {
  const answer = await fetch(`${url}/graphql`, { method: 'POST', body: 'no query' })
  assert.equal(answer.status, 400)
  assert((await answer.json()).error)
})

async function upload ({ url }, fields, target) {
  const { createData } = await import('@dha-team/arbundles')
  const item = createData(JSON.stringify(fields), signers[1], { target, tags: tags(fields) })
  await item.sign(signers[1])
  const answer = await fetch(`${url}/tx`, { method: 'POST', body: item.getRaw() })
  assert.equal(answer.status, 200, await answer.text())
  return item.id
}

async function address () {
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(jwk.n, 'base64url'))
  return Buffer.from(digest).toString('base64url')
}
