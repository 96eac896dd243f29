// A pool in which sets of documents compete, with the real embedding model and the demo's model as judge.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

const COMPLETE_MS = 120_000

const QUESTIONS = [
  ['Why does bread rise?', 'Yeast makes gas in the dough.', ['yeast eats sugar']],
  ['How is bread baked?', 'In a hot oven for forty minutes.', ['hot oven']],
  ['When does it rain most?', 'In autumn.', ['rains most in autumn', 'autumn storms']],
  ['What does the sun do in spring?', 'It melts the snow.', ['melts the snow']],
  ['How do bees find flowers?', 'By colour and scent.', []]
]
const GOOD = ['Bread rises because yeast eats sugar and makes gas.', 'Bake the bread in a hot oven for forty minutes.',
  'It rains most in autumn.', 'The first autumn storms come in October.', 'In spring the sun melts the snow.',
  'Bees find flowers by their colour and scent.', 'A stone is hard.']
const POOR = ['Bread is sold in shops.', 'Rain is water.', 'The sun is a star.', '<b>Bees</b> live in hives.']

/** From the questions to two complete entries; the paths of the pages. */
export async function documentsContest (node) {
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
  const sets = []
  for (const [wallet, contents] of [['trainer-1', GOOD], ['funder', POOR]]) {
    const rows = contents.map(content => ({ content, meta: { by: wallet } }))
    const { dataset_hash: hash } = await node.run('-w', node.wallet(wallet), 'knowledge', 'create', file(wallet, rows))
    await node.run('-w', node.wallet(wallet), 'pool', 'join', pool, hash)
    sets.push(hash)
  }
  await complete(node, pool)
  return { dataset, pool: `/pool/${pool}`, entry: `/pool/${pool}/entry/${sets[0]}`, set: `/documents/${sets[0]}`, sets }
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
