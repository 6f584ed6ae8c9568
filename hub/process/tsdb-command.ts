/**
 * `heliograph-hub tsdb …`: what operators do to a data directory whose hub does not run. Every command takes the
 * directory's lock, and says who holds it.
 */
import process from 'node:process'
import { type FlagDefinition, helpText, type ParsedFlags, parseFlags, UsageError } from '../../agent/cli/mod.ts'
import { createEnv } from '../../agent/env/mod.ts'
import { runtimeSha256 } from '../../agent/env/sha256.ts'
import { runtimeZstd } from '../../agent/env/zstd.ts'
import { parseDuration } from '../../protocol/durations/mod.ts'
import { DiskError, type Env } from '../../protocol/env/mod.ts'
import type { Matcher } from '../../protocol/matchers/mod.ts'
import { TsdbFormatError } from '../../protocol/prometheus-tsdb/mod.ts'
import { BlockDamagedError, type BlockMeta } from '../block/mod.ts'
import {
  analyze,
  createProgress,
  dump,
  exportPrometheus,
  goDuration,
  importOpenMetrics,
  importPrometheus,
  importPrometheusHead,
  looksLikePrometheus,
  OpenMetricsImportError,
  openOwnBlocks,
  openStoredData,
  type Progress,
  repairBlock,
  type StoredData,
  scanPrometheus,
  verifyData,
} from '../interchange/mod.ts'
import { ParseError, parseMetricSelector } from '../promql/parser/mod.ts'
import type { TimeRange } from '../tsdb/mod.ts'
import { DirectoryLockedError } from '../wal/mod.ts'

