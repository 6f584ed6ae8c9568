/**
 * The node exporter on the kit's fixture trees, compared line by line with upstream's expected output, and the unit
 * cases of single collectors. Paths are upstream's (`collector/fixtures/…`): they stand in labels and help texts.
 */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import { FlagError, type Flags } from '../contract.ts'
import { createNodeExporter, readMounts } from './mod.ts'

export type CaseResult = { readonly name: string; readonly error: string | null }
export type NodeEnv = { readonly disk: Disk; readonly clock: Clock; readonly log: Logger }
export type NodeCases = {
  readonly flags: readonly string[]
  readonly skipLinesMatching: string
  readonly enabledCollectors: readonly string[]
  readonly disabledCollectors: readonly string[]
  readonly textfileCases?: readonly { readonly paths: readonly string[]; readonly expected: string }[]
  readonly ipvsCases?: readonly {
    readonly backendLabels: string | null
    readonly expected?: string
    readonly error?: string
  }[]
  readonly pcideviceNames?: { readonly flags: readonly string[]; readonly expected: string }
  readonly filesystemMountPoints?: Readonly<
    Record<string, { readonly rootfs: string | null; readonly mountPoints: readonly string[] }>
  >
}

/** Of the Go runtime, and of the HTTP handler of Go's client library. */
const NOT_OURS = /^(?:go_|promhttp_)/
/**
 * Upstream asks the kernel of the host for the statistics of `lo`, which the fixture does not have: these are those of
 * an idle loopback device, as the expected output shows them.
 */
const IDLE_LOOPBACK: Readonly<Record<string, string>> = {
  'collector/fixtures/proc/net/dev': [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0',
  ].join('\n'),
  'collector/fixtures/sys/class/net/lo/statistics/rx_nohandler': '0',
}
/** A file that is there, to stand for those that are not. */
const LOADAVG = 'collector/fixtures/proc/loadavg'
const TREES = ['fixtures', 'fixtures_hidepid', 'fixtures_bindmount']

/**
 * One case per expected line, per line that should not be there, and per unit case.
 * @param root the folder into which `fixtures.tar.gz` was unpacked
 * @param kit the folder of `e2e.json`, where the expected files of unit cases are; without it only lines are compared
 */
export async function runNodeCases(
  cases: NodeCases,
  expected: string,
  root: string,
  env: NodeEnv,
  kit: string | null = null,
): Promise<CaseResult[]> {
  const out = await endToEnd(cases, expected, root, env)
  if (kit === null) return out
  const inKit = { ...env, disk: mapped(env.disk, [['fixtures/textfile', `${kit}/textfile`], ...trees(root, '')]) }
  const read = (file: string): string => env.disk.readText(`${kit}/${file}`)
  for (const { paths, expected: file } of cases.textfileCases ?? [])
    out.push(await textfileCase(inKit, paths, read(file), file))
  for (const each of cases.ipvsCases ?? [])
    out.push(await ipvsCase(inKit, each, each.expected ? read(each.expected) : ''))
  if (cases.pcideviceNames) {
    const { flags, expected: file } = cases.pcideviceNames
    const got = new Set(await pageOf(inKit, flagsOf(flags)))
    const missing = wanted(read(file)).find((line) => !got.has(line))
    out.push({ name: 'pcidevice names', error: missing === undefined ? null : `missing: ${missing}` })
  }
  for (const [procfs, { rootfs, mountPoints }] of Object.entries(cases.filesystemMountPoints ?? {})) {
    const found = readMounts({ disk: inKit.disk, procfs, rootfs: rootfs ?? '/' }).map(({ mountPoint }) => mountPoint)
    const same = [...new Set(found)].sort().join('\n') === [...mountPoints].sort().join('\n')
    out.push({ name: `mount points of ${procfs}`, error: same ? null : `got ${found.join(', ')}` })
  }
  return out
}

