// The development node of AO's clients with more workers, and its command line as a browser's walk needs it.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { binary, startNode as startDevelopmentNode } from '../compat/node.mjs'

export const WORKERS = 2

/** Starts a node with workers, and with an embedding model unless that is null; resolves once the node says that everything in it can be used. */
export async function startNode (model) {
  const { url, genesis, folder, stop } = await startDevelopmentNode({ workers: WORKERS, model })
  const wallet = name => join(folder, 'wallets', `${name}.json`)
  /** Runs a command of the binary against this node; what it prints as JSON. The browser goes on meanwhile. */
  const run = async (...words) => {
    const environment = { ...process.env, HOME: folder, AOBENCH_URL: undefined }
    const { stdout } = await promisify(execFile)(binary, ['--json', '--url', url, ...words], { env: environment })
    return JSON.parse(stdout)
  }
  return {
    url,
    genesis,
    run,
    wallet,
    folder,
    stop,
    key: name => readFileSync(wallet(name), 'utf8'),
    warp: duration => run('warp', duration, '--operator', join(folder, 'operator.json'))
  }
}
