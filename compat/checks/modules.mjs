// AO's own modules (aos of 64 and 32 bits, and the one with SQLite) through aoconnect: uploaded, spawned, spoken to. They are
// not kept here: fetch_modules.sh brings them, and what is absent is skipped, aloud.

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { createData } from '@dha-team/arbundles'
import { connect, createDataItemSigner } from '@permaweb/aoconnect'

import { check } from '../suite.mjs'
import { jwk, signers } from '../wallets.mjs'

const FOLDER = resolve(process.env.AOBENCH_WASM_MODULES ?? join(import.meta.dirname, '../../target/wasm-modules'))
const MODULES = [
  { name: 'aos2_0_6', format: 'wasm64-unknown-emscripten-draft_2024_02_15' },
  { name: 'aos2_0_4_32', format: 'wasm32-unknown-emscripten4' }
]
/** An aos of the first generation, whose handlers match by functions and answer by `ao.send`. */
const SQLITE = { name: 'sqlite', format: 'wasm64-unknown-emscripten-draft_2024_02_15' }
const TICK_MS = 45_000
const COMPILE_MS = 150_000

const signer = createDataItemSigner(jwk)
const stranger = createDataItemSigner(generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey.export({ format: 'jwk' }))
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))

/** A module that is uploaded once for each node; its id. */
const uploaded = new Map()
async function upload ({ url }, { name, format }) {
  const key = `${url} ${name}`
  if (!uploaded.has(key)) {
    const item = createData(readFileSync(join(FOLDER, `${name}.wasm`)), signers[1], {
      tags: tags({
        'Data-Protocol': 'ao', Variant: 'ao.TN.1', Type: 'Module', 'Module-Format': format, 'Input-Encoding': 'JSON-1',
        'Output-Encoding': 'JSON-1', 'Memory-Limit': '1-gb', 'Compute-Limit': '9000000000000', Name: name
      })
    })
    await item.sign(signers[1])
    const answer = await fetch(`${url}/tx`, { method: 'POST', body: item.getRaw(), headers: { 'content-type': 'application/octet-stream' } })
    assert(answer.ok, await answer.text())
    uploaded.set(key, item.id)
  }
  return uploaded.get(key)
}

/** A process of a module, and what its owner does with it. */
class Process {
  static async spawn (node, module, extra = {}) {
    const ao = connect({ MODE: 'legacy', MU_URL: node.url, CU_URL: node.url, GATEWAY_URL: node.url })
    const id = await ao.spawn({
      module: await upload(node, module),
      scheduler: node.address,
      signer,
      tags: tags({ Name: 'compat', Authority: node.address, 'X-Run': String(Math.random()), ...extra })
    })
    return Object.assign(new Process(), { ao, id })
  }

  async send (fields, data, sender = signer) {
    const message = await this.ao.message({ process: this.id, signer: sender, tags: tags(fields), data })
    const end = Date.now() + COMPILE_MS
    for (;;) {
      const result = await this.ao.result({ process: this.id, message })
      // A module is compiled before its first message.
      if (!/ask again/.test(result.error) || Date.now() > end) return { ...result, id: message }
    }
  }

  async eval (code) {
    return this.send({ Action: 'Eval' }, code)
  }

  /** What a piece of Lua shows. */
  async shows (code) {
    const { Output, Error: reason } = await this.eval(code)
    assert(!reason, reason)
    return String(Output.data?.output ?? Output.data)
  }

  /** Waits until a piece of Lua shows what is expected. */
  async comesTo (code, expected, within = 20_000) {
    const end = Date.now() + within
    let shown = await this.shows(code)
    while (shown !== expected && Date.now() < end) {
      await new Promise(resolve => setTimeout(resolve, 200))
      shown = await this.shows(code)
    }
    assert.equal(shown, expected)
  }
}

const TOKEN = `Balances = { [Owner] = 1000 }
Handlers.add('Balance', 'Balance', function(m) m.reply({ Data = tostring(Balances[m.Tags.Account or m.From] or 0) }) end)
Handlers.add('Transfer', 'Transfer', function(m)
  local quantity = tonumber(m.Tags.Quantity)
  assert(quantity and quantity > 0, 'Quantity must be above zero')
  if (Balances[m.From] or 0) < quantity then
    m.reply({ Action = 'Transfer-Error', Error = 'Insufficient Balance!' })
    return
  end
  Balances[m.From] = Balances[m.From] - quantity
  Balances[m.Tags.Recipient] = (Balances[m.Tags.Recipient] or 0) + quantity
  local notice = { Target = m.Tags.Recipient, Action = 'Credit-Notice', Sender = m.From, Quantity = m.Tags.Quantity }
  for name, value in pairs(m.Tags) do if name:sub(1, 2) == 'X-' then notice[name] = value end end
  m.reply({ Action = 'Debit-Notice', Quantity = m.Tags.Quantity })
  Send(notice)
end)`

