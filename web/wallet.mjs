// A wallet of the browser as Wander (once ArConnect) injects it, version 1.41: the same functions, checks and permissions. Every
// call is answered outside of the page, as by the extension; what it refuses comes as a text and not as an Error; items have no
// anchor but the one that is asked for.

import { constants, createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'

const FUNCTIONS = ['connect', 'disconnect', 'getActiveAddress', 'getActivePublicKey', 'getAllAddresses', 'getPermissions',
  'getWalletNames', 'signDataItem']
const NEEDED = {
  getActiveAddress: ['ACCESS_ADDRESS'],
  getActivePublicKey: ['ACCESS_PUBLIC_KEY'],
  getAllAddresses: ['ACCESS_ALL_ADDRESSES'],
  getWalletNames: ['ACCESS_ALL_ADDRESSES'],
  signDataItem: ['SIGN_TRANSACTION']
}
const PERMISSIONS = ['ACCESS_ADDRESS', 'ACCESS_PUBLIC_KEY', 'ACCESS_ALL_ADDRESSES', 'SIGN_TRANSACTION', 'ENCRYPT', 'DECRYPT',
  'SIGNATURE', 'ACCESS_ARWEAVE_CONFIG', 'DISPATCH', 'ACCESS_TOKENS']
const CANCELLED = 'User cancelled the AuthRequest'

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey.export({ format: 'jwk' })
const addressOf = jwk => createHash('sha256').update(Buffer.from(jwk.n, 'base64url')).digest('base64url')

/** What its user does: which of the keys is chosen, which permissions are left out, and what is refused. */
export class WalletUser {
  constructor () {
    this.keys = [newKey(), newKey()]
    this.addresses = this.keys.map(addressOf)
    this.active = 0
    this.granted = []
    this.leavesOut = []
    this.refuses = []
    this.asked = []
  }

  /** What the extension answers to a call. */
  async answer (name, params) {
    this.asked.push(name)
    const missing = (NEEDED[name] ?? []).filter(permission => !this.granted.includes(permission))
    if (missing.length > 0) throw new Error(`Missing permission(s) for "${name}": ${missing.join(', ')}`)
    if (name === 'getActiveAddress') return this.addresses[this.active]
    if (name === 'getActivePublicKey') return this.keys[this.active].n
    if (name === 'getAllAddresses') return this.addresses
    if (name === 'getPermissions') return this.granted
    if (name === 'getWalletNames') return Object.fromEntries(this.addresses.map(address => [address, 'Account']))
    if (name === 'disconnect') this.granted = []
    if (name === 'connect') return this.connect(...params)
    if (name === 'signDataItem') return this.sign(...params)
  }

  connect (permissions, about = {}) {
    if (!Array.isArray(permissions) || permissions.length === 0) throw new Error('Array is empty.')
    if (!permissions.every(permission => PERMISSIONS.includes(permission))) throw new Error('Input is not a valid permission.')
    const unknown = Object.keys(about).find(field => !['name', 'logo'].includes(field))
    if (unknown) throw new Error(`"${unknown}" is not a valid field for AppInfo.`)
    if (permissions.every(permission => this.granted.includes(permission))) return
    if (this.refuses.includes('connect')) throw new Error(`Error: ${CANCELLED}`)
    this.granted = permissions.filter(permission => !this.leavesOut.includes(permission))
  }

  async sign ({ data, ...options }) {
    const isTag = tag => Object.keys(tag).sort().join() === 'name,value' && Object.values(tag).every(part => typeof part === 'string')
    if (!options.tags?.every(isTag)) throw new Error('Invalid tags array.')
    if (this.refuses.includes('signDataItem')) throw new Error(CANCELLED)
    return Array.from(signedItem(this.keys[this.active], { data: Buffer.from(data), ...options }))
  }
}

const digest = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha384')).digest()

/** The deep hash of ANS-104. */
function deepHash (value) {
  if (!Array.isArray(value)) return digest(digest(`blob${value.length}`), digest(value))
  return value.reduce((list, one) => digest(Buffer.concat([list, deepHash(one)])), digest(`list${value.length}`))
}

/** A number as Avro has it. */
function avro (number) {
  const bytes = []
  for (let rest = number * 2; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest % 128) | 128)
  }
}

/** A data item of ANS-104 signed with an RSA key. */
function signedItem (jwk, { data, tags, target = '', anchor = '' }) {
  const [owner, to, at] = [Buffer.from(jwk.n, 'base64url'), Buffer.from(target, 'base64url'), Buffer.from(anchor)]
  const fields = tags.flatMap(({ name, value }) => [name, value]).map(text => Buffer.from(text))
  const encoded = tags.length === 0
    ? Buffer.alloc(0)
    : Buffer.concat([avro(tags.length), ...fields.flatMap(field => [avro(field.length), field]), Buffer.from([0])])
  const parts = ['dataitem', '1', '1'].map(text => Buffer.from(text))
  const hash = deepHash([...parts, owner, to, at, encoded, data])
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  const signature = sign('sha256', hash, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
  const optional = field => field.length === 0 ? Buffer.from([0]) : Buffer.concat([Buffer.from([1]), field])
  const number = value => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    return bytes
  }
  return Buffer.concat([Buffer.from([1, 0]), signature, owner, optional(to), optional(at), number(tags.length),
    number(encoded.length), encoded, data])
}

/** Puts the wallet of this user into every page of a context. */
export async function injectWallet (context, user) {
  await context.exposeFunction('answerOfTheExtension', async (name, params) => {
    try {
      return { data: await user.answer(name, params) }
    } catch (error) {
      return { refused: error.message }
    }
  })
  await context.addInitScript(inject, FUNCTIONS)
}

/** Runs in the page. */
function inject (names) {
  const call = name => async (...params) => {
    let given = params
    if (name === 'signDataItem') {
      const [item] = params
      if (typeof item.data !== 'string' && !ArrayBuffer.isView(item.data)) throw new Error('Input is not an ArrayBuffer.')
      const bytes = typeof item.data === 'string' ? new TextEncoder().encode(item.data) : item.data
      given = [{ ...item, data: Array.from(bytes) }]
    }
    const { data, refused } = await window.answerOfTheExtension(name, given)
    // A text, as the extension does it.
    if (refused) throw refused
    return name === 'signDataItem' ? new Uint8Array(data).buffer : data
  }
  const wallet = Object.fromEntries(names.map(name => [name, call(name)]))
  // The extension comes after the page has begun, and tells every listener again.
  const listen = window.addEventListener
  const arrive = () => {
    window.arweaveWallet = { walletName: 'ArConnect', walletVersion: '1.41.3', ...wallet }
    window.dispatchEvent(new CustomEvent('arweaveWalletLoaded', { detail: { permissions: [] } }))
  }
  window.addEventListener = function (name, ...rest) {
    listen.call(this, name, ...rest)
    if (name === 'arweaveWalletLoaded') setTimeout(arrive, 50)
  }
}
