// The other services of the original, with the examples that its documents print: Evaluate, Chat and the embedding process.
// What is sent is the text of the documents; only the processes' ids are those of the node.

import assert from 'node:assert/strict'

import { connect, createDataItemSigner } from '@permaweb/aoconnect'

import { check } from '../suite.mjs'
import { address, jwk } from '../wallets.mjs'

const CLIENT = 'judges and chat'
const signer = createDataItemSigner(jwk)
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))
const ao = ({ url }) => connect({ MODE: 'legacy', MU_URL: url, CU_URL: url, GATEWAY_URL: url })
const DATASET = '{"hash":"673322f20121f3dc36538578295819386f1ef2b8","list":[{"content":"This contains variable declarations","meta":{"title":"one"}},{"content":"This contains another sort of variable declarations","meta":{"title":"two"}},{"content":"This has nothing to do with variable declarations","meta":{"title":"three"}},{"content":"A random doc","meta":{"title":"four"}}]}'

/** What came into the inbox of this wallet under a reference. */
async function answer ({ url }, reference) {
  for (let from = 0; ;) {
    const page = await fetch(`${url}/inbox/${address}?from=${from}&limit=100&wait=20`).then(answer => answer.json())
    const found = page.messages.find(message => message.tags.some(({ name, value }) => name === 'Reference' && value === reference))
    if (found) return { data: found.data, tag: name => found.tags.find(tag => tag.name === name)?.value }
    from = page.next
  }
}

async function infer (node, workerType, reference, data) {
  await ao(node).message({
    process: node.genesis.herder, signer, data: JSON.stringify(data),
    tags: tags({ Action: 'Inference', WorkerType: workerType, Reference: reference })
  })
  const said = await answer(node, reference)
  assert.equal(said.tag('Action'), 'Inference-Response')
  assert.equal(said.tag('Error'), undefined)
  return said
}

check(CLIENT, 'Evaluate', async node => {
  const data = { question: 'What do bees make?', expected_response: 'Honey', context: 'Bees make honey.' }
  const said = await infer(node, 'Evaluate', 'evaluate-1', data)
  assert.match(said.data, /^(10|[0-9])$/)
})

check(CLIENT, 'Evaluate without a context', async node => {
  const said = await infer(node, 'Evaluate', 'evaluate-2', { question: 'xxx', expected_response: 'xxx', context: null })
  assert.equal(said.data, '0')
})

check(CLIENT, 'Chat', async node => {
  const said = await infer(node, 'Chat', 'chat-1', { question: 'How would Robin feel?', context: 'Kim helped Robin.' })
  assert(!said.data.includes('\n'))
})

/** Searches the set of the documents once more, under a reference of its own. */
async function search (node, number) {
  const { knowledge } = node.genesis
  const reference = `search-${number}`
  await ao(node).message({
    process: knowledge, signer, tags: tags({ Action: 'Search-Prompt', Reference: reference }),
    data: '{"dataset_hash": "673322f20121f3dc36538578295819386f1ef2b8","prompt":"variable declarations"}'
  })
  return answer(node, reference)
}

check(CLIENT, 'Create-Dataset', async node => {
  const { knowledge } = node.genesis
  const id = await ao(node).message({ process: knowledge, signer, data: DATASET, tags: tags({ Action: 'Create-Dataset' }) })
  const result = await ao(node).result({ process: knowledge, message: id })
  assert.equal(result.Error, undefined)
  assert.equal(JSON.parse(result.Messages[0].Data).documents, 4)
})

check(CLIENT, 'Search-Prompt', async node => {
  for (let number = 1; ; number++) {
    const said = await search(node, number)
    assert.equal(said.tag('Action'), 'Search-Prompt-Response')
    if (!node.embeddingModel) {
      assert.match(said.tag('Error'), /Set-Model/)
      return
    }
    const { documents, pending, prompt } = JSON.parse(said.data)
    if (pending > 0) continue
    assert.equal(prompt, 'variable declarations')
    assert.deepEqual(documents.map(document => document.meta.title).sort(), ['four', 'one', 'three', 'two'])
    assert.equal(documents.at(-1).meta.title, 'four', 'the random document is the least like it')
    return
  }
})
