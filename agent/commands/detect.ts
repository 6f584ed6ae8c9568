/**
 * `detect`: what on this host could be collected, as configuration that is ready to be pasted. It only proposes: nothing
 * is contacted, nothing is switched on.
 */
import { type Command, flagText, text } from './contract.ts'
import { type HostServices, type ListeningSocket, readHostServices } from './host-services.ts'

export const detect: Command = {
  summary: 'Proposes exporters and scrapes for what runs on this host, as ready configuration. Enables nothing.',
  usage: '',
  flags: [text('path.procfs', '/proc', 'procfs mountpoint.')],
  maxArguments: 0,
  async run(flags, { env, say }) {
    say(proposal(readHostServices(env.disk, flagText(flags, 'path.procfs'), OWNERS)))
    return 0
  },
}

/** A section of `exporters:`, and why it is proposed. */
type Found = { readonly name: string; readonly why: string; readonly lines: readonly string[] }
type Detector = (services: HostServices) => Found | null

const MYSQL = ['mysqld', 'mariadbd']
const MEMCACHED = ['memcached']
const HAPROXY = ['haproxy']
/** Programs that are found by their sockets, wherever these are. */
const OWNERS: ReadonlySet<string> = new Set([...MYSQL, ...MEMCACHED, ...HAPROXY])

const MYSQL_PORT = 3306
/** Of the X protocol, which no exporter speaks. */
const MYSQLX_PORT = 33_060
const MEMCACHED_PORT = 11211
const INSPECTOR_PORT = 9229
const STATSD_PORTS = [8125, 9125]

const DETECTORS: readonly Detector[] = [
  () => ({ name: 'node', why: 'every Linux host', lines: [] }),
  (services) => {
    const socket = unixSocket(services, /\/mysqld?\.sock$|\/mariadb\.sock$/, MYSQL, /mysqlx/)
    const tcp = listening(services, MYSQL_PORT, MYSQL, MYSQLX_PORT)
    const command = running(services, MYSQL)
    if (!socket && !tcp && !command) return null
    const address = tcp ? at(tcp) : socket ? `unix://${socket}` : `127.0.0.1:${MYSQL_PORT}`
    return {
      name: 'mysql',
      why: because(command, socket, tcp),
      lines: [
        "# CREATE USER 'exporter'@'localhost' IDENTIFIED BY '…' WITH MAX_USER_CONNECTIONS 3;",
        "# GRANT PROCESS, REPLICATION CLIENT, SELECT ON *.* TO 'exporter'@'localhost';",
        `mysqld.address: ${JSON.stringify(address)}`,
        'config.my-cnf: /etc/heliograph/my.cnf',
      ],
    }
  },
  (services) => {
    const socket = unixSocket(services, /memcached[^/]*(\.sock)?$/, MEMCACHED)
    const tcp = listening(services, MEMCACHED_PORT, MEMCACHED)
    const command = running(services, MEMCACHED)
    if (!socket && !tcp && !command) return null
    const address = tcp || !socket ? at(tcp ?? { host: '127.0.0.1', port: MEMCACHED_PORT }) : socket
    return {
      name: 'memcached',
      why: because(command, socket, tcp),
      lines: [`memcached.address: ${JSON.stringify(address)}`],
    }
  },
  (services) => {
    const socket = unixSocket(services, /haproxy.*\.sock$|\/admin\.sock$/, HAPROXY, /master/)
    const command = running(services, HAPROXY)
    if (!socket && !command) return null
    const lines = socket
      ? [`haproxy.scrape-uri: ${JSON.stringify(`unix:${socket}`)}`]
      : [
          '# haproxy.cfg needs: stats socket /run/haproxy/admin.sock mode 660 level user',
          'haproxy.scrape-uri: unix:/run/haproxy/admin.sock',
        ]
    return { name: 'haproxy', why: because(command, socket, undefined), lines }
  },
  (services) => {
    const tcp = listening(services, INSPECTOR_PORT)
    return tcp
      ? { name: 'nodejs', why: because('', undefined, tcp), lines: [`inspect: ${JSON.stringify([at(tcp)])}`] }
      : null
  },
  (services) => {
    const command = running(services, ['statsd_exporter', 'prometheus-stat', 'statsd'])
    const tcp = STATSD_PORTS.map((port) => listening(services, port)).find((each) => each !== undefined)
    if (!command && !tcp) return null
    return {
      name: 'statsd',
      why: `${because(command, undefined, tcp)}; stop it first, for the agent takes its port`,
      lines: [
        `statsd.listen-udp: "127.0.0.1:${tcp?.port ?? 9125}"`,
        `statsd.listen-tcp: "127.0.0.1:${tcp?.port ?? 9125}"`,
      ],
    }
  },
]

