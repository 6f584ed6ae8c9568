/** Units of systemd, over D-Bus. Semantics: node_exporter collector/systemd_linux.go (v1.12). */
import type { MetricFamily } from '../../protocol/exposition/mod.ts'
import { compileRegex } from '../../protocol/matchers/mod.ts'
import { booleanFlag, type Flags, stringFlag } from '../contract.ts'
import { type Collector, FamilySet, type NodeContext, netOf } from './collector.ts'
import { connectDBus, type DBusConnection } from './dbus.ts'
import type { DBusValue } from './dbus-codec.ts'

const SYSTEMD = 'org.freedesktop.systemd1'
const MANAGER_PATH = '/org/freedesktop/systemd1'
const MANAGER = `${SYSTEMD}.Manager`
const PRIVATE_SOCKET = '/run/systemd/private'
const STATES = ['active', 'activating', 'deactivating', 'inactive', 'failed']
/** The first version with the system's state and timers' last triggers. */
const VERSION_WITH_STATE = 212
/** Of counters that are not kept. */
const UNKNOWN = 2n ** 64n - 1n
const MICRO = 1e6
/** Calls under way at once: the daemon answers in order, and its queue is bounded. */
const CALLS_AT_ONCE = 64

type Unit = { readonly name: string; readonly load: string; readonly active: string; readonly path: string }

export function systemdCollector(context: NodeContext): Collector {
  const { flags, systemBus } = context
  const wanted = unitFilter(flags)
  const withTasks = booleanFlag(flags, 'collector.systemd.enable-task-metrics', false)
  const withRestarts = booleanFlag(flags, 'collector.systemd.enable-restarts-metrics', false)
  const withStartTimes = booleanFlag(flags, 'collector.systemd.enable-start-time-metrics', false)
  const isPrivate = booleanFlag(flags, 'collector.systemd.private', false)

  /** The system's bus, or where there is none systemd's own socket (for root only). */
  async function connect(): Promise<DBusConnection> {
    const env = { net: netOf(context), clock: context.clock }
    if (isPrivate) return connectDBus(env, PRIVATE_SOCKET, false)
    try {
      return await connectDBus(env, systemBus, true)
    } catch (error) {
      return connectDBus(env, PRIVATE_SOCKET, false).catch(() => {
        throw error
      })
    }
  }

  async function collect(bus: DBusConnection): Promise<readonly MetricFamily[]> {
    const out = new FamilySet()
    const manager = (name: string): Promise<DBusValue | null> =>
      bus.property(SYSTEMD, MANAGER_PATH, MANAGER, name).catch(() => null)
    const text = String((await manager('Version')) ?? '')
    const version = Number(/[0-9]{3,}(\.[0-9]+)?/.exec(text)?.[0] ?? 0)
    const virtualization = await manager('Virtualization')
    const list = { destination: SYSTEMD, path: MANAGER_PATH, interface: MANAGER, member: 'ListUnits', arguments: [] }
    const [rows] = (await bus.call(list)) as readonly DBusValue[][]
    const units = (rows ?? []).map(unitOf)
    const shown = units.filter((unit) => unit.load === 'loaded' && wanted(unit.name))

    /** One property of each of these units; null where the unit lacks it. */
    async function each(suffix: string, face: string, name: string): Promise<(readonly [Unit, DBusValue])[]> {
      const asked = shown.filter((unit) => unit.name.endsWith(suffix))
      const out: (readonly [Unit, DBusValue])[] = []
      for (let at = 0; at < asked.length; at += CALLS_AT_ONCE) {
        const part = asked.slice(at, at + CALLS_AT_ONCE)
        const values = await Promise.all(
          part.map((unit) => bus.property(SYSTEMD, unit.path, `${SYSTEMD}.${face}`, name).catch(() => null)),
        )
        values.forEach((value, i) => {
          if (value !== null) out.push([part[i]!, value])
        })
      }
      return out
    }

    const types = new Map<string, string>()
    for (const [{ name }, type] of await each('.service', 'Service', 'Type')) types.set(name, String(type))
    for (const [{ name }, type] of await each('.mount', 'Mount', 'Type')) types.set(name, String(type))
    if (withRestarts)
      for (const [{ name }, count] of await each('.service', 'Service', 'NRestarts'))
        out.counter(
          'systemd_service_restart_total',
          'Service unit count of Restart triggers',
          ['name', name],
          Number(count),
        )
    for (const [{ name }, count] of await each('.socket', 'Socket', 'NAccepted'))
      out.counter(
        'systemd_socket_accepted_connections_total',
        'Total number of accepted socket connections',
        ['name', name],
        Number(count),
      )
    for (const [{ name }, count] of await each('.socket', 'Socket', 'NConnections'))
      out.gauge(
        'systemd_socket_current_connections',
        'Current number of socket connections',
        ['name', name],
        Number(count),
      )
    for (const [{ name }, count] of await each('.socket', 'Socket', 'NRefused'))
      out.gauge(
        'systemd_socket_refused_connections_total',
        'Total number of refused socket connections',
        ['name', name],
        Number(count),
      )
    if (version >= VERSION_WITH_STATE) {
      const state = await bus.property(SYSTEMD, MANAGER_PATH, MANAGER, 'SystemState')
      const help = "Whether the system is operational (see 'systemctl is-system-running')"
      out.gauge('systemd_system_running', help, [], state === 'running' ? 1 : 0)
      for (const [{ name }, time] of await each('.timer', 'Timer', 'LastTriggerUSec'))
        out.gauge(
          'systemd_timer_last_trigger_seconds',
          'Seconds since epoch of last trigger.',
          ['name', name],
          Number(time) / MICRO,
        )
    }
    if (withStartTimes) {
      const times = new Map<string, DBusValue>()
      for (const [{ name }, time] of await each('', 'Unit', 'ActiveEnterTimestamp')) times.set(name, time)
      const help = 'Start time of the unit since unix epoch in seconds.'
      for (const { name, active } of shown) {
        const time = active === 'active' ? times.get(name) : 0
        if (time !== undefined) out.gauge('systemd_unit_start_time_seconds', help, ['name', name], Number(time) / MICRO)
      }
    }
    addStates(out, shown, types)
    if (withTasks) {
      for (const [{ name }, count] of await each('.service', 'Service', 'TasksCurrent'))
        if (count !== UNKNOWN)
          out.gauge(
            'systemd_unit_tasks_current',
            'Current number of tasks per Systemd unit',
            ['name', name],
            Number(count),
          )
      for (const [{ name }, count] of await each('.service', 'Service', 'TasksMax'))
        if (count !== UNKNOWN)
          out.gauge('systemd_unit_tasks_max', 'Maximum number of tasks per Systemd unit', ['name', name], Number(count))
    }
    addSummary(out, units)
    out.gauge('systemd_version', 'Detected systemd version', ['version', version === 0 ? '' : text], version)
    const kind = virtualization === null ? 'unknown' : virtualization === '' ? 'none' : String(virtualization)
    out.gauge('systemd_virtualization_info', 'Detected virtualization technology', ['virtualization_type', kind])
    return out.list()
  }

  return {
    name: 'systemd',
    async update() {
      const bus = await connect()
      try {
        return await collect(bus)
      } finally {
        bus.close()
      }
    },
  }
}

