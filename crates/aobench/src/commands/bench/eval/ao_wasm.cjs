// Measures AO's llama module under ao-loader for `aobench bench eval`: node ao_wasm.cjs MODULE.wasm MODEL.gguf
// Prints one JSON object: for a short and a long prompt, how long the fastest message that computes it takes.
const { createHash } = require('node:crypto')
const { readFileSync } = require('node:fs')
const { createServer } = require('node:http')
const AoLoader = require('@permaweb/ao-loader')
const WeaveDrive = require('@permaweb/weavedrive')

const [, , modulePath, modelPath] = process.argv
const id = (name) => createHash('sha256').update(name).digest('base64url')
const [owner, self, modelId] = ['owner', 'process', 'model'].map(id)
const WORDS = 'Once upon a time there was a little girl who liked to play in the park with her dog and a red ball. '
const MESSAGES = 5

// A gateway that has the model and nothing else.
const model = readFileSync(modelPath)
const gateway = createServer((request, response) => {
  if (!request.url.endsWith(modelId)) return response.writeHead(404).end()
  const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '')
  const part = range ? model.subarray(Number(range[1]), Number(range[2]) + 1) : model
  response.writeHead(range ? 206 : 200, { 'Content-Length': part.length })
  response.end(request.method === 'HEAD' ? undefined : part)
})

async function main () {
  await new Promise((resolve) => gateway.listen(0, '127.0.0.1', resolve))
  const tags = [{ name: 'Name', value: 'bench' }, { name: 'Module', value: owner }, { name: 'Extension', value: 'WeaveDrive' }]
  const environment = { Process: { Id: self, Owner: owner, Tags: tags }, Module: { Id: owner, Owner: owner, Tags: tags } }
  const handle = await AoLoader(readFileSync(modulePath), {
    format: 'wasm64-unknown-emscripten-draft_2024_02_15',
    memoryLimit: '16-gb',
    computeLimit: 9e15,
    mode: 'test',
    UNSAFE_MEMORY: true,
    spawn: { tags },
    module: { tags },
    blockHeight: 100,
    ARWEAVE: `http://127.0.0.1:${gateway.address().port}`,
    WeaveDrive
  })
  let number = 0
  const send = async (lua, action = 'Eval') => {
    const message = {
      Id: id(`message ${number}`), Owner: owner, From: owner, Target: self, Data: lua, Signature: '', Anchor: '', Epoch: 0,
      Nonce: number, Timestamp: 1_767_225_600_000 + number, 'Block-Height': 100, Module: owner, Cron: false,
      Tags: [{ name: 'Action', value: action }, { name: 'Type', value: number === 0 ? 'Process' : 'Message' }]
    }
    number += 1
    const result = await handle(null, message, environment)
    if (result.Error) throw new Error(JSON.stringify(result.Error))
    return String(result.Output?.data?.output ?? result.Output?.data ?? '')
  }
  await send('', 'Boot')
  await send(`Llama = require(".Llama"); Llama.load("/data/${modelId}"); return "loaded"`)
  const seconds = async (repeats) => {
    const began = process.hrtime.bigint()
    await send(`Llama.setPrompt(${JSON.stringify(WORDS.repeat(repeats))}); return "set"`)
    return Number(process.hrtime.bigint() - began) / 1e9
  }
  const prompts = []
  for (const repeats of [1, 4]) {
    let best = Infinity
    for (let round = 0; round < MESSAGES; round += 1) best = Math.min(best, await seconds(repeats))
    prompts.push({ text: WORDS.repeat(repeats), seconds: best })
  }
  console.log(JSON.stringify({ prompts }))
}

main().then(() => process.exit(0), (error) => { console.error(error); process.exit(1) })