/** Programs that serve metrics by themselves, by the port that is theirs by custom. */
const SCRAPED: Readonly<Record<number, readonly [job: string, path?: string]>> = {
  2019: ['caddy'],
  8222: ['nats'],
  8404: ['haproxy'],
  9090: ['prometheus'],
  9093: ['alertmanager'],
  9113: ['nginx'],
  9115: ['blackbox'],
  9117: ['apache'],
  9121: ['redis'],
  9187: ['postgres'],
  9216: ['mongodb'],
  9256: ['process'],
  9323: ['docker'],
  9419: ['rabbitmq'],
  15692: ['rabbitmq'],
  3000: ['grafana'],
}

export function proposal(services: HostServices): string {
  const found = DETECTORS.map((detector) => detector(services)).filter((each) => each !== null)
  const lines = [
    '# Proposed for this host. Choose what you want and put it into /etc/heliograph/agent.yml.',
    'exporters:',
  ]
  for (const { name, why, lines: settings } of found) {
    lines.push(`  # ${why}`, settings.some((line) => !line.startsWith('#')) ? `  ${name}:` : `  ${name}: {}`)
    for (const setting of settings) lines.push(`    ${setting}`)
  }
  const jobs = Object.entries(SCRAPED)
    .map(([port, [job]]) => ({ job, socket: listening(services, Number(port)) }))
    .filter(({ socket }) => socket !== undefined)
  lines.push(jobs.length === 0 ? 'scrape_configs: []' : 'scrape_configs:')
  const names = new Set<string>()
  for (const { job, socket } of jobs) {
    const name = names.has(job) ? `${job}-${socket!.port}` : job
    names.add(name)
    lines.push(
      `  # something listens on ${at(socket!)}, where ${job} serves metrics by custom`,
      `  - job_name: ${name}`,
      `    static_configs: [{ targets: [${JSON.stringify(at(socket!))}] }]`,
    )
  }
  return lines.join('\n')
}

/** The socket of a port, one of the loopback first; else one of the programs, but for the port `except`. */
function listening(
  { tcp }: HostServices,
  port: number,
  programs: readonly string[] = [],
  except = 0,
): ListeningSocket | undefined {
  const customary = tcp.filter((socket) => socket.port === port)
  const all =
    customary.length > 0
      ? customary
      : tcp.filter(({ command, port }) => programs.includes(command ?? '') && port !== except)
  return all.find(({ host }) => /^127\.|^::1$/.test(host)) ?? all[0]
}

/** The path that looks like it; else one of the programs. */
function unixSocket(
  { unix }: HostServices,
  looks: RegExp,
  programs: readonly string[],
  except: RegExp = /^$/,
): string | undefined {
  const all = unix.filter(({ path }) => !except.test(path))
  return (all.find(({ path }) => looks.test(path)) ?? all.find(({ command }) => programs.includes(command ?? '')))?.path
}

function running({ commands }: HostServices, names: readonly string[]): string {
  return names.find((name) => commands.has(name)) ?? ''
}

/** Where to connect: a socket of every address is reached by the loopback. */
function at({ host, port }: ListeningSocket): string {
  if (host === '0.0.0.0' || host === '::') return `127.0.0.1:${port}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function because(command: string, socket: string | undefined, tcp: ListeningSocket | undefined): string {
  const reasons = [
    command ? `${command} is running` : '',
    socket ? `${socket} accepts connections` : '',
    tcp ? `something listens on ${at(tcp)}` : '',
  ]
  return reasons.filter(Boolean).join(', ')
}
