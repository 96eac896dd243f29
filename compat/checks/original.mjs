// The commands that the documents of the original print, typed into real aos: each as it stands there, at the ids that stand
// there. `checks/aos.mjs` types some of them into the command line itself.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { addAos, aosFile, aosFolder, evaluate, eventually, published, spawnAos } from '../aos-process.mjs'
import { check } from '../suite.mjs'

const CLIENT = 'original documents'
const TOKEN = 'xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh10'
const BENCHMARK = 'DLJoP8Xtdat6SKz3kqYGZPaa7DJBG6etF1jRLQCwquo'
const SIQA = 'XUw5NtwUzk7hf_dE4ifEFD2rHfXffMLb8s2QfnZEvg4'
const LLAMA_HERDER = 'wh5vB2IbqmIBUqgodOaTvByNFDPr73gbUq1bVOUtCrw'
const SERVICE = 'jaSRY9nVTdUE48QMg9SMuKbW8T9yk8Vi1FNZpau9M2A'
const EMBEDDING = 'hMEUOgWi97d9rGT-lHNCbm937bTypMq7qxMWeaUnMLo'
const REGISTRY = 'RLvG3tclmALLBCrwc17NqzNFqZCrUf3-RKZ5v8VRHiU'
const MODEL_FILE = fileURLToPath(new URL('../../demo/models/social-4.gguf', import.meta.url))

/** The blueprint of aos if a checkout is there, else Lua that does the same: asks the registry and runs what comes. */
const BLUEPRINT = aosFolder()
  ? readFileSync(`${aosFolder()}/blueprints/apm.lua`, 'utf8')
  : `Handlers.once('boot', { Action = 'APM.UpdateResponse' }, function(msg)
       load((msg.Data:gsub('%x%x', function(byte) return string.char(tonumber(byte, 16)) end)))()
     end)
     Send({ Target = '${REGISTRY}', Action = 'APM.Update' })`

/** What the checks share: the process in which everything is typed, the pool that it funds, the model that it enters. */
const shared = {}

/** Lua that looks for the newest message in the inbox with this action; its data. */
const newest = action => `for i = #Inbox, 1, -1 do if Inbox[i].Action == '${action}' then return Inbox[i].Data end end`

