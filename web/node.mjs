// A development node of this repository with workers, in a process of its own, and its command line.

import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const START_MS = 120_000
const STOP_MS = 10_000
export const WORKERS = 2

const binary = resolve(import.meta.dirname, process.env.AOBENCH ?? '../target/debug/aobench')

/** Starts `aobench up --dev`; resolves once the node says that everything in it can be used. */
export async function startNode () {
  const folder = mkdtempSync(join(tmpdir(), 'aobench-web-'))
  const data = join(folder, 'node')
  const environment = { ...process.env, HOME: folder, AOBENCH_URL: undefined }
  const child = spawn(binary, ['up', '--dev', '--worker', `${WORKERS}`, '--json', '--listen', '127.0.0.1:0', '--data', data], {
    env: environment, stdio: ['ignore', 'pipe', process.env.VERBOSE ? 'inherit' : 'ignore']
  })
  const { url } = await firstLine(child)
  const genesis = await fetch(`${url}/genesis`).then(answer => answer.json())
  const wallet = name => join(data, 'wallets', `${name}.json`)
  /** Runs a command of the binary against this node; what it prints as JSON. */
  const run = async (...words) => {
    const { stdout } = await promisify(execFile)(binary, ['--json', '--url', url, ...words], { env: environment })
    return JSON.parse(stdout)
  }
  return {
    url,
    genesis,
    run,
    wallet,
    folder,
    key: name => readFileSync(wallet(name), 'utf8'),
    warp: duration => run('warp', duration, '--operator', join(data, 'operator.json')),
    stop: () => stop(child, folder)
  }
}

async function stop (child, folder) {
  const ended = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
  rmSync(folder, { recursive: true, force: true })
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
