// Data items of ANS-104, signed in this page: the same bytes that the command line makes. A key is a function that signs;
// what it is made of stays inside it.

import { Sha384, sha384 } from './sha384.js'

const text = new TextEncoder()
const PIECE = 4 * 1024 * 1024

export const encode = bytes => {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 8192) binary += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export const decode = string =>
  Uint8Array.from(atob(string.replaceAll('-', '+').replaceAll('_', '/')), character => character.charCodeAt(0))

export const concat = (...parts) => {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** What hashes and signs in a browser, where it has that. */
export function subtle () {
  if (!crypto.subtle) throw new Error('This browser signs only on pages from https:// or from this machine (localhost).')
  return crypto.subtle
}

const hash = async bytes => new Uint8Array(await subtle().digest('SHA-256', bytes))

/** A number as Avro writes it: zigzag, seven bits at a time. */
function avro (number) {
  const bytes = []
  let rest = number * 2
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  return Uint8Array.of(...bytes, rest)
}

/** Tags `[[name, value], …]` as an item has them. */
export function encodeTags (tags) {
  if (tags.length === 0) return new Uint8Array()
  const fields = tags.flat().map(field => text.encode(field)).flatMap(bytes => [avro(bytes.length), bytes])
  return concat(avro(tags.length), ...fields, Uint8Array.of(0))
}

const little = (number, width) => {
  const bytes = new Uint8Array(width)
  for (let index = 0, rest = number; index < width; index++, rest = Math.floor(rest / 256)) bytes[index] = rest % 256
  return bytes
}

const blob = (length, digest) => sha384(sha384(text.encode(`blob${length}`)), digest)
const blobOf = bytes => blob(bytes.length, sha384(bytes))

/** What the signature covers: the deep hash of the fields and of data with this SHA-384. */
function signedHash (key, target, anchor, tags, length, digest) {
  const fields = [text.encode('dataitem'), text.encode('1'), text.encode(`${key.type}`), key.owner, target, anchor, tags]
  const start = sha384(text.encode(`list${fields.length + 1}`))
  const list = fields.reduce((list, field) => sha384(list, blobOf(field)), start)
  return sha384(list, blob(length, digest))
}

/**
 * Everything of a signed item before its data, for data of this length and SHA-384; and its id.
 * `target` is an id as text or nothing.
 */
export async function header (key, target, tags, length, digest) {
  const to = target ? decode(target) : new Uint8Array()
  const anchor = crypto.getRandomValues(new Uint8Array(32))
  const encoded = encodeTags(tags)
  const signature = await key.sign(signedHash(key, to, anchor, encoded, length, digest))
  const optional = field => field.length === 0 ? Uint8Array.of(0) : concat(Uint8Array.of(1), field)
  const bytes = concat(little(key.type, 2), signature, key.owner, optional(to), optional(anchor), little(tags.length, 8),
    little(encoded.length, 8), encoded)
  return { bytes, id: encode(await hash(signature)) }
}

/** A whole signed item of a short text; and its id. */
export async function item (key, target, tags, data) {
  const body = text.encode(data)
  if (key.signItem) return key.signItem(target, tags, body)
  const { bytes, id } = await header(key, target, tags, body.length, sha384(body))
  return { bytes: concat(bytes, body), id }
}

/** The SHA-384 of a file, read piece by piece. */
export async function digestOf (file, progress) {
  const hash = new Sha384()
  for (let at = 0; at < file.size; at += PIECE) {
    hash.update(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()))
    progress(Math.min(at + PIECE, file.size))
  }
  return hash.digest()
}

/** A key from a JSON Web Key: RSA as Arweave has it, or Ed25519. It cannot be read out of what is returned. */
export async function keyOf (jwk) {
  if (jwk.kty === 'RSA') return rsaKey(jwk)
  if (jwk.kty === 'OKP' && jwk.crv === 'Ed25519') return edKey(jwk)
  throw new Error('This is neither an RSA nor an Ed25519 key; the command line takes further kinds.')
}

async function rsaKey (jwk) {
  const { kty, n, e, d, p, q, dp, dq, qi } = jwk
  const algorithm = { name: 'RSA-PSS', hash: 'SHA-256' }
  const key = await subtle().importKey('jwk', { kty, n, e, d, p, q, dp, dq, qi }, algorithm, false, ['sign'])
  const owner = decode(n)
  const sign = async bytes => new Uint8Array(await subtle().sign({ name: 'RSA-PSS', saltLength: 32 }, key, bytes))
  return { type: 1, owner, address: encode(await hash(owner)), sign }
}

async function edKey (jwk) {
  const { kty, crv, x, d } = jwk
  const key = await subtle().importKey('jwk', { kty, crv, x, d }, 'Ed25519', false, ['sign'])
  const owner = decode(x)
  const sign = async bytes => new Uint8Array(await subtle().sign('Ed25519', key, bytes))
  return { type: 2, owner, address: encode(await hash(owner)), sign }
}

const PERMISSIONS = ['ACCESS_ADDRESS', 'SIGN_TRANSACTION']

/**
 * Bytes of data that a wallet of the browser can sign: an item goes to an extension as numbers in JSON, and a message to an
 * extension has at most 64 MiB.
 */
export const WALLET_BYTES_MAX = 16 * 1024 * 1024

/** The wallet of the browser (Wander's `arweaveWallet`), which signs whole items itself. */
export async function walletKey (wallet) {
  await wallet.connect(PERMISSIONS, { name: 'aobench' })
  // Whoever connects may leave some permissions out.
  const granted = wallet.getPermissions ? await wallet.getPermissions() : PERMISSIONS
  const missing = PERMISSIONS.filter(permission => !granted.includes(permission))
  if (missing.length > 0) throw new Error(`the wallet did not allow ${missing.join(' and ')}`)
  const address = await wallet.getActiveAddress()
  const signItem = async (target, tags, data) => {
    const named = tags.map(([name, value]) => ({ name, value }))
    const bytes = new Uint8Array(await wallet.signDataItem({ data, tags: named, ...(target ? { target } : {}) }))
    if (bytes[0] !== 1 || bytes[1] !== 0) throw new Error('the wallet signed with another kind of key than RSA')
    const signer = encode(await hash(bytes.subarray(514, 1026)))
    if (signer !== address) throw new Error(`the wallet signed as ${signer} by now: connect it again`)
    return { bytes, id: encode(await hash(bytes.subarray(2, 514))) }
  }
  return { address, signItem, isWallet: true }
}