const tag = (message, name) => message.Tags.find(tag => tag.name === name)?.value

/** Whether a module was fetched; that it was not is said. */
function isThere ({ name }) {
  const there = existsSync(join(FOLDER, `${name}.wasm`))
  if (!there) console.log(`skipped  module ${name}: it is not in ${FOLDER}; fetch_modules.sh brings it`)
  return there
}

for (const module of MODULES.filter(isThere)) {
  const client = `module ${module.name}`

  check(client, 'spawn, Eval, prompt, errors', async node => {
    const process = await Process.spawn(node, module)
    assert.equal(await process.shows('return 1 + 1'), '2')
    const { Output } = await process.eval("X = 1; return require('.process')._version")
    assert(Output.prompt ?? Output.data?.prompt, JSON.stringify(Output))
    const failed = await process.eval("X = 2; error('as it should')")
    assert.match(String(failed.Error), /as it should/)
    const unfinished = await process.eval('for i = 1')
    assert(unfinished.Error ?? /error/i.test(JSON.stringify(unfinished.Output)), JSON.stringify(unfinished))
    assert.match(await process.shows('return X'), /1$/)
  })

  check(client, 'handlers, reply, dry-run', async node => {
    const process = await Process.spawn(node, module)
    await process.eval("N = 0; Handlers.add('Add', 'Add', function(m) N = N + tonumber(m.Tags.By); m.reply({ Action = 'Added', Data = tostring(N) }) end)")
    const { Messages: [answer] } = await process.send({ Action: 'Add', By: '5', Reference: '9' })
    assert.equal(answer.Data, '5')
    assert.equal(tag(answer, 'X-Reference'), '9')
    const dry = await process.ao.dryrun({ process: process.id, tags: tags({ Action: 'Add', By: '100' }), data: '' })
    assert.equal(dry.Messages[0].Data, '105')
    assert.equal(await process.shows('return N'), '5')
  })

  check(client, 'a token, its transfers and their errors', async node => {
    const token = await Process.spawn(node, module)
    await token.eval(TOKEN)
    const recipient = 'R'.repeat(42) + 'A'
    const { Messages: notices } = await token.send({ Action: 'Transfer', Recipient: recipient, Quantity: '30', 'X-Dataset': 'abc' })
    assert.deepEqual(notices.map(notice => tag(notice, 'Action')), ['Debit-Notice', 'Credit-Notice'])
    assert.equal(tag(notices[1], 'X-Dataset'), 'abc')
    const { Messages: [balance] } = await token.send({ Action: 'Balance', Account: recipient })
    assert.equal(balance.Data, '30')
    const { Messages: [poor] } = await token.send({ Action: 'Transfer', Recipient: recipient, Quantity: '5000' })
    assert.equal(tag(poor, 'Error'), 'Insufficient Balance!')
    const bad = await token.send({ Action: 'Transfer', Recipient: recipient, Quantity: '-1' })
    assert(bad.Error ?? /above zero/.test(JSON.stringify(bad)), JSON.stringify(bad))
  })

  check(client, 'two processes: Send, receive, Spawn', async node => {
    const [ping, pong] = [await Process.spawn(node, module), await Process.spawn(node, module)]
    await pong.eval("Handlers.add('Ping', 'Ping', function(m) m.reply({ Data = 'pong ' .. m.Data }) end)")
    await ping.eval(`Answer = 'none'; Answer = Send({ Target = '${pong.id}', Action = 'Ping', Data = 'hello' }).receive().Data`)
    await ping.comesTo('return Answer', 'pong hello')
    await ping.eval("Child = 'none'; Child = Spawn(ao.env.Module.Id, { Data = '' }).receive().Process")
    await ping.comesTo('return tostring(#Child)', '43')
  })

  check(client, 'a forged Credit-Notice', async node => {
    const [token, shop] = [await Process.spawn(node, module), await Process.spawn(node, module)]
    await token.eval(TOKEN)
    await shop.eval(`Paid = 0; Handlers.add('Credit', 'Credit-Notice', function(m)
      if m.From == '${token.id}' then Paid = Paid + tonumber(m.Tags.Quantity) end end)`)
    const forged = { Action: 'Credit-Notice', Quantity: '500', Sender: 'A'.repeat(43) }
    const names = [{ 'From-Process': token.id }, { From: token.id }, { Owner: token.id }, { From: node.address, 'From-Process': token.id }]
    for (const name of names) await shop.send({ ...forged, ...name }, 'x', stranger)
    assert.equal(await shop.shows('return Paid'), '0')
    await token.send({ Action: 'Transfer', Recipient: shop.id, Quantity: '40' })
    await shop.comesTo('return Paid', '40')
  })

  check(client, 'assign', async node => {
    const [first, second] = [await Process.spawn(node, module), await Process.spawn(node, module)]
    await second.eval("Given = 'none'; ao.addAssignable('notes', { Action = 'Note' }); Handlers.add('Note', 'Note', function(m) Given = m.Data end)")
    const { id } = await first.send({ Action: 'Note' }, 'for both')
    await second.ao.assign({ process: second.id, message: id })
    await second.comesTo('return Given', 'for both')
  })

  check(client, 'a forged Credit-Notice to a pool', async node => {
    const { benchmark, token } = node.genesis
    const process = await Process.spawn(node, module)
    const pools = async () => (await process.ao.dryrun({ process: benchmark, tags: tags({ Action: 'Get-Pools' }) })).Output.data
    const before = await pools()
    const code = `ao.send({ Target = '${benchmark}', Action = 'Credit-Notice', Quantity = '1000', Sender = ao.id,
      ['From-Process'] = '${token}', From = '${token}', ['X-Dataset'] = '${node.genesis.dataset}', ['X-Allocation'] = 'WinnerTakesAll' })`
    await process.eval(code)
    const message = await process.ao.message({
      process: benchmark,
      signer: stranger,
      tags: tags({
        Action: 'Credit-Notice', Quantity: '1000', Sender: process.id, 'From-Process': token, From: node.address,
        'X-Dataset': node.genesis.dataset, 'X-Allocation': 'WinnerTakesAll'
      })
    })
    const result = await process.ao.result({ process: benchmark, message })
    assert(!/pool.*open/i.test(JSON.stringify(result)), JSON.stringify(result))
    assert.equal(await pools(), before)
  })
}

