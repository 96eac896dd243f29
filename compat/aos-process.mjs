// Processes of real aos on the node, through aoconnect: spawned, given Lua, looked into.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { join, resolve } from 'node:path'

import { connect, createDataItemSigner } from '@permaweb/aoconnect'

import { jwk } from './wallets.mjs'

/** The id of the module that aos 2.0.16 spawns by default. */
export const AOS_MODULE = 'ISShJH1ij-hPPt9St5UFFr_8Ys3Kj5cyg7zrMGt7H9s'

const FOLDER = process.env.AOBENCH_WASM_MODULES ?? fileURLToPath(new URL('../target/wasm-modules', import.meta.url))
const LOOK_MS = 500
const signer = createDataItemSigner(jwk)
const tags = fields => Object.entries(fields).map(([name, value]) => ({ name, value }))
const ao = ({ url }) => connect({ MODE: 'legacy', MU_URL: url, CU_URL: url, GATEWAY_URL: url })

/** The folder of aos' command line: AOS, or where compat/fetch_aos.sh puts it, if it is there. */
export function aosFolder () {
  const folder = resolve(process.env.AOS ?? fileURLToPath(new URL('../target/aos', import.meta.url)))
  return existsSync(join(folder, 'bin/aos.js')) ? folder : null
}

/** The file of aos' module, if it was fetched (compat/fetch_modules.sh). */
export function aosFile () {
  const file = join(FOLDER, 'aos2_0_6.wasm')
  return existsSync(file) ? file : null
}

/** Adds the module to the node, under its own id. */
export function addAos (node) {
  node.run(null, 'module', 'add', aosFile(), '--id', AOS_MODULE, '--data', node.folder)
}

/** A process of aos with a name. Nothing in it asks for an authority: what this node signs for its processes is trusted. */
export async function spawnAos (node, name) {
  const process = await ao(node).spawn({ module: AOS_MODULE, scheduler: node.address, signer, tags: tags({ Name: name }) })
  await evaluate(node, process, 'return 1')
  return process
}

/** Runs Lua in a process; what it returns, as text. */
export async function evaluate (node, process, code) {
  const message = await ao(node).message({ process, signer, tags: tags({ Action: 'Eval' }), data: code })
  const result = await ao(node).result({ process, message })
  if (result.Error ?? result.error) throw new Error(`${code}: ${JSON.stringify(result.Error ?? result.error)}`)
  const data = result.Output?.data
  return `${data?.output ?? data ?? ''}`
}

/** Looks into a process until Lua returns a text that is not empty and not `nil`; that text. */
export async function eventually (node, process, code) {
  for (;;) {
    const text = await evaluate(node, process, code)
    if (text !== '' && text !== 'nil') return text
    await new Promise(resolve => setTimeout(resolve, LOOK_MS))
  }
}

/** What a process publishes at a path. */
export async function published ({ url }, process, path) {
  const answer = await fetch(`${url}/${process}~process@1.0/now/${path}/serialize~json@1.0`)
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
  return answer.json()
}
