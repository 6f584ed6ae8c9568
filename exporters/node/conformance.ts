/**
 * The node exporter on the kit's fixture trees, compared line by line with upstream's expected output. Lines of
 * collectors that are not built are failures here; `collectors` narrows the comparison to the families of some.
 */
import type { Clock, Disk, Logger } from '../../protocol/env/mod.ts'
import { formatExposition } from '../../protocol/exposition/mod.ts'
import type { Flags } from '../contract.ts'
import { createNodeExporter } from './mod.ts'

export type CaseResult = { readonly name: string; readonly error: string | null }
export type NodeCases = { readonly flags: readonly string[]; readonly skipLinesMatching: string }

/** Families by the collector that makes them; what a name begins with. */
const FAMILIES: Readonly<Record<string, RegExp>> = {
  cpu: /^node_cpu_(?:seconds|guest|info|frequency_hertz|flag|bug|core_throttles|package_throttles|isolated)/,
  meminfo: /^node_memory_(?!numa)/,
  loadavg: /^node_load\d/,
  diskstats: /^node_disk_/,
  stat: /^node_(?:intr_total|context_switches|forks|boot_time|procs_running|procs_blocked|softirqs_total)/,
  vmstat: /^node_vmstat_/,
  netstat: /^node_netstat_/,
  pressure: /^node_pressure_/,
  time: /^node_time_clocksource/,
  os: /^node_os_/,
}

export const FIXTURE_COLLECTORS = Object.keys(FAMILIES)

/** `root` is the folder into which `fixtures.tar.gz` was unpacked; the paths of the flags are relative to it. */
export async function nodeLines(
  cases: NodeCases,
  root: string,
  env: { disk: Disk; clock: Clock; log: Logger },
): Promise<string[]> {
  const flags: Record<string, string | string[]> = {
    'path.rootfs': `${root}/fixtures`,
    'path.procfs': `${root}/fixtures/proc`,
    'path.sysfs': `${root}/fixtures/sys`,
    'path.udev.data': `${root}/fixtures/udev/data`,
    'collector.uname': 'false',
    'collector.filesystem': 'false',
  }
  for (const flag of cases.flags) {
    const [name = '', ...value] = flag.replace(/^--/, '').split('=')
    // Flags of collectors that are not built have no effect on the lines of those that are.
    if (/^(?:no-)?collector\.(?:cpu|stat|netdev|diskstats|vmstat|netstat)\b/.test(name))
      flags[name] = value.length > 0 ? value.join('=') : 'true'
  }
  const exporter = createNodeExporter({ ...env, flags: flags as Flags, version: 'test' })
  const text = formatExposition(await exporter.collect())
  return text.split('\n').filter((line) => line !== '')
}

/** One case per expected line (and one per line that should not be there) of the families of `collectors`. */
export async function runNodeCases(
  cases: NodeCases,
  expected: string,
  root: string,
  env: { disk: Disk; clock: Clock; log: Logger },
  collectors: readonly string[] | null = null,
): Promise<CaseResult[]> {
  const skip = new RegExp(cases.skipLinesMatching)
  const ofInterest = (line: string): boolean => {
    const name = line.replace(/^# (?:HELP|TYPE) /, '')
    if (skip.test(line)) return false
    // Properties of the Go client library and of the expected program's own build.
    if (/^(?:go_|process_|promhttp_|node_exporter_build_info)/.test(name)) return false
    return collectors === null || collectors.some((collector) => FAMILIES[collector]!.test(name))
  }
  const got = (await nodeLines(cases, root, env)).filter(ofInterest)
  const want = expected.split('\n').filter((line) => line !== '' && ofInterest(line))
  const gotSet = new Set(got)
  const wantSet = new Set(want)
  const out: CaseResult[] = want.map((line) => ({ name: line, error: gotSet.has(line) ? null : 'missing' }))
  for (const line of got) if (!wantSet.has(line)) out.push({ name: line, error: 'unexpected' })
  const order =
    got.filter((line) => wantSet.has(line)).join('\n') === want.filter((line) => gotSet.has(line)).join('\n')
  out.push({ name: 'lines are in the expected order', error: order ? null : 'the order differs' })
  return out
}
