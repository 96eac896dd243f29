// Joining, funding and creating a set of documents from the page: a key, a form, a signed message, and what came of it.

import * as documents from './documents.js'
import { WALLET_BYTES_MAX, keyOf, walletKey } from './item.js'
import { notice, send, upload } from './node.js'

const DENOMINATION = 12

const element = id => document.getElementById(id)
const form = element('join') ?? element('fund') ?? element('create')
const said = element('said')
const go = element('go')
// Not `form.dataset`: that is the field of this name.
const given = name => form.getAttribute(`data-${name}`)
let key = null

/** What a wallet refuses it refuses with a text, and not with an error. */
const reasonOf = refused => typeof refused === 'string' ? refused : refused?.message ?? 'no reason was given'

/** Whose key it is, or why there is none. */
async function take (making) {
  const who = element('who')
  try {
    key = await making()
    who.textContent = `Signing as ${key.address}`
  } catch (error) {
    key = null
    who.textContent = `No key: ${reasonOf(error)}`
  }
  go.disabled = key === null
}

element('use-key').addEventListener('click', () => take(async () => {
  const text = element('jwk').value
  element('jwk').value = ''
  let jwk
  try {
    jwk = JSON.parse(text)
  } catch {
    throw new Error('this is no JSON')
  }
  return keyOf(jwk)
}))

/** A wallet may come after the page. */
function offerWallet () {
  const connect = element('connect')
  if (!window.arweaveWallet || !connect.hidden) return
  connect.hidden = false
  connect.addEventListener('click', () => take(() => walletKey(window.arweaveWallet)))
  // Another account of the same wallet was chosen.
  window.addEventListener('walletSwitch', () => { if (key?.isWallet) take(() => walletKey(window.arweaveWallet)) })
}
window.addEventListener('arweaveWalletLoaded', offerWallet)
offerWallet()

/** Says what happens, and where to go on. */
function say (text, link) {
  said.textContent = text
  if (!link) return
  const anchor = document.createElement('a')
  anchor.href = link.href
  anchor.textContent = link.text
  said.append(' ', anchor)
}

function progress (share, what) {
  const bar = element('bar')
  bar.hidden = false
  bar.value = share
  const text = `${what}: ${Math.floor(share * 100)} %`
  if (said.textContent !== text) said.textContent = text
}

/** The model that is entered: uploaded now, or before. */
async function theModel () {
  const file = element('file').files[0]
  if (file && key.isWallet && file.size > WALLET_BYTES_MAX) {
    const most = WALLET_BYTES_MAX / 1024 / 1024
    throw new Error(`a wallet signs files of up to ${most} MiB. Upload it from a shell (aobench model upload) and give its id here`)
  }
  const model = file ? await upload(key, file, progress) : element('model').value.trim()
  if (!model) throw new Error('choose a file, or give the id of an upload')
  say(`Model ${model} is here. Waiting for it to be checked.`)
  return model
}

/** The set of documents in the form, if there is one; said in a line as soon as it is chosen. */
async function theSet () {
  const field = element('set')
  const limits = Object.fromEntries(Object.entries(field.dataset).map(([name, value]) => [name, Number(value)]))
  const set = await documents.read(field.files[0], element('texts')?.value ?? '', limits)
  const many = set?.count === 1 ? 'document' : 'documents'
  element('read').textContent = set ? `${set.count} ${many}, ${set.bytes} bytes, the set ${set.hash}` : ''
  return set
}

async function describeSet () {
  try {
    await theSet()
  } catch (error) {
    element('read').textContent = `It cannot be created: ${reasonOf(error)}`
  }
}
for (const field of [element('set'), element('texts')]) field?.addEventListener('change', describeSet)

/** The set that is entered: created now, or before. */
async function theDocuments () {
  const set = element('set') ? await theSet() : null
  const hash = set?.hash ?? element('documents').value.trim().toLowerCase()
  if (!hash) throw new Error('choose a file, or give the hash of a set that you created')
  if (set) {
    await documents.create(key, given('knowledge'), set)
    say(`The set ${hash} is created.`)
  }
  return hash
}

async function createSet () {
  const [set, knowledge] = [await theSet(), given('knowledge')]
  if (!set) throw new Error('choose a file, or write the texts')
  await documents.create(key, knowledge, set)
  const { embedded, pending, failed } = await documents.vectors(knowledge, set.hash, progress)
  const others = [[pending, 'wait for a worker'], [failed, 'failed']].filter(([count]) => count > 0)
  const rest = others.map(([count, what]) => `, ${count} ${what}`).join('')
  say(`Your set is created. ${embedded} of ${set.count} can be found${rest}.`,
    { href: `/documents/${set.hash}?knowledge=${knowledge}`, text: 'Its page' })
}

async function join () {
  const [pool, benchmark] = [given('pool'), given('benchmark')]
  const isOfDocuments = element('documents') !== null
  const model = isOfDocuments ? await theDocuments() : await theModel()
  const data = JSON.stringify({ dataset: pool, [isOfDocuments ? 'documents' : 'model']: model })
  const message = await send(key, benchmark, [['Action', 'Join-Pool']], data)
  const tags = await notice(key.address, benchmark, message, ['Join-Response', 'Join-Error'])
  if (tags.get('Action') === 'Join-Error') throw new Error(tags.get('Error'))
  say(isOfDocuments ? 'Your documents have joined.' : 'Your model has joined.', { href: `/pool/${pool}/entry/${model}`, text: 'Its page' })
}

/** Whole tokens as a text of the smallest units. */
function units (text) {
  const [whole, part = ''] = text.trim().split('.')
  return BigInt(whole + part.padEnd(DENOMINATION, '0')).toString()
}

async function fund () {
  const [token, benchmark] = [given('token'), given('benchmark')]
  const value = id => element(id).value.trim()
  const tags = [
    ['Action', 'Transfer'], ['Recipient', benchmark], ['Quantity', units(value('amount'))],
    ['X-Dataset', value('dataset')], ['X-Allocation', value('allocation')], ['X-Ties', value('ties')],
    ['X-Duration', value('duration')]
  ]
  if (value('title')) tags.push(['X-Title', value('title')])
  say('Waiting for the pool to open.')
  const message = await send(key, token, tags, '')
  const answer = await notice(key.address, benchmark, message, ['Pool-Created', 'Pool-Error'])
  if (answer.get('Action') === 'Pool-Error') throw new Error(`${answer.get('Error')} The money is on its way back.`)
  say('Your pool is open.', { href: `/pool/${answer.get('Pool')}`, text: 'To the pool' })
}

form.addEventListener('submit', async event => {
  event.preventDefault()
  go.disabled = true
  try {
    await { join, fund, create: createSet }[form.id]()
  } catch (error) {
    say(`It did not work: ${reasonOf(error)}`)
  } finally {
    go.disabled = key === null
  }
})
