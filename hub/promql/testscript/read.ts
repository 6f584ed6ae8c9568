/** Script text to commands: lines, blocks, and which command a block is. */
import { parseEval } from './read-eval.ts'
import { parseLoad } from './read-load.ts'
import { type Command, ScriptError } from './types.ts'

/** A command's first line and the lines of its block. `lines[i]` is line `line + i` of the script. */
export type Block = { readonly line: number; readonly lines: readonly string[] }

/**
 * Reads a script command by command, so that what comes before a broken line can still run.
 * @throws ScriptError from the iterator
 * @example [...readScript('clear')] // [{ kind: 'clear', line: 1 }]
 */
export function* readScript(text: string): Generator<Command> {
  for (const block of splitBlocks(text)) yield parseBlock(block)
}

/** Blocks of a script; `clear` has a block of one line. */
export function* splitBlocks(text: string): Generator<Block> {
  const lines = text.split('\n').map((line) => {
    const trimmed = line.replace(/^[ \t\r]+|[ \t\r]+$/g, '')
    return trimmed.startsWith('#') ? '' : trimmed
  })
  for (let i = 0; i < lines.length; i++) {
    if (lines[i] === '') continue
    const first = i
    if (firstWord(lines[i]!) !== 'clear') while (i + 1 < lines.length && lines[i + 1] !== '') i++
    yield { line: first + 1, lines: lines.slice(first, i + 1) }
  }
}

/** @throws ScriptError */
export function parseBlock(block: Block): Command {
  const word = firstWord(block.lines[0]!)
  if (word === 'clear') return { kind: 'clear', line: block.line }
  if (word.startsWith('load')) return parseLoad(block)
  if (word.startsWith('eval')) return parseEval(block)
  throw new ScriptError(block.line, `invalid command ${JSON.stringify(block.lines[0])}`)
}

const firstWord = (line: string): string => /^[^ \t]*/.exec(line)![0].toLowerCase()
