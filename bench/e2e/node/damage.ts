/** One small harm to a text, chosen by seeded numbers: what bit rot, a torn write or another kernel may make of a file. */

/** A whole number from 0 to below the bound. */
export type Random = (below: number) => number

/** Mulberry32. */
export function randomOf(seed: number): Random {
  let state = seed | 0
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

/** What may stand in a number's place. Letters outside of ASCII end upstream's process where they become labels. */
export const SAFE_WORDS = ['0', '1e5', '1.5', '0x1f', '', 'x', '+5', ' ', '\t', '007', 'max']
export const WORDS = [...SAFE_WORDS, '-1', '18446744073709551616', '9223372036854775808']

const BYTES = [...'09-:.[]()=,/ \n\taZ%']
const LINES = ['garbage', 'foo bar 1 2', ': :', '', '   ', '1 2 3', 'a: b c d e f g h']

type Harm = (text: string, random: Random, words: readonly string[]) => string

const oneOf = <T>(items: readonly T[], random: Random): T => items[random(items.length)]!

/** `change` of one match, or the text and a stray word where there is none. */
function atMatch(text: string, pattern: RegExp, random: Random, change: (found: string) => string): string {
  const matches = [...text.matchAll(pattern)]
  if (matches.length === 0) return `${text}7`
  const match = oneOf(matches, random)
  return text.slice(0, match.index) + change(match[0]) + text.slice(match.index + match[0].length)
}

function atByte(text: string, random: Random, put: string): string {
  const at = random(text.length + 1)
  return text.slice(0, at) + put + text.slice(at + 1)
}

function withLines(text: string, change: (lines: string[]) => void): string {
  const lines = text.split('\n')
  change(lines)
  return lines.join('\n')
}

const HARMS: readonly Harm[] = [
  () => '',
  (text, random) => text.slice(0, random(text.length + 1)),
  (text, random) => atByte(text, random, ''),
  (text, random) => atByte(text, random, oneOf(BYTES, random)),
  (text, random, words) => atMatch(text, /\d+/g, random, () => oneOf(words, random)),
  (text, random, words) => atMatch(text, /\d+/g, random, () => oneOf(words, random)),
  (text, random) => atMatch(text, /\S+/g, random, () => ''),
  (text, random) => atMatch(text, /\S+/g, random, (word) => `${oneOf(['7', 'foo', '-3', 'a:b'], random)} ${word}`),
  (text, random) => withLines(text, (lines) => void lines.splice(random(lines.length), 0, oneOf(lines, random))),
  (text, random) => withLines(text, (lines) => void lines.splice(random(lines.length), 1)),
  (text, random) => withLines(text, (lines) => void lines.splice(random(lines.length), 0, oneOf(LINES, random))),
  (text) => `${text}\n`,
  (text) => text.trimEnd(),
  (text) => text.replace('\n', ' \n'),
]

export function damage(text: string, random: Random, words: readonly string[]): string {
  return oneOf(HARMS, random)(text, random, words)
}