if (!aosFile()) {
  console.log('skipped  the documents of the original: aos2_0_6.wasm is absent; compat/fetch_modules.sh fetches it\n')
} else {
  check(CLIENT, 'a process of aos with money', async node => {
    addAos(node)
    shared.process = await spawnAos(node, 'reader')
    node.run('funder', 'token', 'transfer', shared.process, '100')
    await evaluate(node, shared.process, `Send({ Target = '${TOKEN}', Action = 'Balance' })`)
    assert.equal(await eventually(node, shared.process, newest('Balance-Response')), '100000000000000')
  })

  check(CLIENT, 'the ids name processes', async ({ genesis }) => {
    const { token, benchmark, dataset, herder, knowledge, packages } = genesis
    assert.deepEqual([token, benchmark, dataset, herder, genesis['llama-herder'], knowledge, packages],
      [TOKEN, BENCHMARK, SIQA, SERVICE, LLAMA_HERDER, EMBEDDING, REGISTRY])
  })

  check(CLIENT, 'create a pool', async node => {
    await evaluate(node, shared.process, `Fee = '1000000000000'
      ao.send({
        Target = '${TOKEN}',
        Action = 'Transfer',
        Recipient = '${BENCHMARK}',
        Quantity = Fee,
        ['X-Dataset'] = '${SIQA}',
        ['X-Allocation'] = 'ArithmeticDecrease'
      })`)
    for (let tries = 0; tries < 40 && !shared.pool; tries++) {
      const pools = await published(node, BENCHMARK, 'pools')
      shared.pool = pools.find(pool => pool.funder === shared.process && pool.status === 'Open')?.id
      await new Promise(resolve => setTimeout(resolve, 250))
    }
    assert(shared.pool, 'no pool of the process is open')
  })

  check(CLIENT, 'join a pool', async node => {
    const { model } = node.run('trainer-1', 'model', 'upload', MODEL_FILE)
    shared.model = model
    await evaluate(node, shared.process, `ao.send({
      Target = '${BENCHMARK}',
      Action = 'Join-Pool',
      Data = '{"dataset": "${shared.pool}", "model": "${model}"}'
    })`)
    let rows = []
    for (let tries = 0; tries < 100 && !rows.some(row => row.model === model); tries++) {
      rows = await published(node, BENCHMARK, `pools/${shared.pool}/leaderboard`)
      await new Promise(resolve => setTimeout(resolve, 250))
    }
    assert.equal(rows.find(row => row.model === model)?.participant, shared.process, JSON.stringify(rows))
  })

  check(CLIENT, 'the leaderboard', async node => {
    await evaluate(node, shared.process, `ao.send({
      Target = '${BENCHMARK}',
      Action = 'Leaderboard',
      Data = '${shared.pool}'
    })`)
    const answer = JSON.parse(await eventually(node, shared.process, newest('Leaderboard-Response')))
    assert.equal(answer.pool.id, shared.pool)
    assert.equal(answer.leaderboard[0].model, shared.model)
  })

  check(CLIENT, 'a question that waits for its answer', async node => {
    await evaluate(node, shared.process, `Waited = Send({ Target = '${BENCHMARK}', Action = 'Get-Pools' }).receive().Data`)
    assert(JSON.parse(await eventually(node, shared.process, 'return Waited')).some(pool => pool.id === shared.pool))
  })

  check(CLIENT, 'the dataset: Init, Load-Data', async node => {
    const query = '{ transactions(tags: [{ name: "Type", values: ["Module"] }, { name: "Name", values: ["dataset"] }]) { edges { node { id } } } }'
    const found = await fetch(`${node.url}/graphql`, { method: 'POST', body: JSON.stringify({ query }) }).then(answer => answer.json())
    const module = found.data.transactions.edges[0].node.id
    await evaluate(node, shared.process, `Dataset = Spawn('${module}', {
      Name = 'Mine', License = 'CC0-1.0', Benchmark = '${BENCHMARK}', Herder = '${SERVICE}', Data = ' '
    }).receive().Process`)
    const dataset = await eventually(node, shared.process, 'return Dataset')
    await evaluate(node, shared.process, `Send({ Target = '${dataset}', Action = 'Init' })`)
    const question = { context: 'Sam fell.', question: 'How does Sam feel?', answerA: 'hurt', answerB: 'glad', answerC: 'rich', result: '1' }
    await evaluate(node, shared.process, `Send({ Target = '${dataset}', Action = 'Load-Data', Data = [[${JSON.stringify(question)}]] })`)
    for (let tries = 0; tries < 40; tries++) {
      if (await published(node, dataset, 'questions') === 1) return
      await new Promise(resolve => setTimeout(resolve, 250))
    }
    assert.fail(JSON.stringify(await published(node, dataset, '')))
  })

  // The workers of a development node judge and chat with the best model of the demo, and embed where a model was named.
  for (const [type, data, form] of [
    ['Evaluate', '{question = "xxx", expected_response = "xxx", context = "xxx"}', /^\[(10|[0-9])\]$/],
    ['Chat', '{question = "xxx", context = "xxx"}', /^\[[^\n]{0,640}\]$/]
  ]) {
    check(CLIENT, `${type}: sent from aos, answered by a model`, async node => {
      await evaluate(node, shared.process, `json = require('json'); Send({
        Target = "${SERVICE}",
        Tags = {
          Action = "Inference",
          WorkerType = "${type}",
          Reference = "${type}-1",
        },
        Data = json.encode(${data}),
      })`)
      const answer = await eventually(node, shared.process, `for i = #Inbox, 1, -1 do local msg = Inbox[i]
        if msg.Action == 'Inference-Response' and msg.Tags.Reference == '${type}-1' then
          assert(msg.From == '${SERVICE}' and not msg.Tags.Error, tostring(msg.Tags.Error))
          return '[' .. msg.Data .. ']'
        end end`)
      assert.match(answer, form)
    })
  }

  check(CLIENT, 'the embedding service: Create-Dataset, Search-Prompt', async node => {
    await evaluate(node, shared.process, `Send({ Target = '${EMBEDDING}', Action = "Create-Dataset", Data='{"hash":"673322f20121f3dc36538578295819386f1ef2b8","list":[{"content":"This contains variable declarations","meta":{"title":"one"}},{"content":"This contains another sort of variable declarations","meta":{"title":"two"}},{"content":"This has nothing to do with variable declarations","meta":{"title":"three"}},{"content":"A random doc","meta":{"title":"four"}}]}' })`)
    assert.equal(JSON.parse(await eventually(node, shared.process, newest('Create-Dataset-Response'))).documents, 4)
    const search = () => evaluate(node, shared.process, `Send({ Target = '${EMBEDDING}', Action = "Search-Prompt", Data = '{"dataset_hash": "673322f20121f3dc36538578295819386f1ef2b8","prompt":"variable declarations"}' })`)
    const answers = `local count, last = 0, '' for _, msg in ipairs(Inbox) do if msg.Action == 'Search-Prompt-Response' then
      count, last = count + 1, (msg.Tags.Error or '') .. (msg.Data or '') end end`
    if (!node.embeddingModel) {
      await search()
      assert.match(await eventually(node, shared.process, `${answers} if count > 0 then return last end`), /Set-Model/)
      return
    }
    for (let count = 1; ; count++) {
      await search()
      const { documents, pending } = JSON.parse(await eventually(node, shared.process, `${answers} if count >= ${count} then return last end`))
      if (pending > 0) continue
      assert.deepEqual(documents.map(document => document.meta.title).sort(), ['four', 'one', 'three', 'two'])
      assert.equal(documents.at(-1).meta.title, 'four', 'the random document is the least like it')
      assert(documents.every((document, place) => place === 0 || document.score <= documents[place - 1].score))
      return
    }
  })

  check(CLIENT, '.load-blueprint apm, APM.install', async node => {
    await evaluate(node, shared.process, BLUEPRINT)
    await eventually(node, shared.process, 'return APM and APM.ID')
    await evaluate(node, shared.process, 'APM.install("@sam/Llama-Herder")')
    assert.equal(await eventually(node, shared.process, 'return APM.installed["@sam/Llama-Herder"]'), '1.0.3')
  })

  check(CLIENT, 'Llama.run: paid, answered by a model, given to the callback', async node => {
    const balance = () => published(node, TOKEN, `balances/${shared.process}`).then(BigInt)
    const before = await balance()
    await evaluate(node, shared.process, `Llama = require("@sam/Llama-Herder")
      Llama.run("What is the meaning of life?", 10, function(generated_text) Generated = "[" .. generated_text .. "]" end)`)
    assert.match(await eventually(node, shared.process, 'return Generated'), /^\[.*\]$/s)
    assert.equal(before - await balance(), 11n, 'a prompt costs 1 and each of its tokens 1')
  })

  check(CLIENT, 'a prompt by a transfer', async node => {
    await evaluate(node, shared.process, `Fee = '20'
      ao.send({
        Target = '${TOKEN}',
        Action = 'Transfer',
        Recipient = '${LLAMA_HERDER}',
        Quantity = Fee,
        ['X-Prompt'] = 'What is the meaning of life?',
        ['X-Tokens'] = '10',
        ['X-Reference'] = 'by hand'
      })
      Handlers.prepend('by hand', { Action = 'Inference-Response', ['X-Reference'] = 'by hand' }, function(msg) ByHand = '[' .. msg.Data .. ']' end)`)
    assert.match(await eventually(node, shared.process, 'return ByHand'), /^\[.*\]$/s)
  })
}
