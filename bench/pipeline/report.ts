/** The figures of a run: per round, the median over rounds, and as a table with ratios. */
import { execFileSync } from 'node:child_process'
import os from 'node:os'
import path from 'node:path'
import type { HeliographResult } from './heliograph.ts'
import type { PrometheusResult, RemoteWriteResult } from './prometheus.ts'
import type { DiskUse } from './usage.ts'
import type { ProgramWindow } from './window.ts'

export type Round = { readonly heliograph: HeliographResult; readonly prometheus: PrometheusResult | null }
export type Machine = {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly kernel: string
  readonly node: string
  readonly prometheus: string
  readonly commit: string
  readonly loadAverage: readonly number[]
}
export type Figure = {
  readonly what: string
  readonly unit: string
  readonly ours: readonly number[]
  readonly theirs: readonly number[] | null
  /** Ours over theirs; null: nothing to compare with, or not like for like. */
  readonly wanted: string
}

const MIB = 2 ** 20

export function machine(prometheus: string): Machine {
  return {
    date: new Date().toISOString(),
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cores: os.cpus().length,
    kernel: os.release(),
    node: process.version,
    prometheus,
    commit: commit(),
    loadAverage: os.loadavg().map((load) => Math.round(load * 100) / 100),
  }
}

function commit(): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: path.resolve(import.meta.dirname, '../..'), encoding: 'utf8', stdio: 'pipe' })
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== ''
    return git('rev-parse', '--short', 'HEAD').trim() + (changed ? ' with changes' : '')
  } catch {
    return 'no git'
  }
}

export function figures(rounds: readonly Round[], remoteWrite: RemoteWriteResult | null): Figure[] {
  const ours = (of: (result: HeliographResult) => number): number[] => rounds.map(({ heliograph }) => of(heliograph))
  const theirs = (of: (result: PrometheusResult) => number): number[] | null =>
    rounds.some(({ prometheus }) => prometheus === null) ? null : rounds.map(({ prometheus }) => of(prometheus!))
  const perMillion = (result: HeliographResult, names: readonly string[]): number =>
    sum(names.map((name) => result.window.programs[name]!.cpuSeconds)) / (result.window.samples / 1e6)
  const cpu = (...names: string[]): number[] => ours((result) => perMillion(result, names))
  const prometheusCpu = theirs(({ window }) => window.programs['prometheus']!.cpuSeconds / (window.samples / 1e6))
  const memory = (of: (window: ProgramWindow) => number, ...names: string[]): number[] =>
    ours(({ window }) => sum(names.map((name) => of(window.programs[name]!))) / MIB)
  const prometheusMemory = (of: (window: ProgramWindow) => number): number[] | null =>
    theirs(({ window }) => of(window.programs['prometheus']!) / MIB)
  const both = ['agent', 'hub']
  const rssMax = (window: ProgramWindow): number => window.maxRssBytes
  const rssEnd = (window: ProgramWindow): number => window.end.rssBytes
  const pssEnd = (window: ProgramWindow): number => window.end.pssBytes
  const wire = ours(({ wire: { up, down }, window }) => (up + down) / window.samples)
  const written = (version: '1.0' | '2.0'): number[] | null => {
    if (remoteWrite === null) return null
    const { wire: bytes, samples } = remoteWrite[version]
    return [(bytes.up + bytes.down) / samples]
  }
  return [
    row('CPU, agent + hub', 's / M samples', cpu(...both), prometheusCpu, '<= 0.5'),
    row('CPU, agent alone', 's / M samples', cpu('agent'), null),
    row('CPU, hub alone', 's / M samples', cpu('hub'), null),
    row('RSS at most, agent + hub', 'MiB', memory(rssMax, ...both), prometheusMemory(rssMax)),
    row('RSS at the end, agent + hub', 'MiB', memory(rssEnd, ...both), prometheusMemory(rssEnd)),
    row('PSS at the end, agent + hub', 'MiB', memory(pssEnd, ...both), prometheusMemory(pssEnd)),
    row('RSS at most, agent alone', 'MiB', memory(rssMax, 'agent'), null),
    row('RSS at most, hub alone', 'MiB', memory(rssMax, 'hub'), prometheusMemory(rssMax)),
    row('wire, to remote write 1.0', 'B / sample', wire, written('1.0'), '<= 0.1'),
    row('wire, to remote write 2.0', 'B / sample', wire, written('2.0'), '<= 0.12'),
    row(
      'wire, definitions included',
      'B / sample',
      ours(({ wireOfLife: { up, down }, storedSamples }) => (up + down) / storedSamples),
      null,
    ),
    row(
      'disk, hub',
      'B / sample',
      ours(({ hubDisk, storedSamples }) => bytesOf(hubDisk) / storedSamples),
      theirs(({ disk, storedSamples }) => bytesOf(disk) / storedSamples),
    ),
    row(
      "disk, agent's ring",
      'B / sample',
      ours(({ agentDisk, storedSamples }) => bytesOf(agentDisk) / storedSamples),
      null,
    ),
  ]
}

