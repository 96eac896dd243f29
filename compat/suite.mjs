// Checks with names, run one after the other, and the table of what came of them.

import { readFileSync } from 'node:fs'

const CHECK_MS = 180_000

/** The checks in the order in which they were named. */
const checks = []

/** Names a check of a client: `run(node)` throws if the client does not get what it expects. */
export function check (client, call, run) {
  checks.push({ client, call, run })
}

/** Runs all checks; true if every failure is a known difference and every known difference still is one. */
export async function runAll (node) {
  const known = JSON.parse(readFileSync(new URL('known-differences.json', import.meta.url), 'utf8'))
  const rows = []
  for (const { client, call, run } of checks) {
    const difference = known.find(entry => entry.client === client && entry.call === call)
    const error = await outcome(run, node)
    rows.push({ client, call, ...verdict(error, difference) })
  }
  for (const entry of known.filter(entry => !checks.some(({ client, call }) => entry.client === client && entry.call === call))) {
    rows.push({ client: entry.client, call: entry.call, result: 'FAIL', note: 'listed as a known difference, and no check has this name' })
  }
  print(rows)
  return rows.every(row => row.result !== 'FAIL')
}

async function outcome (run, node) {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_MS} ms`)), CHECK_MS)
  })
  try {
    await Promise.race([run(node), late])
    return null
  } catch (error) {
    return error
  } finally {
    clearTimeout(timer)
  }
}

function verdict (error, difference) {
  if (!error && !difference) return { result: 'pass', note: '' }
  if (!error) return { result: 'FAIL', note: 'passes now: take it off known-differences.json' }
  const message = `${error?.message ?? error}`.replace(/\s+/g, ' ')
  if (process.env.VERBOSE) console.error(error)
  if (!difference) return { result: 'FAIL', note: message }
  if (!message.includes(difference.error)) return { result: 'FAIL', note: `expected '${difference.error}', got: ${message}` }
  return { result: 'known', note: difference.reason }
}

function print (rows) {
  const width = name => Math.max(...rows.map(row => row[name].length))
  const [client, call] = [width('client'), width('call')]
  for (const row of rows) {
    console.log(`${row.result.padEnd(5)}  ${row.client.padEnd(client)}  ${row.call.padEnd(call)}  ${row.note}`.trimEnd())
  }
  const count = result => rows.filter(row => row.result === result).length
  console.log(`\n${count('pass')} pass, ${count('known')} known differences, ${count('FAIL')} fail`)
}
