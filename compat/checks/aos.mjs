// The command line of aos, in both modes. It is on no registry: AOS names a checkout of permaweb/aos (docs/aos.md says how).

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { check } from '../suite.mjs'
import { jwk } from '../wallets.mjs'
import { moduleId } from './aoconnect-legacy.mjs'

const { AOS } = process.env
const MODES = {
  'aos mainnet': ({ url }) => ['--url', url],
  'aos legacy': ({ url }) => ['--legacy', '--mu-url', url, '--cu-url', url, '--gateway-url', url]
}

/** What aos printed, without colours, and how it ended. */
function aos (node, mode, options) {
  const home = mkdtempSync(join(tmpdir(), 'aos-home-'))
  writeFileSync(join(home, 'wallet.json'), JSON.stringify(jwk))
  const command = ['bin/aos.js', ...options, ...mode(node), '--wallet', join(home, 'wallet.json')]
  const env = { PATH: process.env.PATH, HOME: home, GATEWAY_URL: node.url, UPDATE_URL: `${node.url}/none` }
  return new Promise(resolve => {
    const child = execFile(process.execPath, command, { cwd: AOS, env, timeout: 50_000 }, (error, stdout) => {
      rmSync(home, { recursive: true, force: true })
      // eslint-disable-next-line no-control-regex
      resolve({ code: error?.code ?? 0, text: stdout.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '') })
    })
    child.stdin.end()
  })
}

if (!AOS) console.log('skipped  the command line of aos: AOS names no checkout of permaweb/aos\n')

for (const [client, mode] of AOS ? Object.entries(MODES) : []) {
  check(client, '--run on a native process', async node => {
    const { code, text } = await aos(node, mode, [node.genesis.token, '--run', 'Info'])
    assert(code === 0 && text.includes('"ticker":"wAR"'), text)
  })

  check(client, '--run of Lua on a native process', async node => {
    const { code, text } = await aos(node, mode, [node.genesis.token, '--run', 'return 1 + 1'])
    assert(code === 1 && text.includes('it runs no Lua'), text)
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

if (AOS) {
  check('aos legacy', '--run, --dry-run', async node => {
    const { code, text } = await aos(node, MODES['aos legacy'], [node.genesis.token, '--run', 'Balance', '--dry-run'])
    assert(code === 0 && /^0$/m.test(text), text)
  })
}