/** Include and exclude match whole names, and both count. */
function unitFilter(flags: Flags): (name: string) => boolean {
  const include = stringFlag(flags, 'collector.systemd.unit-include', '.+')
  const exclude = stringFlag(flags, 'collector.systemd.unit-exclude', '.+\\.(automount|device|mount|scope|slice)')
  const included = compileRegex(`^(?:${include})$`)
  const excluded = compileRegex(`^(?:${exclude})$`)
  return (name) => included.matcher(name).find() && !excluded.matcher(name).find()
}

/** Name, description, load state, active state, sub state, followed unit, path, job. */
function unitOf(row: DBusValue): Unit {
  const fields = row as readonly DBusValue[]
  return { name: String(fields[0]), load: String(fields[2]), active: String(fields[3]), path: String(fields[6]) }
}

function addStates(out: FamilySet, units: readonly Unit[], types: ReadonlyMap<string, string>): void {
  for (const { name, active } of units)
    for (const state of STATES) {
      const labels = ['name', name, 'state', state, 'type', types.get(name) ?? '']
      out.gauge('systemd_unit_state', 'Systemd unit', labels, state === active ? 1 : 0)
    }
}

function addSummary(out: FamilySet, units: readonly Unit[]): void {
  const counts = new Map(STATES.map((state) => [state, 0]))
  for (const { active } of units) counts.set(active, (counts.get(active) ?? 0) + 1)
  for (const [state, count] of counts)
    out.gauge('systemd_units', 'Summary of systemd unit states', ['state', state], count)
}
