// Joining and funding from the page: a key, a form, a signed message, and what came of it.

import { WALLET_BYTES_MAX, keyOf, walletKey } from './item.js'
import { notice, send, upload } from './node.js'

const DENOMINATION = 12

const element = id => document.getElementById(id)
const form = element('join') ?? element('fund')
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

async function join () {
  const [pool, benchmark] = [given('pool'), given('benchmark')]
  const documents = element('documents')?.value.trim().toLowerCase()
  const model = documents ?? await theModel()
  const data = JSON.stringify({ dataset: pool, ...(documents ? { documents } : { model }) })
  const message = await send(key, benchmark, [['Action', 'Join-Pool']], data)
  const tags = await notice(key.address, benchmark, message, ['Join-Response', 'Join-Error'])
  if (tags.get('Action') === 'Join-Error') throw new Error(tags.get('Error'))
  say(documents ? 'Your documents have joined.' : 'Your model has joined.', { href: `/pool/${pool}/entry/${model}`, text: 'Its page' })
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
    await (form.id === 'join' ? join() : fund())
  } catch (error) {
    say(`It did not work: ${reasonOf(error)}`)
  } finally {
    go.disabled = key === null
  }
})
