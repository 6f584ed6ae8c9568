/**
 * `heliograph-hub tsdb …`: what operators do to a data directory whose hub does not run. Every command takes the
 * directory's lock, and says who holds it.
 */
import process from 'node:process'
import { type FlagDefinition, helpText, type ParsedFlags, parseFlags, UsageError } from '../../agent/cli/mod.ts'
import { createEnv } from '../../agent/env/mod.ts'
import { DiskError } from '../../protocol/env/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { TsdbFormatError } from '../../protocol/prometheus-tsdb/mod.ts'
import { BlockDamagedError } from '../block/mod.ts'
import { createProgress, OpenMetricsImportError } from '../interchange/mod.ts'
import { ParseError, parseMetricSelector } from '../promql/parser/mod.ts'
import { type Call, CommandError } from './tsdb-call.ts'
import { analyzeCommand, dumpCommand, list, repair, verify } from './tsdb-inspect.ts'
import { exportCommand, importCommand } from './tsdb-move.ts'

type Command = {
  readonly usage: string
  readonly summary: string
  readonly flags: readonly FlagDefinition[]
  readonly positional: readonly [least: number, most: number]
  run(call: Call): Promise<number>
}

const text = (name: string, fallback: string, help: string): FlagDefinition => ({
  name,
  kind: 'string',
  default: fallback,
  help,
})
const toggle = (name: string, help: string): FlagDefinition => ({ name, kind: 'boolean', default: 'false', help })

const DATA = text('storage.tsdb.path', 'data/', 'Data directory of the hub, which must not be running.')
const RANGE = [
  text('min-time', '', 'Leave out what is before: milliseconds, or as 2026-01-31T12:00:00Z.'),
  text('max-time', '', 'Leave out what is after.'),
]
/** Taken out of the arguments first: it may be repeated, and holds commas. */
const MATCH: FlagDefinition = {
  name: 'match',
  kind: 'string',
  default: '',
  help: 'Series selector; may be repeated, and then any will do.',
}
const COMMANDS: Readonly<Record<string, Command>> = {
  list: {
    usage: 'list',
    summary: 'Lists the blocks: reads their meta.json only, so the hub may be running.',
    flags: [DATA, toggle('human-readable', 'Print times and sizes for people.')],
    positional: [0, 0],
    run: list,
  },
  verify: {
    usage: 'verify',
    summary:
      'Checks every checksum of blocks, log and checkpoints; changes nothing. Prints FILE:OFFSET of what is damaged, and exits with 1 if anything is.',
    flags: [DATA],
    positional: [0, 0],
    run: verify,
  },
  analyze: {
    usage: 'analyze [BLOCK]',
    summary: 'Label pairs, cardinality, churn and bytes per sample, of one block or of all that is stored.',
    flags: [DATA, text('limit', '20', 'How many items to show in each list.'), MATCH],
    positional: [0, 1],
    run: analyzeCommand,
  },
  dump: {
    usage: 'dump',
    summary: 'Prints samples, as `promtool tsdb dump` does.',
    flags: [DATA, text('format', 'promtool', 'promtool or openmetrics.'), MATCH, ...RANGE],
    positional: [0, 0],
    run: dumpCommand,
  },
  import: {
    usage: 'import PATH',
    summary:
      'Takes over the data directory of a Prometheus that is not running, or a snapshot, or OpenMetrics text with timestamps. An import that was interrupted goes on where it stopped when it is called again; what is there already is not imported twice.',
    flags: [
      DATA,
      text(
        'format',
        '',
        'prometheus or openmetrics; by default, prometheus for a directory and openmetrics for a file.',
      ),
      toggle('blocks-only', 'Leave out what the Prometheus has in its head (its log) and in no block yet.'),
    ],
    positional: [1, 1],
    run: importCommand,
  },
  export: {
    usage: 'export DIR | export --format=openmetrics FILE',
    summary:
      'Writes what is stored as blocks of Prometheus into a new or empty directory, or as OpenMetrics text (FILE - is standard output).',
    flags: [
      DATA,
      text('format', 'prometheus', 'prometheus or openmetrics.'),
      text('max-block-duration', '2h', 'Length of the blocks of Prometheus; a multiple of 2h.'),
      MATCH,
      ...RANGE,
    ],
    positional: [1, 1],
    run: exportCommand,
  },
  repair: {
    usage: 'repair',
    summary:
      'Sets damaged pieces aside, writes the rest anew and says what was lost. Damaged blocks are kept as <block>.damaged, damaged ranges of the log in wal/quarantine.',
    flags: [DATA],
    positional: [0, 0],
    run: repair,
  },
}

