// AO's own host, npm's @permaweb/ao-loader, driven over a pipe by `aobench bench wasm`: a line of JSON in, a line out.
// The first line is {module, format, environment, hot}; each other one is {messages: [JSON of a message]}, answered with
// {answers: [{milliseconds, answer}]} or {failed}. Only the call of the loader is timed.
//
// What fails leaves nothing, as in AO's compute unit. The loader does not do this by itself when its memory is kept hot: a
// copy is taken now and then, and what was handled since is handled again after a failure, outside of the measured time.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

import AoLoader from '@permaweb/ao-loader'

const COPY_EVERY = 32

class Host {
  constructor (handle, environment, hot) {
    Object.assign(this, { handle, environment, hot, memory: null, copy: null, since: [] })
  }

  async message (given) {
    const began = performance.now()
    const { Memory, ...answer } = await this.call(given)
    const milliseconds = performance.now() - began
    this.memory = Memory ?? this.memory
    if (!this.hot) {
      this.copy = answer.Error ? this.copy : Memory
    } else if (answer.Error) {
      await this.restore()
    } else {
      this.since.push(given)
      if (!this.copy || this.since.length >= COPY_EVERY) this.keep()
    }
    return { milliseconds, answer }
  }

  async call (given, memory = this.hot ? null : this.copy) {
    try {
      return await this.handle(memory, JSON.parse(given), this.environment)
    } catch (error) {
      return { Error: error instanceof Error ? error.message : error, thrown: true }
    }
  }

  keep () {
    const bytes = new Uint8Array(this.memory)
    if (this.copy?.length === bytes.length) this.copy.set(bytes)
    else this.copy = bytes.slice()
    this.since = []
  }

  /** Back to before the message that failed; a memory that grew since the copy is zero beyond it. */
  async restore () {
    const bytes = new Uint8Array(this.memory)
    if (bytes.length === 0) throw new Error('the memory grew in a message that failed without an answer')
    bytes.set(this.copy)
    bytes.fill(0, this.copy.length)
    for (const given of this.since) await this.call(given)
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const write = value => process.stdout.write(`${JSON.stringify(value)}\n`)
const next = async () => {
  const { value, done } = await lines.next()
  return done ? null : JSON.parse(value)
}

const start = await next()
const options = { format: start.format, memoryLimit: '4-gb', computeLimit: 9e12, UNSAFE_MEMORY: start.hot }
const host = new Host(await AoLoader(readFileSync(start.module), options), JSON.parse(start.environment), start.hot)
for (let line = await next(); line; line = await next()) {
  const answers = []
  for (const given of line.messages) answers.push(await host.message(given))
  write({ answers })
}
process.exit(0)
