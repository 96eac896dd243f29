// Transfers of a token of aos, end to end through HTTP: a signed item in, its result out. The same client for a node of
// aobench and for the local server of npm's wao, which is started here. The items are signed before the clock starts.
// Standard input is {url, module, setup, transfers, connections}, `url` being absent for wao; standard output is
// {transfers, seconds, balance}.

import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import { ArweaveSigner, createData } from '@dha-team/arbundles'

const HERE = dirname(fileURLToPath(import.meta.url))
const WAO_PORT = 47310
const START_MS = 30_000
const RESULT_MS = 60_000

const jwk = generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey.export({ format: 'jwk' })
const signer = new ArweaveSigner(jwk)
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))
const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

let anchors = 0
async function item (fields, target, data = ' ') {
  const anchor = String(++anchors).padStart(32, '0')
  const made = createData(data, signer, { target, anchor, tags: tags({ 'Data-Protocol': 'ao', Variant: 'ao.TN.1', ...fields }) })
  await made.sign(signer)
  return { id: made.id, bytes: made.getRaw() }
}

async function post ({ mu }, { bytes }) {
  const answer = await fetch(mu, {
    method: 'POST', body: bytes, headers: { 'content-type': 'application/octet-stream', accept: 'application/json' }
  })
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`)
  return answer.json()
}

async function result ({ cu }, process, { id }) {
  const end = Date.now() + RESULT_MS
  for (;;) {
    const text = await fetch(`${cu}/result/${id}?process-id=${process}`).then(answer => answer.text())
    const value = text ? JSON.parse(text) : {}
    if (value.Messages || value.Error) return value
    if (Date.now() > end) throw new Error(`no result: ${text}`)
    await pause(5)
  }
}

async function waitFor (url) {
  const end = Date.now() + START_MS
  while (Date.now() < end) {
    try {
      return await fetch(url)
    } catch {
      await pause(200)
    }
  }
  throw new Error(`${url} does not answer`)
}

async function startWao () {
  const script = join(HERE, 'node_modules/wao/esm/run.js')
  const child = spawn(process.execPath, ['--experimental-wasm-memory64', '--no-warnings', script, '--memory', '--port', WAO_PORT], {
    stdio: 'ignore'
  })
  const url = offset => `http://127.0.0.1:${WAO_PORT + offset}`
  await waitFor(url(4))
  await pause(1000)
  const { mu, su } = await import(pathToFileURL(join(HERE, 'node_modules/wao/esm/accounts.js')))
  return { mu: url(2), cu: url(4), scheduler: su.addr, authority: mu.addr, stop: () => child.kill('SIGKILL') }
}

async function aobench (url) {
  const scheduler = await fetch(`${url}/~meta@1.0/info/address`).then(answer => answer.text())
  return { mu: url, cu: url, scheduler, authority: null, stop () {} }
}

async function run ({ url, module, setup, transfers, connections }) {
  const place = url ? await aobench(url) : await startWao()
  try {
    const { scheduler, authority } = place
    const spawned = await item({ Type: 'Process', Module: module, Scheduler: scheduler, Name: 'bench', ...(authority && { Authority: authority }) })
    await post(place, spawned)
    await result(place, spawned.id, spawned).catch(() => null)
    const made = await item({ Type: 'Message', Action: 'Eval' }, spawned.id, setup)
    await post(place, made)
    const evaluated = await result(place, spawned.id, made)
    if (evaluated.Error) throw new Error(evaluated.Error)
    const items = []
    for (let number = 0; number < transfers; number++) {
      items.push(await item({ Type: 'Message', Action: 'Transfer', Recipient: 'R'.repeat(43), Quantity: '1' }, spawned.id))
    }
    const began = performance.now()
    let next = 0
    await Promise.all(Array.from({ length: connections }, async () => {
      while (next < items.length) {
        const one = items[next++]
        await post(place, one)
        const { Error: reason, Messages: messages } = await result(place, spawned.id, one)
        if (reason || messages.length === 0) throw new Error(reason ?? 'a transfer had no notices')
      }
    }))
    const seconds = (performance.now() - began) / 1000
    const asked = await item({ Type: 'Message', Action: 'Balance', Account: 'R'.repeat(43) }, spawned.id)
    await post(place, asked)
    const { Messages: [{ Data: balance }] } = await result(place, spawned.id, asked)
    return { transfers, seconds, balance: Number(balance) }
  } finally {
    place.stop()
  }
}

let text = ''
for await (const piece of process.stdin) text += piece
try {
  console.log(JSON.stringify(await run(JSON.parse(text))))
  process.exit(0)
} catch (error) {
  console.error(error.message)
  process.exit(1)
}