async function endToEnd(cases: NodeCases, expected: string, root: string, env: NodeEnv): Promise<CaseResult[]> {
  const flags = flagsOf([
    '--path.rootfs=collector/fixtures',
    '--path.procfs=collector/fixtures/proc',
    '--path.sysfs=collector/fixtures/sys',
    '--path.udev.data=collector/fixtures/udev/data',
    ...cases.enabledCollectors.map((name) => `--collector.${name}`),
    ...cases.disabledCollectors.map((name) => `--no-collector.${name}`),
    ...cases.flags.map((flag) => flag.replace('=fixtures/', '=collector/fixtures/')),
  ])
  const fixtures = mapped(env.disk, trees(root, 'collector/'))
  const disk: Disk = {
    ...fixtures,
    readText: (path) => IDLE_LOOPBACK[path] ?? fixtures.readText(path),
    stat: (path, options) => fixtures.stat(IDLE_LOOPBACK[path] === undefined ? path : LOADAVG, options),
  }
  const got = await pageOf({ ...env, disk }, flags)
  const skip = new RegExp(cases.skipLinesMatching)
  const ofInterest = (line: string): boolean =>
    !skip.test(line) && !NOT_OURS.test(line.replace(/^# (?:HELP|TYPE) /, ''))
  return compareLines(
    got.filter(ofInterest),
    expected.split('\n').filter((line) => line !== '' && ofInterest(line)),
  )
}

function compareLines(got: readonly string[], want: readonly string[]): CaseResult[] {
  const gotSet = new Set(got)
  const wantSet = new Set(want)
  const out: CaseResult[] = want.map((line) => ({ name: line, error: gotSet.has(line) ? null : 'missing' }))
  for (const line of got) if (!wantSet.has(line)) out.push({ name: line, error: 'unexpected' })
  const order =
    got.filter((line) => wantSet.has(line)).join('\n') === want.filter((line) => gotSet.has(line)).join('\n')
  out.push({ name: 'lines are in the expected order', error: order ? null : 'the order differs' })
  return out
}

async function textfileCase(env: NodeEnv, paths: readonly string[], want: string, file: string): Promise<CaseResult> {
  // The kit's expected files take every file's time as 1.
  const stat: Disk['stat'] = (path, options) => {
    const found = env.disk.stat(path, options)
    return found && { ...found, mtimeMs: 1000 }
  }
  const flags: Flags = { ...ONLY('textfile'), 'collector.textfile.directory': paths.map((path) => `fixtures/${path}`) }
  const got = (await pageOf({ ...env, disk: { ...env.disk, stat } }, flags)).filter(notMeta)
  const results = compareLines(
    got,
    want.split('\n').filter((line) => line !== ''),
  )
  const bad = results.find(({ error }) => error !== null)
  return { name: `${file} ${paths.join(' ')}`, error: bad ? `${bad.error}: ${bad.name}` : null }
}

async function ipvsCase(
  env: NodeEnv,
  { backendLabels, error }: { readonly backendLabels: string | null; readonly error?: string },
  want: string,
): Promise<CaseResult> {
  const name = `ipvs backend labels ${backendLabels}`
  const flags: Record<string, string> = { ...ONLY('ipvs'), 'path.procfs': 'fixtures/proc' }
  if (backendLabels !== null) flags['collector.ipvs.backend-labels'] = backendLabels
  try {
    return await linesInOrder(name, env, flags, want)
  } catch (err) {
    const expectedError = err instanceof FlagError && error !== undefined && err.message.includes(error)
    return { name, error: expectedError ? null : String(err) }
  }
}

/** Every expected line is there, in this order. */
async function linesInOrder(name: string, env: NodeEnv, flags: Flags, expected: string): Promise<CaseResult> {
  const got = await pageOf(env, flags)
  let at = 0
  for (const line of wanted(expected)) {
    const found = got.indexOf(line, at)
    if (found < 0) return { name, error: `missing after line ${at}: ${line}` }
    at = found + 1
  }
  return { name, error: null }
}

/** Without the comments and empty lines of expected files written by hand. */
const wanted = (expected: string): string[] =>
  expected.split('\n').filter((line) => line.trim() !== '' && !/^# (?!HELP |TYPE )/.test(line))

const ONLY = (collector: string): Record<string, string> => ({
  'collector.disable-defaults': 'true',
  'web.disable-exporter-metrics': 'true',
  [`collector.${collector}`]: 'true',
})

const notMeta = (line: string): boolean => !/^(?:# \w+ )?node_(?:scrape_collector|exporter_build)/.test(line)

async function pageOf(env: NodeEnv, flags: Flags): Promise<string[]> {
  const exporter = createNodeExporter({ ...env, flags, version: 'test' })
  return formatExposition(await exporter.collect())
    .split('\n')
    .filter((line) => line !== '')
}

/** A command line as flags: repeated ones become lists. */
function flagsOf(line: readonly string[]): Flags {
  const flags: Record<string, string | string[]> = {}
  for (const word of line) {
    const [name = '', ...rest] = word.replace(/^--/, '').split('=')
    const value = rest.length > 0 ? rest.join('=') : 'true'
    const known = flags[name]
    flags[name] = known === undefined ? value : [...(typeof known === 'string' ? [known] : known), value]
  }
  return flags
}

type Mount = readonly [from: string, to: string]

const trees = (root: string, prefix: string): Mount[] => TREES.map((tree) => [`${prefix}${tree}`, `${root}/${tree}`])

/** A disk on which `from` and what is below it are `to`; the first mount that fits counts. Folders above are there. */
function mapped(disk: Disk, mounts: readonly Mount[]): Disk {
  const at = (path: string): string => {
    const plain = path.replace(/^\.\//, '')
    for (const [from, to] of mounts)
      if (plain === from || plain.startsWith(`${from}/`)) return to + plain.slice(from.length)
    return path
  }
  return {
    ...disk,
    readFile: (path) => disk.readFile(at(path)),
    readText: (path) => disk.readText(at(path)),
    readDirectory: (path) => disk.readDirectory(at(path)),
    stat: (path, options) => {
      const above = mounts.some(([from]) => from.startsWith(`${path.replace(/^\.\//, '')}/`))
      return above ? disk.stat('/') : disk.stat(at(path), options)
    },
    readLink: (path) => disk.readLink(at(path)),
    statfs: (path) => disk.statfs(at(path)),
  }
}