function row(
  what: string,
  unit: string,
  ours: readonly number[],
  theirs: readonly number[] | null,
  wanted = '',
): Figure {
  return { what, unit, ours, theirs, wanted }
}

function bytesOf(disk: Readonly<Record<string, DiskUse>>): number {
  return sum(Object.values(disk).map(({ bytes }) => bytes))
}

export function table(rows: readonly Figure[]): string {
  const cells = [
    ['', 'unit', 'Heliograph', 'Prometheus', 'ratio', 'wanted'],
    ...rows.map(({ what, unit, ours, theirs, wanted }) => [
      what,
      unit,
      spread(ours),
      theirs === null ? '' : spread(theirs),
      theirs === null ? '' : (median(ours) / median(theirs)).toFixed(3),
      wanted,
    ]),
  ]
  const widths = cells[0]!.map((_, column) => Math.max(...cells.map((line) => line[column]!.length)))
  const lines = cells.map((line) =>
    line
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd(),
  )
  lines.splice(1, 0, '-'.repeat(sum(widths) + 2 * (widths.length - 1)))
  return lines.join('\n')
}

/** Where the CPU time of a round went, by name of thread. */
export function threadLines({ heliograph, prometheus }: Round): string {
  const lines: string[] = []
  for (const window of [heliograph.window, prometheus?.window])
    for (const [name, { threads }] of Object.entries(window?.programs ?? {})) {
      const parts = Object.entries(threads)
        .filter(([, seconds]) => seconds >= 0.01)
        .sort(([, a], [, b]) => b - a)
        .map(([thread, seconds]) => `${thread} ${seconds.toFixed(2)}`)
      lines.push(`  ${name.padEnd(11)} ${parts.join(', ')}`)
    }
  return lines.join('\n')
}

/** What lies on the disks, by first level of the data directories. */
export function diskLines({ heliograph, prometheus }: Round): string {
  const lines = (name: string, disk: Readonly<Record<string, DiskUse>>): string[] =>
    Object.entries(disk)
      .sort(([, a], [, b]) => b.bytes - a.bytes)
      .map(
        ([entry, { bytes, allocatedBytes }]) =>
          `  ${name.padEnd(11)} ${entry.padEnd(24)} ${mib(bytes)} MiB long, ${mib(allocatedBytes)} MiB allocated`,
      )
  return [
    ...lines('hub', heliograph.hubDisk),
    ...lines('agent', heliograph.agentDisk),
    ...(prometheus ? lines('prometheus', prometheus.disk) : []),
  ].join('\n')
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(2).padStart(8)
}

/** The median, and what the rounds lay between. */
function spread(values: readonly number[]): string {
  const digits = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))
  if (values.length === 1) return digits(values[0]!)
  return `${digits(median(values))} (${digits(Math.min(...values))}..${digits(Math.max(...values))})`
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}
