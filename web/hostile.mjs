// What a stranger may write, and a model file with such a name in it.

import { readFileSync, writeFileSync } from 'node:fs'

/** Markup, a picture, a turned direction of writing, a null, signs of several bytes, and length. */
export const HOSTILE = [
  '</td></table><script>window.hacked=1</script>',
  '<img src=x onerror="window.hacked=1">',
  '<svg onload="window.hacked=1"><a xlink:href="javascript:window.hacked=1">x</a></svg>',
  '"\' onmouseover=window.hacked=1 ',
  '\u202eevil\u202c \u2066x\u2069 \u200b',
  '👩‍👩‍👧‍👦 é ﷽ '
].join('')

/** A part of it that every page shows in one piece, and that fits into the memory of a small judge. */
export const HOSTILE_SHOWN = '<script>window.hacked=1</script>'

export const LONG = 'x'.repeat(10_000)

/** Questions in SIQA's fields with such texts in every field. */
export const questions = count => Array.from({ length: count }, (_, number) => JSON.stringify({
  context: `${HOSTILE} ${number} ${number === 1 ? LONG : ''} \u0000`,
  question: `${HOSTILE} What now?`,
  answerA: `${HOSTILE} a`,
  answerB: 'b'.repeat(number === 1 ? 2000 : 3),
  answerC: '<b>c</b>',
  result: `${number % 3 + 1}`
})).join('\n')

/** Writes a copy of a model whose `general.name` is another text. What follows stays aligned: the name is padded. */
export function rename (from, to, name) {
  const bytes = readFileSync(from)
  const key = Buffer.from('general.name')
  const at = bytes.indexOf(key) + key.length + 4
  const length = Number(bytes.readBigUInt64LE(at))
  const text = Buffer.from(name)
  const wanted = length + Math.ceil((text.length - length) / 32) * 32
  const padded = Buffer.concat([text, Buffer.alloc(wanted - text.length, ' ')])
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(padded.length))
  writeFileSync(to, Buffer.concat([bytes.subarray(0, at), size, padded, bytes.subarray(at + 8 + length)]))
}
