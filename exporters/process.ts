/**
 * A process's own figures: of another by its pid file, under `<namespace>_process_*`, for exporters with a `*.pid-file`
 * flag; and of this one under `process_*`, as every exporter in Go shows them. Semantics: client_golang prometheus/process_collector_procfsenabled.go (Linux).
 */
import type { Clock, Disk } from '../protocol/env/mod.ts'
import { counter, type FamilyType, gauge, type MetricFamily } from '../protocol/exposition/mod.ts'

/** Linux's USER_HZ, the same on every architecture that runs us. */
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4096

/** Empty where the pid file or the process cannot be read: a figure that is missing says so by its absence. */
export function pidFileFamilies(disk: Disk, namespace: string, pidFile: string): MetricFamily[] {
  const pid = tryRead(() => disk.readText(pidFile).trim())
  return pid !== null && /^\d+$/.test(pid) ? processFamilies(disk, `${namespace}_`, `/proc/${pid}`) : []
}

/** Exporters of one process that are asked at the same time say the same of it. */
const SHARED_MS = 100
const shared = new WeakMap<Disk, { readonly atMs: number; readonly families: readonly MetricFamily[] }>()

/** With the bytes that this process's network namespace received and sent. */
export function ownProcessFamilies(disk: Disk, clock: Pick<Clock, 'monotonic'>): readonly MetricFamily[] {
  const now = clock.monotonic()
  const known = shared.get(disk)
  if (known !== undefined && now - known.atMs >= 0 && now - known.atMs < SHARED_MS) return known.families
  const families = readOwnProcess(disk)
  shared.set(disk, { atMs: now, families })
  return families
}

function readOwnProcess(disk: Disk): MetricFamily[] {
  const out = processFamilies(disk, '', '/proc/self')
  const [names, values] = (tryRead(() => disk.readText('/proc/self/net/netstat')) ?? '')
    .split('\n')
    .filter((line) => line.startsWith('IpExt:'))
    .map((line) => line.split(' '))
  const add = (field: string, name: string, help: string): void => {
    const value = Number(values?.[names?.indexOf(field) ?? -1] ?? NaN)
    if (!Number.isNaN(value)) out.push(counter(`process_network_${name}`, help, [{ labels: [], value }]))
  }
  add('InOctets', 'receive_bytes_total', 'Number of bytes received by the process over the network.')
  add('OutOctets', 'transmit_bytes_total', 'Number of bytes sent by the process over the network.')
  return out
}

function processFamilies(disk: Disk, prefix: string, folder: string): MetricFamily[] {
  const stat = tryRead(() => disk.readText(`${folder}/stat`))
  if (stat === null) return []
  // The command in parentheses may hold spaces and parentheses itself; field 3 follows the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const field = (number: number): number => Number(fields[number - 3])
  const out: MetricFamily[] = []
  const add = (type: FamilyType, name: string, help: string, value: number | null): void => {
    if (value === null || Number.isNaN(value)) return
    const make = type === 'counter' ? counter : gauge
    out.push(make(`${prefix}process_${name}`, help, [{ labels: [], value }]))
  }
  const cpu = (field(14) + field(15)) / TICKS_PER_SECOND
  add('counter', 'cpu_seconds_total', 'Total user and system CPU time spent in seconds.', cpu)
  add('gauge', 'virtual_memory_bytes', 'Virtual memory size in bytes.', field(23))
  add('gauge', 'resident_memory_bytes', 'Resident memory size in bytes.', field(24) * PAGE_BYTES)
  const bootSeconds = tryRead(() => Number(/^btime (\d+)/m.exec(disk.readText('/proc/stat'))?.[1] ?? NaN))
  const start = bootSeconds === null ? null : bootSeconds + field(22) / TICKS_PER_SECOND
  add('gauge', 'start_time_seconds', 'Start time of the process since unix epoch in seconds.', start)
  const openFiles = tryRead(() => disk.readDirectory(`${folder}/fd`).length)
  add('gauge', 'open_fds', 'Number of open file descriptors.', openFiles)
  const limits = tryRead(() => disk.readText(`${folder}/limits`)) ?? ''
  add('gauge', 'max_fds', 'Maximum number of open file descriptors.', limitOf(limits, 'Max open files'))
  const addressSpace = limitOf(limits, 'Max address space')
  add('gauge', 'virtual_memory_max_bytes', 'Maximum amount of virtual memory available in bytes.', addressSpace)
  return out
}

/** The soft limit; unlimited is the largest unsigned number, as upstream prints it. */
function limitOf(text: string, name: string): number | null {
  const value = new RegExp(`^${name}\\s+(\\S+)`, 'm').exec(text)?.[1]
  return value === undefined ? null : value === 'unlimited' ? 2 ** 64 : Number(value)
}

function tryRead<T>(read: () => T): T | null {
  try {
    return read()
  } catch {
    return null
  }
}
