// Keys that the checks sign with: one for each of the four signature types of ANS-104.

import { createHash, generateKeyPairSync } from 'node:crypto'

import { ArweaveSigner, EthereumSigner, HexSolanaSigner, SolanaSigner } from '@dha-team/arbundles'

/** An RSA key of 4096 bits as a JWK, which is an Arweave wallet. */
export const jwk = generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey.export({ format: 'jwk' })

/** Its address: where processes answer it. */
export const address = createHash('sha256').update(Buffer.from(jwk.n, 'base64url')).digest('base64url')

/** Signers of arbundles by the number of their signature type. */
export const signers = {
  1: new ArweaveSigner(jwk),
  2: new SolanaSigner(solanaKey()),
  3: new EthereumSigner('11'.repeat(32)),
  4: new HexSolanaSigner(solanaKey())
}

/** Secret key and public key of Ed25519 one after the other in base 58, as Solana wallets export them. */
function solanaKey () {
  const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return base58(Buffer.concat([Buffer.from(key.d, 'base64url'), Buffer.from(key.x, 'base64url')]))
}

function base58 (bytes) {
  const alphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
  let number = BigInt(`0x${bytes.toString('hex')}`)
  let text = ''
  for (; number > 0n; number /= 58n) text = alphabet[Number(number % 58n)] + text
  for (const byte of bytes) {
    if (byte !== 0) break
    text = `1${text}`
  }
  return text
}