for (const first of MODULES.slice(0, 1).filter(isThere)) {
  check(`module ${first.name}`, 'a clock from the tags of its spawn', async node => {
    const process = await Process.spawn(node, first, {
      'Cron-Interval': '10-seconds', 'Cron-Tag-Action': 'Tick', 'Cron-Tag-Colour': 'red'
    })
    await process.eval("Colour = 'none'; Handlers.add('Tick', 'Tick', function(m) if m.Cron and m.From == Owner then Colour = m.Tags.Colour end end)")
    await process.comesTo('return Colour', 'red', TICK_MS)
  })
}

for (const module of [SQLITE].filter(isThere)) {
  const client = `module ${module.name}`

  check(client, 'spawn, Eval, errors, SQL', async node => {
    const process = await Process.spawn(node, module)
    assert.equal(await process.shows('return 1 + 1'), '2')
    const failed = await process.eval("error('as it should')")
    assert.match(JSON.stringify(failed), /as it should/)
    await process.eval("db = require('lsqlite3').open_memory(); db:exec('create table t (a); insert into t values (40), (2)')")
    assert.equal(await process.shows("for row in db:nrows('select sum(a) as s from t') do return tostring(row.s) end"), '42')
  })

  check(client, 'handlers, ao.send between two processes', async node => {
    const [first, second] = [await Process.spawn(node, module), await Process.spawn(node, module)]
    await second.eval("Handlers.add('Ping', Handlers.utils.hasMatchingTag('Action', 'Ping'), function(m) ao.send({ Target = m.From, Action = 'Pong', Data = 'pong ' .. m.Data }) end)")
    await first.eval("Answer = 'none'; Handlers.add('Pong', Handlers.utils.hasMatchingTag('Action', 'Pong'), function(m) Answer = m.Data end)")
    await first.eval(`ao.send({ Target = '${second.id}', Action = 'Ping', Data = 'hello' })`)
    await first.comesTo('return Answer', 'pong hello')
  })
}
