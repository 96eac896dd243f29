// SHA-384 (FIPS 180-4) of data that comes piece by piece. The browser's own needs all of it at once, and a model does not fit
// into memory. Words of 64 bits are two of 32: the high one first.

const PRIMES = []
for (let candidate = 2; PRIMES.length < 80; candidate++) {
  if (PRIMES.every(prime => candidate % prime !== 0)) PRIMES.push(candidate)
}

/** The first 64 bits of the fractional part of a root of a prime, found by bisection in whole numbers. */
function fraction (prime, power) {
  const wanted = BigInt(prime) << (64n * BigInt(power))
  let low = 0n
  let high = 1n << 72n
  while (high - low > 1n) {
    const middle = (low + high) >> 1n
    if (middle ** BigInt(power) <= wanted) low = middle
    else high = middle
  }
  return low & 0xffffffffffffffffn
}

const split = values => {
  const words = new Int32Array(values.length * 2)
  values.forEach((value, index) => {
    words[2 * index] = Number(BigInt.asIntN(32, value >> 32n))
    words[2 * index + 1] = Number(BigInt.asIntN(32, value))
  })
  return words
}

const K = split(PRIMES.map(prime => fraction(prime, 3)))
const START = split(PRIMES.slice(8, 16).map(prime => fraction(prime, 2)))
const BLOCK = 128

/** A hash in the making: `update` any number of times, then `digest`. */
export class Sha384 {
  constructor () {
    this.state = START.slice()
    this.schedule = new Int32Array(160)
    this.rest = new Uint8Array(BLOCK)
    this.restLength = 0
    this.length = 0
  }

  update (bytes) {
    this.length += bytes.length
    let offset = 0
    if (this.restLength > 0) {
      offset = Math.min(BLOCK - this.restLength, bytes.length)
      this.rest.set(bytes.subarray(0, offset), this.restLength)
      this.restLength += offset
      if (this.restLength < BLOCK) return this
      this.#block(this.rest, 0)
      this.restLength = 0
    }
    for (; offset + BLOCK <= bytes.length; offset += BLOCK) this.#block(bytes, offset)
    this.rest.set(bytes.subarray(offset))
    this.restLength = bytes.length - offset
    return this
  }

  digest () {
    const bits = BigInt(this.length) * 8n
    const padding = new Uint8Array((this.restLength < 112 ? 128 : 256) - this.restLength)
    padding[0] = 0x80
    new DataView(padding.buffer).setBigUint64(padding.length - 8, bits)
    this.update(padding)
    const digest = new DataView(new ArrayBuffer(48))
    for (let index = 0; index < 12; index++) digest.setInt32(4 * index, this.state[index])
    return new Uint8Array(digest.buffer)
  }

  #block (bytes, offset) {
    const w = this.schedule
    for (let index = 0, at = offset; index < 32; index++, at += 4) {
      w[index] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]
    }
    for (let index = 32; index < 160; index += 2) {
      const h15 = w[index - 30]
      const l15 = w[index - 29]
      const h2 = w[index - 4]
      const l2 = w[index - 3]
      const low0 = ((l15 >>> 1) | (h15 << 31)) ^ ((l15 >>> 8) | (h15 << 24)) ^ ((l15 >>> 7) | (h15 << 25))
      const high0 = ((h15 >>> 1) | (l15 << 31)) ^ ((h15 >>> 8) | (l15 << 24)) ^ (h15 >>> 7)
      const low1 = ((l2 >>> 19) | (h2 << 13)) ^ ((h2 >>> 29) | (l2 << 3)) ^ ((l2 >>> 6) | (h2 << 26))
      const high1 = ((h2 >>> 19) | (l2 << 13)) ^ ((l2 >>> 29) | (h2 << 3)) ^ (h2 >>> 6)
      const low = (low0 >>> 0) + (low1 >>> 0) + (w[index - 13] >>> 0) + (w[index - 31] >>> 0)
      w[index] = (high0 + high1 + w[index - 14] + w[index - 32] + Math.floor(low / 0x100000000)) | 0
      w[index + 1] = low | 0
    }
    let [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl] = this.state
    for (let index = 0; index < 160; index += 2) {
      const high1 = ((eh >>> 14) | (el << 18)) ^ ((eh >>> 18) | (el << 14)) ^ ((el >>> 9) | (eh << 23))
      const low1 = ((el >>> 14) | (eh << 18)) ^ ((el >>> 18) | (eh << 14)) ^ ((eh >>> 9) | (el << 23))
      const low = (hl >>> 0) + (low1 >>> 0) + (((el & fl) ^ (~el & gl)) >>> 0) + (K[index + 1] >>> 0) + (w[index + 1] >>> 0)
      const high = (hh + high1 + ((eh & fh) ^ (~eh & gh)) + K[index] + w[index] + Math.floor(low / 0x100000000)) | 0
      const high0 = ((ah >>> 28) | (al << 4)) ^ ((al >>> 2) | (ah << 30)) ^ ((al >>> 7) | (ah << 25))
      const low0 = ((al >>> 28) | (ah << 4)) ^ ((ah >>> 2) | (al << 30)) ^ ((ah >>> 7) | (al << 25))
      const sum = (low0 >>> 0) + (((al & bl) ^ (al & cl) ^ (bl & cl)) >>> 0)
      const top = (high0 + ((ah & bh) ^ (ah & ch) ^ (bh & ch)) + Math.floor(sum / 0x100000000)) | 0
      hh = gh; hl = gl; gh = fh; gl = fl; fh = eh; fl = el
      const e = (dl >>> 0) + (low >>> 0)
      const carried = low >>> 0
      eh = (dh + high + Math.floor(((dl >>> 0) + carried) / 0x100000000)) | 0
      el = e | 0
      dh = ch; dl = cl; ch = bh; cl = bl; bh = ah; bl = al
      const a = carried + (sum >>> 0)
      ah = (high + top + Math.floor(a / 0x100000000)) | 0
      al = a | 0
    }
    const next = [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl]
    for (let index = 0; index < 16; index += 2) {
      const low = (this.state[index + 1] >>> 0) + (next[index + 1] >>> 0)
      this.state[index] = (this.state[index] + next[index] + Math.floor(low / 0x100000000)) | 0
      this.state[index + 1] = low | 0
    }
  }
}

/** The hash of bytes that are all there. */
export const sha384 = (...parts) => parts.reduce((hash, part) => hash.update(part), new Sha384()).digest()