/** Something that the operator can do something about; its message is all that is shown. */
class CommandError extends Error {
  readonly exitCode: number
  constructor(message: string, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

type Command = {
  readonly usage: string
  readonly summary: string
  readonly flags: readonly FlagDefinition[]
  readonly positional: readonly [least: number, most: number]
  run(call: Call): Promise<number>
}

type Call = {
  readonly env: Env
  readonly dataPath: string
  readonly positional: readonly string[]
  readonly selectors: readonly (readonly Matcher[])[]
  readonly progress: Progress
  get(flag: string): string
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
const HOUR_MS = 3_600_000
const DEFAULT_RETENTION_MS = 15 * 24 * HOUR_MS

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

/** Runs with the lock of the directory, which must be there. */
async function locked<T>({ env, dataPath }: Call, run: () => Promise<T>): Promise<T> {
  needDirectory(env, dataPath)
  const lock = env.disk.lock(`${dataPath}/lock`)
  if (!lock) throw heldError(env, dataPath)
  try {
    return await run()
  } finally {
    lock.release()
  }
}

/** Head and blocks behind one reader; the log's replay takes the lock. */
async function stored<T>({ env, dataPath }: Call, run: (data: StoredData) => Promise<T>): Promise<T> {
  needDirectory(env, dataPath)
  let data: StoredData
  try {
    data = await openStoredData(env, blockEnv(env), dataPath)
  } catch (error) {
    throw error instanceof DirectoryLockedError ? heldError(env, dataPath) : error
  }
  try {
    const result = await run(data)
    for (const what of new Set(data.damage))
      process.stderr.write(`heliograph-hub: warning: damaged, and not in the output: ${what}\n`)
    return result
  } finally {
    await data.close()
  }
}

const zstd = (bytes: Uint8Array, maxBytes: number): Uint8Array => runtimeZstd.decompress(bytes, maxBytes)
const blockEnv = (env: Env) => ({ disk: env.disk, compressor: runtimeZstd })

function needDirectory(env: Env, dataPath: string): void {
  if (!env.disk.stat(dataPath)?.isDirectory)
    throw new CommandError(`there is no data directory ${dataPath}; name the hub's with --storage.tsdb.path`)
}

function heldError({ disk }: Env, dataPath: string): CommandError {
  let holder = ''
  try {
    holder = `process ${disk.readLink(`${dataPath}/lock`).split('-')[0]}`
  } catch {
    holder = 'another process'
  }
  return new CommandError(
    `the data directory ${dataPath} is in use by ${holder}: stop that hub first, or take a snapshot (POST /api/v1/admin/tsdb/snapshot of a hub with --web.enable-admin-api) and work on that`,
  )
}

function rangeOf({ get }: Call): TimeRange {
  const time = (flag: string, fallback: number): number => {
    const given = get(flag)
    if (given === '') return fallback
    const ms = /^-?\d+$/.test(given) ? Number(given) : Date.parse(given)
    if (Number.isNaN(ms))
      throw new UsageError(`--${flag}: must be milliseconds or a time such as 2026-01-31T12:00:00Z, got "${given}"`)
    return ms
  }
  return { minTime: time('min-time', Number.NEGATIVE_INFINITY), maxTime: time('max-time', Number.POSITIVE_INFINITY) }
}

function choice<T extends string>({ get }: Call, flag: string, allowed: readonly T[]): T {
  const given = get(flag) as T
  if (!allowed.includes(given))
    throw new UsageError(
      `--${flag}: must be one of ${allowed.filter((each) => each !== '').join(', ')}, got "${given}"`,
    )
  return given
}

/** Resolves when the text is taken; a reader that went away (`| head`) is no error. */
function print(output: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(output, (error) => {
      if (!error) resolve()
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
      else reject(error)
    })
  })
}

async function list(call: Call): Promise<number> {
  const { env, dataPath, get } = call
  needDirectory(env, dataPath)
  const folder = `${dataPath}/blocks`
  const human = get('human-readable') === 'true'
  const names = env.disk.stat(folder)
    ? env.disk.readDirectory(folder).filter((name) => /^-?\d+--?\d+-\d+$/.test(name))
    : []
  const rows: (readonly string[])[] = [
    ['BLOCK', 'MIN TIME', 'MAX TIME', 'DURATION', 'NUM SAMPLES', 'NUM CHUNKS', 'NUM SERIES', 'SIZE'],
  ]
  for (const name of names) {
    let meta: BlockMeta
    try {
      meta = JSON.parse(env.disk.readText(`${folder}/${name}/meta.json`)) as BlockMeta
    } catch (error) {
      rows.push([name, `unreadable: ${(error as Error).message}`])
      continue
    }
    const bytes = meta.indexBytes + meta.chunksBytes
    const time = (ms: number): string => (human ? new Date(ms).toISOString() : String(ms))
    const { samples, chunks, series } = meta.stats
    const size = human ? `${(bytes / 1024).toFixed(1)}KiB` : String(bytes)
    rows.push([
      meta.id,
      time(meta.minTime),
      time(meta.maxTime),
      goDuration(meta.maxTime - meta.minTime),
      String(samples),
      String(chunks),
      String(series),
      size,
    ])
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  await print(
    rows
      .map(
        (row) =>
          `${row
            .map((cell, i) => cell.padEnd(widths[i]!))
            .join('  ')
            .trimEnd()}\n`,
      )
      .join(''),
  )
  return 0
}

function verify(call: Call): Promise<number> {
  const { env, dataPath, progress } = call
  return locked(call, async () => {
    const { findings, files, sizeBytes } = verifyData(env.disk, runtimeZstd, dataPath, progress)
    const damaged = findings.filter(({ isDamage }) => isDamage)
    for (const { file, offset, what, isDamage } of findings)
      await print(`${file}:${offset}: ${isDamage ? '' : 'no damage: '}${what}\n`)
    await print(
      `${files} files, ${sizeBytes} bytes: ${damaged.length === 0 ? 'all checksums match' : `${damaged.length} damaged pieces; see tsdb repair`}\n`,
    )
    return damaged.length === 0 ? 0 : 1
  })
}

function analyzeCommand(call: Call): Promise<number> {
  const { get, positional, selectors } = call
  const limit = Number(get('limit'))
  if (!Number.isInteger(limit) || limit < 1)
    throw new UsageError(`--limit: must be a number from 1 on, got "${get('limit')}"`)
  if (selectors.length > 1) throw new UsageError('--match: analyze takes one selector')
  return stored(call, async ({ reader, blocks }) => {
    const [wanted] = positional
    const matchers = selectors[0] ?? []
    if (wanted === undefined) {
      const range = reader.timeRange()
      if (!range) throw new CommandError('nothing is stored')
      await print(
        analyze({
          reader,
          matchers,
          range,
          limit,
          title: `All blocks (${blocks.list().length}) and the head`,
          sizeBytes: null,
        }),
      )
      return 0
    }
    const block = blocks.list().find(({ id }) => id === wanted)
    if (!block) throw new CommandError(`there is no block "${wanted}"; see tsdb list`)
    const range = { minTime: block.minTime, maxTime: block.maxTime - 1 }
    const sizeBytes = matchers.length === 0 ? block.indexBytes + block.chunksBytes : null
    await print(analyze({ reader, matchers, range, limit, title: `Block ID: ${block.id}`, sizeBytes }))
    return 0
  })
}

function dumpCommand(call: Call): Promise<number> {
  const format = choice(call, 'format', ['promtool', 'openmetrics'])
  const range = rangeOf(call)
  return stored(call, async ({ reader }) => {
    const { leftOut } = await dump({ reader, selectors: call.selectors, range, format, write: print })
    tellLeftOut(leftOut)
    return 0
  })
}

function tellLeftOut(leftOut: number): void {
  if (leftOut > 0)
    process.stderr.write(
      `heliograph-hub: warning: ${leftOut} native histograms and stale markers have no form in OpenMetrics and were left out\n`,
    )
}

async function importCommand(call: Call): Promise<number> {
  const { env, dataPath, get, positional, progress } = call
  const source = positional[0]!.replace(/\/+$/, '') || '/'
  const stat = env.disk.stat(source)
  if (!stat) throw new CommandError(`there is no ${source}`)
  const format =
    choice(call, 'format', ['', 'prometheus', 'openmetrics']) || (stat.isDirectory ? 'prometheus' : 'openmetrics')
  env.disk.makeDirectory(dataPath)
  return locked(call, async () => {
    const own = openOwnBlocks(blockEnv(env), env.log, dataPath)
    if (format === 'openmetrics') {
      const { imported, samples, duplicates, isKnown } = importOpenMetrics({
        own,
        hasher: runtimeSha256,
        file: source,
        progress,
      })
      if (isKnown) await print(`${source} was imported before: nothing to do\n`)
      else
        await print(
          `imported ${samples} samples into ${imported.length} blocks${duplicates > 0 ? `; ${duplicates} samples at times that had a value were left out` : ''}\n`,
        )
      warnOfRetention(env, imported)
      return 0
    }
    if (!stat.isDirectory || !looksLikePrometheus(env.disk, source))
      throw new CommandError(`${source} is no data directory of Prometheus: it has neither blocks nor a chunks_head`)
    const { blocks, headBytes } = scanPrometheus(env.disk, source)
    const { imported, known, empty } = importPrometheus(own, blocks, progress)
    const head =
      headBytes > 0 && get('blocks-only') !== 'true' ? importPrometheusHead(own, zstd, source, progress) : null
    const samples = imported.reduce((sum, { stats }) => sum + stats.samples, 0)
    const more = [
      known.length > 0 ? `; ${known.length} were imported before` : '',
      empty.length > 0 ? `; ${empty.length} were empty` : '',
      head === null ? '' : head.isKnown ? '; its head was imported before' : `, and ${head.samples} of its head`,
    ]
    await print(`imported ${samples} samples of ${imported.length} blocks${more.join('')}\n`)
    if (head === null && headBytes > 0)
      process.stderr.write('heliograph-hub: warning: the samples in the head of the Prometheus were left out\n')
    warnOfRetention(env, [...imported, ...(head?.imported ?? [])])
    return 0
  })
}

function warnOfRetention(env: Env, imported: readonly BlockMeta[]): void {
  const old = imported.filter(({ maxTime }) => maxTime < env.clock.now() - DEFAULT_RETENTION_MS).length
  if (old > 0)
    process.stderr.write(
      `heliograph-hub: warning: ${old} blocks are older than 15 days, and a hub removes them when it starts, unless its --storage.tsdb.retention.time says more\n`,
    )
}

async function exportCommand(call: Call): Promise<number> {
  const { env, get, positional, progress, selectors } = call
  const target = positional[0]!
  const range = rangeOf(call)
  if (choice(call, 'format', ['prometheus', 'openmetrics']) === 'openmetrics')
    return exportOpenMetrics(call, target, range)
  let blockMs: number
  try {
    blockMs = parseDuration(get('max-block-duration'))
  } catch (error) {
    throw new UsageError(`--max-block-duration: ${(error as Error).message}`)
  }
  if (blockMs <= 0 || blockMs % (2 * HOUR_MS) !== 0)
    throw new UsageError('--max-block-duration: must be a multiple of 2h')
  if (selectors.length > 1) throw new UsageError('--match: an export to Prometheus takes one selector')
  if (env.disk.stat(target) && env.disk.readDirectory(target).length > 0)
    throw new CommandError(
      `${target} is not empty: name a new directory, and move its blocks into Prometheus's data directory afterwards`,
    )
  return stored(call, async ({ reader }) => {
    env.disk.makeDirectory(target)
    const metas = exportPrometheus({
      disk: env.disk,
      random: env.random,
      nowMs: env.clock.now(),
      reader,
      matchers: selectors[0] ?? [],
      range,
      directory: target.replace(/\/+$/, '') || '/',
      blockMs,
      progress,
    })
    const samples = metas.reduce((sum, { stats }) => sum + stats.numSamples, 0)
    await print(`exported ${samples} samples into ${metas.length} blocks in ${target}\n`)
    return 0
  })
}

function exportOpenMetrics(call: Call, target: string, range: TimeRange): Promise<number> {
  const { env, selectors } = call
  return stored(call, async ({ reader }) => {
    if (target === '-') {
      const { leftOut } = await dump({ reader, selectors, range, format: 'openmetrics', write: print })
      tellLeftOut(leftOut)
      return 0
    }
    const temporary = `${target}.tmp`
    const file = env.disk.open(temporary, 'w')
    const encoder = new TextEncoder()
    try {
      const { samples, leftOut } = await dump({
        reader,
        selectors,
        range,
        format: 'openmetrics',
        write: (part) => file.write(encoder.encode(part)),
      })
      file.datasync()
      env.disk.rename(temporary, target)
      await print(`exported ${samples} samples to ${target}\n`)
      tellLeftOut(leftOut)
      return 0
    } finally {
      file.close()
      if (env.disk.stat(temporary)) env.disk.unlink(temporary)
    }
  })
}

async function repair(call: Call): Promise<number> {
  return stored(call, async ({ ingest, blocks, damagedBlocks }) => {
    let pieces = 0
    for (const { file, fromByte, toByte, what, quarantine } of ingest.replay.damages) {
      pieces++
      await print(
        `${file}:${fromByte}: ${what}: ${toByte - fromByte} bytes of the log are lost${quarantine ? `, kept as ${quarantine}` : ''}\n`,
      )
    }
    if (ingest.replay.tornBytes > 0)
      await print(`the torn tail of the log (${ingest.replay.tornBytes} bytes, never acknowledged) is cut off\n`)
    // What was read is written anew: the next start meets no damage.
    if (ingest.replay.damages.length > 0) await ingest.checkpoint()
    for (const { block, piece, why } of damagedBlocks) {
      pieces++
      await print(`${blocks.directory}/${block}: ${piece}: ${why}: the whole block is lost, kept as ${block}.damaged\n`)
    }
    for (const meta of [...blocks.list()]) {
      const repaired = repairBlock(blocks, meta)
      if (!repaired) continue
      for (const { file, offset, why, lost } of repaired.runs) {
        pieces++
        await print(`${file}:${offset}: ${why}: lost are\n`)
        for (const { labels, samples, minTime, maxTime } of lost)
          await print(
            `  ${labels}: ${samples} samples from ${new Date(minTime).toISOString()} to ${new Date(maxTime).toISOString()}\n`,
          )
      }
      await print(
        `${repaired.id}: ${repaired.samplesLost} of ${meta.stats.samples} samples are lost; the rest is ${repaired.newId ?? 'nothing'}, the damaged block is kept as ${repaired.keptAs}\n`,
      )
    }
    await print(pieces === 0 ? 'nothing is damaged\n' : `${pieces} damaged pieces set aside\n`)
    return 0
  })
}
