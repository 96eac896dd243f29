// The node that served this page: messages to its processes, what it answers, and uploads in parts that survive a break.

import { concat, digestOf, header, item } from './item.js'

const PART = 5 * 1024 * 1024
const ATTEMPTS = 6
const ANSWER_MS = 120_000

const AO = [['Data-Protocol', 'ao'], ['Type', 'Message'], ['Variant', 'ao.TN.1']]

const pause = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

/** A request that is tried again while the node is busy or away. */
export async function ask (path, options) {
  for (let attempt = 1; ; attempt++) {
    let reason
    try {
      const answer = await fetch(path, options)
      if (answer.ok) return await answer.json()
      const said = await answer.json().catch(() => ({}))
      reason = new Error(said.error ?? `the node answered ${answer.status}`)
      reason.status = answer.status
      if (answer.status < 500) throw reason
    } catch (error) {
      if (error.status && error.status < 500) throw error
      reason = error
    }
    if (attempt === ATTEMPTS) throw reason
    await pause(250 * 2 ** attempt)
  }
}

/** Sends a message in the name of a key; its id. */
export async function send (key, target, tags, data) {
  const { bytes, id } = await item(key, target, [...AO, ...tags], data)
  await ask('/', { method: 'POST', body: bytes, headers: { 'content-type': 'application/octet-stream' } })
  const result = await ask(`/result/${id}?process-id=${target}`)
  const error = result.Error ?? result.Output?.error
  if (error) throw new Error(error)
  return id
}

/** Waits for one of these actions in the inbox of an address, from a sender, because of a message. */
export async function notice (address, from, message, actions) {
  const end = Date.now() + ANSWER_MS
  let next = 0
  while (Date.now() < end) {
    const page = await ask(`/inbox/${address}?from=${next}&wait=10`)
    for (const entry of page.messages) {
      const tags = new Map(entry.tags.map(({ name, value }) => [name, value]))
      const is = (one, other) => one === other
      if (is(entry.from, from) && is(entry.pushed_for, message) && actions.includes(tags.get('Action'))) return tags
    }
    next = page.next
  }
  throw new Error('No answer came within two minutes. It may still come: the page of the pool shows it.')
}

const saved = file => `aobench upload ${file.name} ${file.size} ${file.lastModified}`

/** What is known of an upload of this file that was broken off: its signed header and how far it was. */
function resumed (file, key) {
  try {
    const kept = JSON.parse(localStorage.getItem(saved(file)))
    if (kept?.address !== key.address) return null
    return { ...kept, header: Uint8Array.from(atob(kept.header), character => character.charCodeAt(0)) }
  } catch {
    return null
  }
}

function keep (file, upload) {
  const header = btoa(String.fromCharCode(...upload.header))
  try {
    localStorage.setItem(saved(file), JSON.stringify({ ...upload, header }))
  } catch {
    // Without storage it goes on only while this page is open.
  }
}

/**
 * Uploads a model: hashed and signed here, then sent in parts. `progress(share, what)` is told how far it is.
 * A wallet that signs whole items is given the whole file. The id of the upload.
 */
export async function upload (key, file, progress) {
  const tags = [
    ['Content-Type', 'application/x-gguf'], ['Name', file.name.replace(/\.gguf$/i, '')],
    // Nobody who sees the upload and is quicker can enter it.
    ['Participant', key.address]
  ]
  if (key.signItem) return uploadWhole(key, file, tags, progress)
  let state = resumed(file, key)
  if (state) {
    const known = await fetch(`/v1/chunks/arweave/${state.upload}/status`)
    if (!known.ok) state = null
  }
  if (!state) {
    const digest = await digestOf(file, done => progress(done / file.size / 2, 'Signing'))
    const { bytes, id } = await header(key, null, tags, file.size, digest)
    const { id: upload } = await ask('/v1/chunks/arweave/-1/-1')
    state = { address: key.address, id, upload, header: bytes, sent: 0 }
    keep(file, state)
  }
  await sendParts(file, state, progress)
  localStorage.removeItem(saved(file))
  return state.id
}

async function sendParts (file, state, progress) {
  const total = state.header.length + file.size
  const path = `/v1/chunks/arweave/${state.upload}`
  const options = body => ({ method: 'POST', body, headers: { 'content-type': 'application/octet-stream' } })
  while (state.sent < total) {
    const end = Math.min(state.sent + PART, total)
    const begin = state.sent - state.header.length
    const rest = file.slice(Math.max(begin, 0), end - state.header.length)
    const part = state.sent < state.header.length
      ? concat(state.header.subarray(state.sent), new Uint8Array(await rest.arrayBuffer()))
      : rest
    await ask(`${path}/${state.sent}`, options(part))
    state.sent = end
    keep(file, state)
    progress(0.5 + state.sent / total / 2, 'Uploading')
  }
  const status = await ask(`${path}/status`)
  if (status.status !== 'FINALIZED') await ask(`${path}/finalize`, { method: 'POST' })
}

async function uploadWhole (key, file, tags, progress) {
  progress(0.1, 'Signing in the wallet')
  const { bytes, id } = await key.signItem(null, tags, new Uint8Array(await file.arrayBuffer()))
  progress(0.5, 'Uploading')
  await ask('/tx', { method: 'POST', body: bytes, headers: { 'content-type': 'application/octet-stream' } })
  progress(1, 'Uploading')
  return id
}