/** @returns the exit code: 0 done, 1 failed or damage found, 2 bad usage */
export async function tsdbCommand(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name]! : null
  if (!command) {
    const isHelp = ['', '-h', '--help', 'help'].includes(name)
    process[isHelp ? 'stdout' : 'stderr'].write(
      isHelp ? overview() : `heliograph-hub: error: unknown command "tsdb ${name}", try tsdb --help\n`,
    )
    return isHelp ? 0 : 2
  }
  try {
    const { matches, others } = takeMatches(rest)
    const flags = parseFlags(command.flags, others)
    if (flags.wantsHelp) {
      process.stdout.write(helpText(`heliograph-hub tsdb ${command.usage}`, command.summary, command.flags))
      return 0
    }
    if (matches.length > 0 && !command.flags.includes(MATCH)) throw new UsageError(`unknown long flag '--match'`)
    const [least, most] = command.positional
    if (flags.positional.length < least || flags.positional.length > most)
      throw new UsageError(`usage: heliograph-hub tsdb ${command.usage}`)
    return await command.run(callOf(flags, matches))
  } catch (error) {
    return failed(error)
  }
}

function overview(): string {
  const lines = Object.values(COMMANDS).map(({ usage, summary }) => `  ${usage}\n        ${summary}`)
  return `usage: heliograph-hub tsdb <command> [<flags>]\n\nWorks on the data directory of a hub that is not running.\n\nCommands (each has its own --help):\n${lines.join('\n')}\n`
}

function callOf(flags: ParsedFlags, matches: readonly string[]): Call {
  const get = (flag: string): string => flags.values.get(flag)?.[0] ?? ''
  const env = createEnv({ logLevel: 'error', logFormat: 'logfmt' })
  const { stderr } = process
  const progress = createProgress({
    isTerminal: stderr.isTTY === true,
    write: (line) => void stderr.write(line),
    nowMs: env.clock.now,
  })
  const dataPath = get('storage.tsdb.path').replace(/\/+$/, '') || '/'
  return { env, dataPath, positional: flags.positional, selectors: matches.map(selectorOf), progress, get }
}

function takeMatches(argv: readonly string[]): { readonly matches: string[]; readonly others: string[] } {
  const matches: string[] = []
  const others: string[] = []
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg.startsWith('--match=')) matches.push(arg.slice('--match='.length))
    else if (arg === '--match') {
      const value = argv[++i]
      if (value === undefined) throw new UsageError(`expected argument for flag '--match'`)
      matches.push(value)
    } else others.push(arg)
  }
  return { matches, others }
}

function selectorOf(selector: string): readonly Matcher[] {
  try {
    return [...parseMetricSelector(selector)]
  } catch (error) {
    if (error instanceof ParseError) throw new UsageError(`--match: ${error.message}`)
    throw error
  }
}

function failed(error: unknown): number {
  const say = (message: string): void => void process.stderr.write(`heliograph-hub: error: ${message}\n`)
  if (error instanceof UsageError) {
    say(`${error.message}, try --help`)
    return 2
  }
  const isExpected =
    error instanceof CommandError ||
    error instanceof TsdbFormatError ||
    error instanceof BlockDamagedError ||
    error instanceof OpenMetricsImportError ||
    error instanceof DiskError
  if (!isExpected && !(error instanceof Error && 'code' in error)) throw error
  say((error as Error).message)
  return error instanceof CommandError ? error.exitCode : 1
}
