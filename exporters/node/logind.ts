/** Sessions of logind by seat, over D-Bus. Semantics: node_exporter collector/logind_linux.go. */
import { type Collector, FamilySet, type NodeContext, netOf } from './collector.ts'
import { connectDBus, type DBusConnection } from './dbus.ts'
import type { DBusValue } from './dbus-codec.ts'

const LOGIND = 'org.freedesktop.login1'
const MANAGER_PATH = '/org/freedesktop/login1'
const REMOTE = ['true', 'false']
/** The first stands for what is not listed. */
const TYPES = ['other', 'unspecified', 'tty', 'x11', 'wayland', 'mir', 'web']
const CLASSES = ['other', 'user', 'greeter', 'lock-screen', 'background']

export function logindCollector(context: NodeContext): Collector {
  return {
    name: 'logind',
    async update() {
      const bus = await connectDBus({ net: netOf(context), clock: context.clock }, context.systemBus, true)
      try {
        return await collect(bus)
      } finally {
        bus.close()
      }
    },
  }
}

async function collect(bus: DBusConnection) {
  const list = async (member: string): Promise<readonly DBusValue[][]> => {
    const call = { destination: LOGIND, path: MANAGER_PATH, interface: `${LOGIND}.Manager`, member, arguments: [] }
    const [rows] = await bus.call(call)
    return rows as readonly DBusValue[][]
  }
  // The empty seat is that of remote sessions.
  const seats = [...(await list('ListSeats')).map(([seat]) => String(seat)), '']
  const counts = new Map<string, number>()
  const sessions = await Promise.all(
    (await list('ListSessions')).map(async ([, , , seat, path]) => {
      const get = (name: string): Promise<DBusValue> => bus.property(LOGIND, String(path), `${LOGIND}.Session`, name)
      try {
        const [remote, type, kind] = await Promise.all([get('Remote'), get('Type'), get('Class')])
        return keyOf(String(seat), String(remote), known(type, TYPES), known(kind, CLASSES))
      } catch {
        // It ended between the two questions.
        return null
      }
    }),
  )
  for (const key of sessions) if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1)
  const out = new FamilySet()
  for (const remote of REMOTE)
    for (const type of TYPES)
      for (const kind of CLASSES)
        for (const seat of seats) {
          const labels = ['class', kind, 'remote', remote, 'seat', seat, 'type', type]
          const count = counts.get(keyOf(seat, remote, type, kind)) ?? 0
          out.gauge('logind_sessions', 'Number of sessions registered in logind.', labels, count)
        }
  return out.list()
}

const keyOf = (...parts: string[]): string => parts.join('\0')

const known = (value: DBusValue, values: readonly string[]): string =>
  values.includes(String(value)) ? String(value) : values[0]!
