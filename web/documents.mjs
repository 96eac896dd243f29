// A pool in which sets of documents compete, with the real embedding model and the demo's model as judge.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { HOSTILE, HOSTILE_SHOWN } from './hostile.mjs'
import { createSet, enterDocuments } from './walk.mjs'

const COMPLETE_MS = 120_000

const QUESTIONS = [
  ['Why does bread rise?', 'Yeast makes gas in the dough.', ['yeast eats sugar']],
  ['How is bread baked?', 'In a hot oven for forty minutes.', ['hot oven']],
  ['When does it rain most?', 'In autumn.', ['rains most in autumn', 'autumn storms']],
  ['What does the sun do in spring?', 'It melts the snow.', ['melts the snow']],
  ['How do bees find flowers?', 'By colour and scent.', []],
  [`${HOSTILE_SHOWN} Who?`, HOSTILE_SHOWN, [HOSTILE]]
]
const GOOD = ['Bread rises because yeast eats sugar and makes gas.', 'Bake the bread in a hot oven for forty minutes.',
  'It rains most in autumn.', 'The first autumn storms come in October.', 'In spring the sun melts the snow.',
  'Bees find flowers by their colour and scent.', 'A stone is hard.', `${HOSTILE} \u0000`]
const POOR = ['Bread is sold in shops.', 'Rain is water.', 'The sun is a star.', '<b>Bees</b> live in hives.']

/** From the questions to two complete entries, which join from the page; the paths of the pages. */
export async function documentsContest (node, page) {
  const file = (name, rows) => {
    const path = join(node.folder, `${name}.jsonl`)
    writeFileSync(path, rows.map(row => JSON.stringify(row)).join('\n'))
    return path
  }
  const questions = QUESTIONS.map(([question, expected, evidence]) => ({ question, expected_response: expected, evidence }))
  const { dataset } = await node.run('-w', node.wallet('funder'), 'dataset', 'retrieval', file('questions', questions),
    '--title', 'Bread and weather', '--judges', '3', '--documents', '3', '--license', 'CC0-1.0')
  const { id: pool } = await node.run('-w', node.wallet('funder'), 'pool', 'create', '--dataset', dataset, '--amount', '20',
    '--title', 'Who has the better notes?')
  // One set from the page of all sets, whose metas have numbers that JavaScript would write otherwise; one while joining.
  const good = join(node.folder, 'good.jsonl')
  writeFileSync(good, GOOD.map(content => `{"content":${JSON.stringify(content)},"meta":{"weight":1.0,"id":12345678901234567890}}`).join('\n'))
  const first = await createSet(page, node, 'trainer-1', good)
  const again = await node.run('-w', node.wallet('trainer-1'), 'knowledge', 'create', good)
  assert.deepEqual([again.dataset_hash, again.embedded, again.pending], [first, GOOD.length, 0], 'the command line makes the same set')
  await enterDocuments(page, node, `/pool/${pool}`, 'trainer-1', { hash: first })
  const second = await enterDocuments(page, node, `/pool/${pool}`, 'funder', { file: file('poor', POOR.map(content => ({ content }))) })
  const sets = [first, second]
  await complete(node, pool)
  return { dataset, pool: `/pool/${pool}`, entry: `/pool/${pool}/entry/${sets[1]}`, set: `/documents/${sets[0]}`, sets }
}

async function complete (node, pool) {
  const end = Date.now() + COMPLETE_MS
  for (;;) {
    const { leaderboard } = await fetch(`${node.url}/pool/${pool}.json`).then(answer => answer.json())
    if (leaderboard.length === 2 && leaderboard.every(line => line.status === 'Complete')) return
    if (Date.now() > end) throw new Error(`the documents are not judged: ${JSON.stringify(leaderboard)}`)
    await new Promise(resolve => setTimeout(resolve, 300))
  }
}
