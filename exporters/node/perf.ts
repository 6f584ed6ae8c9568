/**
 * Counters of the CPU and of the kernel by perf_event_open(2), over all processes. Events are opened at the first
 * scrape and stay open, so that counters grow. Layout: struct perf_event_attr, PERF_ATTR_SIZE_VER1. Semantics:
 * node_exporter collector/perf_linux.go.
 *
 * Differs: `collector.perf.hardware-profilers` and `…software-profilers` choose, as their help says; upstream counts
 * every event whatever they name.
 */
import type { PerfEvent } from '../../protocol/env/mod.ts'
import { booleanFlag, FlagError, type Flags, listFlag, stringFlag } from '../contract.ts'
import { type Collector, FamilySet, kernelOf, type NodeContext } from './collector.ts'
import { listDirectory, readNumber } from './files.ts'
import { CACHE_EVENTS, HARDWARE_EVENTS, type PerfEventKind, SOFTWARE_EVENTS } from './perf-events.ts'

const ATTR_BYTES = 72
const TRACEPOINT = 2
/** Children inherit; the hypervisor is not counted. */
const FLAGS = (1n << 1n) | (1n << 6n)

type Open = {
  readonly name: string
  readonly help: string
  readonly cpu: number
  readonly event: PerfEvent
}

export function perfCollector(context: NodeContext): Collector {
  const { flags, disk, sysfs, log } = context
  const cpus = parseCpus(stringFlag(flags, 'collector.perf.cpus', ''))
  const tracepoints = listFlag(flags, 'collector.perf.tracepoint').map(parseTracepoint)
  const groups = [
    chosen(flags, 'hardware', HARDWARE_EVENTS),
    chosen(flags, 'software', SOFTWARE_EVENTS),
    chosen(flags, 'cache', CACHE_EVENTS),
  ].filter((group) => group.length > 0)
  let open: Open[] | null = null

  function tracepointEvents(): PerfEventKind[] {
    return tracepoints.map(([subsystem, event]) => {
      const folders = [`${sysfs}/kernel/tracing`, `${sysfs}/kernel/debug/tracing`]
      const ids = folders.map((folder) => readNumber(disk, `${folder}/events/${subsystem}/${event}/id`))
      const id = ids.find((each) => each !== null)
      if (id === undefined || id === null)
        throw new Error(`no tracepoint ${subsystem}:${event} in ${folders.join(', ')}`)
      const help = `Perf tracepoint ${subsystem}:${event}`
      return { flag: '', type: TRACEPOINT, config: BigInt(id), name: `${subsystem}_${event}`, help }
    })
  }

  /** Events that this CPU lacks are left out; a group of which none can be opened fails the collector. */
  function openAll(): Open[] {
    const kernel = kernelOf(context)
    const out: Open[] = []
    try {
      for (const cpu of cpus ?? onlineCpus(context)) {
        for (const group of groups) {
          const before = out.length
          let failure: unknown = null
          for (const { type, config, name, help } of group) {
            try {
              out.push({ name, help, cpu, event: kernel.openPerfEvent(attr(type, config), cpu) })
            } catch (error) {
              if ((error as { code?: string }).code === 'UNAVAILABLE') throw error
              failure = error
            }
          }
          if (failure !== null && out.length === before) {
            // A virtual machine has no hardware counters: what is left is told.
            log.debug('Perf events cannot be opened', { first: group[0]!.name, cpu, err: failure })
          }
        }
        for (const { type, config, name, help } of tracepointEvents())
          out.push({ name, help, cpu, event: kernel.openPerfEvent(attr(type, config), cpu) })
      }
      if (out.length === 0) throw new Error('no perf event can be opened; see /proc/sys/kernel/perf_event_paranoid')
      return out
    } catch (error) {
      for (const { event } of out) event.close()
      throw error
    }
  }

  return {
    name: 'perf',
    update() {
      open ??= openAll()
      const out = new FamilySet()
      for (const { name, help, cpu, event } of open)
        out.counter(`perf_${name}`, help, ['cpu', String(cpu)], event.read())
      return out.list()
    },
    close() {
      for (const { event } of open ?? []) event.close()
      open = null
    },
  }
}

function chosen(flags: Flags, kind: string, events: readonly PerfEventKind[]): readonly PerfEventKind[] {
  if (booleanFlag(flags, `collector.perf.disable-${kind}-profilers`, false)) return []
  const names = listFlag(flags, `collector.perf.${kind}-profilers`)
  return names.length === 0 ? events : events.filter(({ flag }) => names.includes(flag))
}

function attr(type: number, config: bigint): Uint8Array {
  const bytes = new Uint8Array(ATTR_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, ATTR_BYTES, true)
  view.setBigUint64(8, config, true)
  view.setBigUint64(40, FLAGS, true)
  return bytes
}

/** `1,3-9:2`; null for none given. */
function parseCpus(text: string): number[] | null {
  if (text === '') return null
  const out: number[] = []
  for (const part of text.split(',')) {
    const match = /^(\d{1,5})(?:-(\d{1,5})(?::(\d{1,5}))?)?$/.exec(part)
    const step = Number(match?.[3] ?? 1)
    if (!match || step === 0) throw new FlagError('collector.perf.cpus', `must be like 0,2-8:2, got "${text}"`)
    for (let cpu = Number(match[1]); cpu <= Number(match[2] ?? match[1]); cpu += step) out.push(cpu)
  }
  return out
}

function parseTracepoint(text: string): readonly [subsystem: string, event: string] {
  const match = /^([\w-]+):([\w-]+)$/.exec(text)
  if (!match) throw new FlagError('collector.perf.tracepoint', `must be like sched:sched_process_exec, got "${text}"`)
  return [match[1]!, match[2]!]
}

function onlineCpus({ disk, sysfs }: NodeContext): number[] {
  const folders = listDirectory(disk, `${sysfs}/devices/system/cpu`).filter((name) => /^cpu\d+$/.test(name))
  return folders
    .map((name) => Number(name.slice('cpu'.length)))
    .filter((cpu) => (readNumber(disk, `${sysfs}/devices/system/cpu/cpu${cpu}/online`) ?? 1) === 1)
    .sort((a, b) => a - b)
}
