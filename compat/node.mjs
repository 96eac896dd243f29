// A development node of this repository in a process of its own, on a port that the system chooses.

import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'

const START_MS = 120_000
const STOP_MS = 10_000

/** The program: `AOBENCH`, or what was built in this repository. */
export const binary = resolve(process.env.AOBENCH ?? join(import.meta.dirname, '../target/debug/aobench'))

/** The embedding model beside the repository (or in AOBENCH_SHARED_DATA), if it is there; says what is skipped without it. */
export function embeddingModel (skipped) {
  const data = resolve(process.env.AOBENCH_SHARED_DATA ?? join(import.meta.dirname, '../../shared/data'))
  const model = join(data, 'models/all-MiniLM-L6-v2-q8_0.gguf')
  if (existsSync(model)) return model
  console.log(`SKIPPED: ${skipped}, because there is no ${model} (AOBENCH_SHARED_DATA)\n`)
  return null
}

/**
 * Starts `aobench up --dev` with workers and an embedding model; resolves once the node says that everything in it can
 * be used. `run` gives what a command of aobench prints, with a development wallet or with none.
 */
export async function startNode ({ workers = 1, model = null } = {}) {
  const data = mkdtempSync(join(tmpdir(), 'aobench-'))
  const embedding = model ? ['--embedding-model', model] : []
  const options = ['--worker', `${workers}`, '--json', '--listen', '127.0.0.1:0', '--data', join(data, 'node'), ...embedding]
  const child = spawn(binary, ['up', '--dev', ...options], {
    env: { ...process.env, HOME: data, AOBENCH_URL: undefined },
    stdio: ['ignore', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore']
  })
  const started = await firstLine(child)
  const genesis = await fetch(`${started.url}/genesis`).then(answer => answer.json())
  const stop = async () => {
    const ended = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGINT')
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await ended
    clearTimeout(timer)
    rmSync(data, { recursive: true, force: true })
  }
  const folder = join(data, 'node')
  const run = (wallet, ...words) => {
    const signing = wallet ? ['--wallet', join(folder, 'wallets', `${wallet}.json`)] : []
    const command = ['--json', '--url', started.url, ...signing, ...words]
    return JSON.parse(execFileSync(binary, command, { env: { ...process.env, HOME: data }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }))
  }
  return { url: started.url, address: started.address, genesis, folder, embeddingModel: model, run, stop }
}

function firstLine (child) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the node did not start within ${START_MS} ms`)), START_MS)
    const failed = reason => { clearTimeout(timer); reject(reason) }
    child.once('error', error => failed(new Error(`${binary} cannot be run (${error.message}): cargo build -p aobench`)))
    child.once('exit', code => failed(new Error(`the node ended with ${code} before it was ready`)))
    createInterface({ input: child.stdout }).once('line', line => {
      clearTimeout(timer)
      child.removeAllListeners('exit')
      resolve(JSON.parse(line))
    })
  })
}
