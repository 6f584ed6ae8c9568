/** NVMe subsystems reached over several controllers. */
import { type Collector, FamilySet, NoDataError, type NodeContext } from './collector.ts'
import { listDirectory, openDirectory, readTrimmed } from './files.ts'

const STATES = ['live', 'connecting', 'resetting', 'dead', 'unknown']
/** Known states without a sample of their own. */
const PASSING_STATES = ['deleting', 'deleting (no IO)', 'new']

export function nvmesubsystemCollector({ disk, sysfs }: NodeContext): Collector {
  const base = `${sysfs}/class/nvme-subsystem`
  return {
    name: 'nvmesubsystem',
    update() {
      const subsystems = openDirectory(disk, base)
      if (subsystems === null) throw new NoDataError('no NVMe subsystem')
      const out = new FamilySet()
      for (const subsystem of subsystems) describe(disk, out, `${base}/${subsystem}`, subsystem)
      return out.list()
    },
  }
}

function describe(disk: NodeContext['disk'], out: FamilySet, folder: string, subsystem: string): void {
  const read = (file: string): string => readTrimmed(disk, `${folder}/${file}`) ?? ''
  const own = ['subsystem', subsystem]
  out.gauge('nvmesubsystem_info', 'Non-numeric information about an NVMe subsystem.', [
    ...['iopolicy', read('iopolicy'), 'model', read('model'), 'nqn', read('subsysnqn'), 'serial', read('serial')],
    ...own,
  ])
  let paths = 0
  let live = 0
  for (const name of listDirectory(disk, folder)) {
    if (/^nvme\d+n\d+$/.test(name)) {
      const help = 'Maps an NVMe namespace block device to its subsystem.'
      out.gauge('nvmesubsystem_namespace_info', help, ['device', name, ...own])
    }
    if (!/^nvme\d+$/.test(name)) continue
    const given = read(`${name}/state`)
    const state = STATES.includes(given) || PASSING_STATES.includes(given) ? given : 'unknown'
    paths++
    if (state === 'live') live++
    for (const each of STATES) {
      out.gauge(
        'nvmesubsystem_path_state',
        'Current NVMe controller path state (1 for the current state, 0 for all others).',
        ['controller', name, 'state', each, ...own, 'transport', read(`${name}/transport`)],
        each === state ? 1 : 0,
      )
    }
  }
  out.gauge('nvmesubsystem_paths', 'Number of controller paths for an NVMe subsystem.', own, paths)
  const help = 'Number of controller paths in live state for an NVMe subsystem.'
  out.gauge('nvmesubsystem_paths_live', help, own, live)
}
