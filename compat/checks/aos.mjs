// The command line of aos, in both modes. It is on no registry: fetch_aos.sh brings it, or AOS names a checkout of
// permaweb/aos (docs/aos.md says how).

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { addAos, aosFile, aosFolder } from '../aos-process.mjs'
import { check } from '../suite.mjs'
import { jwk } from '../wallets.mjs'
import { moduleId } from './aoconnect-legacy.mjs'

const AOS = aosFolder()
const MODES = {
  'aos mainnet': ({ url }) => ['--url', url],
  'aos legacy': ({ url }) => ['--legacy', '--mu-url', url, '--cu-url', url, '--gateway-url', url]
}

/** What aos printed, without colours, and how it ended; with what it prints for who looks for a mistake, if that is wanted. */
function aos (node, mode, options, { timeout = 50_000, debug } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'aos-home-'))
  writeFileSync(join(home, 'wallet.json'), JSON.stringify(jwk))
  const command = ['bin/aos.js', ...options, ...mode(node), '--wallet', join(home, 'wallet.json')]
  const env = { PATH: process.env.PATH, HOME: home, GATEWAY_URL: node.url, UPDATE_URL: `${node.url}/none`, ...(debug && { DEBUG: 'error' }) }
  return new Promise(resolve => {
    const child = execFile(process.execPath, command, { cwd: AOS, env, timeout }, (error, stdout, stderr) => {
      rmSync(home, { recursive: true, force: true })
      // eslint-disable-next-line no-control-regex
      resolve({ code: error?.code ?? 0, text: (debug ? stdout + stderr : stdout).replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '') })
    })
    child.stdin.end()
  })
}

if (!AOS) console.log('skipped  the command line of aos: it is not in target/aos; fetch_aos.sh brings it, or AOS names a checkout\n')

for (const [client, mode] of AOS ? Object.entries(MODES) : []) {
  check(client, '--run on a native process', async node => {
    const { code, text } = await aos(node, mode, [node.genesis.token, '--run', 'Info'])
    assert(code === 0 && text.includes('"ticker":"wAR"'), text)
  })

  check(client, '--run of Lua on a native process', async node => {
    const { code, text } = await aos(node, mode, [node.genesis.token, '--run', 'return 1 + 1'])
    assert(code === 1 && text.includes('it runs no Lua'), text)
  })

  check(client, 'a transfer without funds', async node => {
    const { code, text } = await aos(node, mode, [node.genesis.token, '--run', `Transfer Recipient=${node.address} Quantity=5`])
    assert(code === 0 && text.includes('error: Insufficient Balance!'), text)
  })

  check(client, 'a wrong URL', async node => {
    const wrong = ({ url }) => mode({ url: `${url}/wrong` })
    const { code, text } = await aos(node, wrong, [node.genesis.token, '--run', 'Info'], { debug: true })
    assert(code === 1 && /\/wrong.* URL of a client are the address of this node without any path/s.test(text), text)
  })

  check(client, 'an unknown process', async node => {
    const { code, text } = await aos(node, mode, ['A'.repeat(43), '--run', 'Info'], { debug: true })
    assert(code === 1 && /there is no process A+ on this node/.test(text), text)
  })

  check(client, 'an unknown module', async node => {
    const { code, text } = await aos(node, mode, [`none-${client.slice(4)}`, '--module', 'A'.repeat(43), '--run', 'Info'], { debug: true })
    assert(code === 1 && /aobench module add FILE --id A+/.test(text), text)
  })

  check(client, 'spawn by name, then --list', async node => {
    const name = `compat-${client.replace(' ', '-')}`
    const tags = ['--tag-name', 'Ticker', '--tag-value', 'AAA', '--tag-name', 'Denomination', '--tag-value', '12']
    const spawned = await aos(node, mode, [name, '--module', await moduleId(node, 'token'), ...tags, '--run', 'Info'])
    assert(spawned.code === 0 && spawned.text.includes('"ticker":"AAA"'), spawned.text)
    const listed = await aos(node, mode, ['--list'])
    assert(listed.text.includes(name), listed.text)
  })
}

/** Lua that is loaded from a file: a handler that prints, and the client of packages as aos' own blueprint gets it. */
function luaFile () {
  const file = join(mkdtempSync(join(tmpdir(), 'aos-lua-')), 'loaded.lua')
  const greeter = 'Handlers.add("Hi", "Hi", function(msg) Greeted = (Greeted or 0) + 1; print("hello, " .. Greeted) end)\n'
  writeFileSync(file, greeter + readFileSync(join(AOS, 'blueprints/apm.lua'), 'utf8'))
  return file
}

for (const [client, mode] of AOS && aosFile() ? Object.entries(MODES) : []) {
  const name = `lua-${client.replace(' ', '-')}`

  check(client, 'a process of aos, --run', async node => {
    addAos(node)
    const { code, text } = await aos(node, mode, [name, '--run', 'return 6 * 7'])
    assert(code === 0 && /^42$/m.test(text), text)
  })

  check(client, '--run of Lua that fails', async node => {
    const { code, text } = await aos(node, mode, [name, '--run', 'error("oh no")'])
    assert(code === 1 && text.includes('oh no'), text)
  })

  check(client, '--load with the blueprint apm, then a package', async node => {
    // The prompt comes after the file, and waits for ever.
    await aos(node, mode, [name, '--load', luaFile()], { timeout: 10_000 })
    const shown = async code => (await aos(node, mode, [name, '--run', code])).text
    for (let tries = 0; tries < 5; tries++) {
      if ((await shown('return tostring(APM and APM.ID)')).includes('RLvG3tclmALLBCrwc17NqzNFqZCrUf3-RKZ5v8VRHiU')) break
    }
    assert.match(await shown('APM.install("@sam/Llama-Herder") return 1'), /^1$/m)
    assert.match(await shown('return require("@sam/Llama-Herder").herder'), /wh5vB2IbqmIBUqgodOaTvByNFDPr73gbUq1bVOUtCrw/)
    assert.match(await shown('Send({ Target = ao.id, Action = "Hi" }) return "sent"'), /^sent$/m)
    assert.match(await shown('return "greeted " .. tostring(Greeted)'), /^greeted 1$/m)
  })
}

if (AOS && aosFile()) {
  check('aos legacy', '--watch', async node => {
    const name = 'lua-aos-legacy'
    const listed = await aos(node, MODES['aos legacy'], ['--list'])
    const process = new RegExp(`${name} - ([\\w-]{43})`).exec(listed.text)[1]
    const watching = aos(node, MODES['aos legacy'], [`--watch=${process}`], { timeout: 15_000 })
    await aos(node, MODES['aos legacy'], [name, '--run', 'Send({ Target = ao.id, Action = "Hi" }) return 1'])
    assert.match((await watching).text, /hello, 2/)
  })
}

if (AOS) {
  check('aos legacy', '--run, --dry-run', async node => {
    const { code, text } = await aos(node, MODES['aos legacy'], [node.genesis.token, '--run', 'Balance', '--dry-run'])
    assert(code === 0 && /^0$/m.test(text), text)
  })
}
