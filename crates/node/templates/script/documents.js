// Sets of documents: read as the command line reads them, held to the limits of the knowledge process, and sent as the same
// signed message. A set has a name (SHA-1 over all contents), which the process checks.

import { subtle } from './item.js'
import { ask, send } from './node.js'

const VECTORS_MS = 120_000
const PAUSE_MS = 1000

const bytes = text => new TextEncoder().encode(text)

const hexadecimal = buffer => [...new Uint8Array(buffer)].map(byte => byte.toString(16).padStart(2, '0')).join('')

async function textOf (file) {
  try {
    // A mark of the byte order at the beginning is left out.
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer())
  } catch {
    throw new Error(`${file.name} is no text in UTF-8`)
  }
}

/** Every paragraph as a document. */
function paragraphs (text) {
  const contents = text.replaceAll('\r\n', '\n').split('\n\n').map(paragraph => paragraph.trim()).filter(paragraph => paragraph)
  const documents = contents.map(content => ({ content, meta: null }))
  return { documents, list: JSON.stringify(documents) }
}

function parsed (json, what) {
  try {
    return JSON.parse(json)
  } catch {
    throw new Error(`${what} is no JSON`)
  }
}

/** Documents of a JSON list or of JSON lines. What is sent is the text itself, so that a number stays as it was written. */
function ofJson (text) {
  if (text.trimStart().startsWith('[')) return { documents: parsed(text, 'the file'), list: text }
  const lines = text.split('\n').map((line, number) => [line.trim(), `line ${number + 1}`]).filter(([line]) => line)
  return { documents: lines.map(([line, what]) => parsed(line, what)), list: `[${lines.map(([line]) => line).join(',')}]` }
}

/** The first thing that the process would refuse. */
function check ({ documents, list }, limits) {
  const within = (what, size, most) => { if (size > most) throw new Error(`${what} has ${size} bytes, and ${most} are allowed`) }
  if (documents.length === 0) throw new Error('there is no document in it')
  if (documents.length > limits.documents) throw new Error(`there are ${documents.length} documents, and ${limits.documents} are allowed`)
  documents.forEach((document, index) => {
    const what = `document ${index + 1}`
    if (typeof document?.content !== 'string') throw new Error(`${what} is no {"content", "meta"}`)
    if (!document.content.trim()) throw new Error(`${what} has no content`)
    within(`the content of ${what}`, bytes(document.content).length, limits.contentBytes)
    within(`the meta of ${what}`, bytes(JSON.stringify(document.meta ?? null)).length, limits.metaBytes)
  })
  within('the list of all documents', bytes(list).length, limits.listBytes)
}

/** The set in a file, or in a text; nothing if there is neither. `{hash, count, list}`, the list as the JSON that is sent. */
export async function read (file, text, limits) {
  if (!file && !text.trim()) return null
  if (file && text.trim()) throw new Error('there is a file, and there are texts: a set is made of one of them')
  const isJson = file && /\.jsonl?$/i.test(file.name)
  const found = isJson ? ofJson(await textOf(file)) : paragraphs(file ? await textOf(file) : text)
  check(found, limits)
  const contents = bytes(found.documents.map(document => document.content).join(''))
  const hash = hexadecimal(await subtle().digest('SHA-1', contents))
  return { hash, count: found.documents.length, bytes: contents.length, list: found.list }
}

/** Creates a set in the name of a key. */
export const create = (key, knowledge, { hash, list }) =>
  send(key, knowledge, [['Action', 'Create-Dataset']], `{"hash":"${hash}","list":${list}}`)

/** Waits until every document has its vector or has failed, or for two minutes; how far the set is then. */
export async function vectors (knowledge, hash, progress) {
  const end = Date.now() + VECTORS_MS
  for (;;) {
    const { set } = await ask(`/documents/${hash}.json?knowledge=${knowledge}`)
    progress((set.embedded + set.failed) / set.documents, 'Vectors')
    if (set.pending === 0 || Date.now() > end) return set
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
}
