/** Real servers and upstream exporters for the tests of ours, and the comparison of two pages of metrics. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { type PeerName, peer } from '../peers/peers.ts'
import { type Agent, freePort, type HttpProgram, type Program, until, type World } from './world.ts'

export const MARIADBD = '/usr/sbin/mariadbd'
export const MEMCACHED = '/usr/bin/memcached'
export const HAPROXY = '/usr/sbin/haproxy'

export type Mariadb = {
  readonly address: string
  readonly socket: string
  readonly program: Program
  sql(text: string): Promise<string>
}

/** With a user `exporter` (password `secret`) who may see everything. */
export async function startMariadb(
  world: World,
  { name = 'mariadb', flags = [] as readonly string[] } = {},
): Promise<Mariadb> {
  const port = await freePort()
  const data = world.file(`${name}/data`)
  // A server that starts removes the temporary tables which it finds there: in /tmp also those of other servers in use.
  const env = { TMPDIR: world.file(`${name}/tmp`) }
  fs.mkdirSync(env.TMPDIR, { recursive: true })
  const made = await world.run(
    '/usr/bin/mariadb-install-db',
    ['--no-defaults', `--datadir=${data}`, '--user=root', '--auth-root-authentication-method=normal', '--skip-test-db'],
    { timeoutMs: 120_000, env },
  )
  assert.equal(made.code, 0, made.stdout + made.stderr)
  const socket = world.file(`${name}/s.sock`)
  const grant = world.file(
    `${name}/init.sql`,
    "CREATE USER IF NOT EXISTS 'exporter'@'%' IDENTIFIED BY 'secret';\nGRANT ALL ON *.* TO 'exporter'@'%';\n",
  )
  const args = [
    ...['--no-defaults', '--user=root', `--datadir=${data}`, `--socket=${socket}`, `--port=${port}`],
    ...['--bind-address=127.0.0.1', `--init-file=${grant}`, '--performance-schema=ON', '--userstat=1'],
    ...['--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M', ...flags],
  ]
  const program = world.program({ name, file: MARIADBD, args, env })
  program.spawn()
  const client = ['--no-defaults', `--socket=${socket}`, '--user=exporter', '--password=secret', '--batch']
  const sql = async (text: string): Promise<string> => {
    const { code, stdout, stderr } = await world.run('/usr/bin/mariadb', client, { input: text })
    assert.equal(code, 0, stderr)
    return stdout
  }
  await until(
    'mariadb answers',
    async () => (await world.run('/usr/bin/mariadb', client, { input: 'SELECT 1' })).code === 0,
    {
      explain: () => program.tail(),
      timeoutMs: 60_000,
    },
  )
  return { address: `127.0.0.1:${port}`, socket, program, sql }
}

export async function startMemcached(
  world: World,
  flags: readonly string[] = [],
): Promise<{ readonly address: string; readonly port: number }> {
  const port = await freePort()
  const args = ['-u', 'root', '-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', '32', ...flags]
  world.program({ name: 'memcached', file: MEMCACHED, args }).spawn()
  await until('memcached listens', () => listens(port))
  return { address: `127.0.0.1:${port}`, port }
}

export type Haproxy = {
  readonly csvUri: string
  readonly socket: string
  readonly nativePort: number
  readonly trafficPort: number
}

/** With two servers in a backend, one of them down, its statistics over HTTP, on a socket, and its own endpoint. */
export async function startHaproxy(world: World): Promise<Haproxy> {
  const [stats, native, traffic, up, down] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
    freePort(),
    freePort(),
  ])
  const socket = world.file('haproxy.sock')
  const config = world.file(
    'haproxy.cfg',
    `global
  stats socket ${socket} mode 600 level admin
  maxconn 200
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend stats
  bind 127.0.0.1:${stats}
  stats enable
  stats uri /
frontend native
  bind 127.0.0.1:${native}
  http-request use-service prometheus-exporter if { path /metrics }
frontend web
  bind 127.0.0.1:${traffic}
  default_backend app
backend app
  server alive 127.0.0.1:${up} check inter 200ms
  server dead 127.0.0.1:${down} check inter 200ms
frontend answer
  bind 127.0.0.1:${up}
  http-request return status 200
`,
  )
  world.program({ name: 'haproxy', file: HAPROXY, args: ['-db', '-f', config] }).spawn()
  await until('haproxy listens', () => listens(stats))
  return { csvUri: `http://127.0.0.1:${stats}/;csv`, socket, nativePort: native, trafficPort: traffic }
}

async function listens(port: number): Promise<boolean> {
  const { connect } = await import('node:net')
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

/** Upstream's program on a free port. */
export async function startUpstream(
  world: World,
  name: PeerName,
  flags: readonly string[],
  env: Record<string, string> = {},
): Promise<HttpProgram> {
  const found = peer(name)
  if (found.path === null) throw new Error(found.reason)
  const port = await freePort()
  const args = [`--web.listen-address=127.0.0.1:${port}`, ...flags]
  const program = world.program({ name, file: found.path, args, env })
  program.spawn()
  const url = `http://127.0.0.1:${port}`
  await until(`${name} answers`, async () => (await fetch(url)).ok, { explain: () => program.tail() })
  return Object.assign(program, { port, url }) as unknown as HttpProgram
}

export type Page = ReadonlyMap<string, string>

export async function pageOf(url: string, headers: Record<string, string> = {}): Promise<Page> {
  const response = await fetch(url, { headers })
  const text = await response.text()
  assert.equal(response.status, 200, `${url}: ${text.slice(0, 300)}`)
  return parsePage(text)
}

/** Series with their values, and HELP and TYPE lines. */
export function parsePage(text: string): Page {
  const out = new Map<string, string>()
  for (const line of text.split('\n')) {
    const meta = /^(# (?:HELP|TYPE) \S+) (.*)$/.exec(line)
    const at = line.lastIndexOf(' ')
    if (meta) out.set(meta[1]!, meta[2]!)
    else if (line !== '') out.set(sortedLabels(line.slice(0, at)), line.slice(at + 1))
  }
  return out
}

/** The order of labels says nothing. */
function sortedLabels(series: string): string {
  const brace = series.indexOf('{')
  if (brace < 0) return series
  const pairs = series.slice(brace + 1, -1).match(/[^,=]+="(?:[^"\\]|\\.)*"/g) ?? []
  return `${series.slice(0, brace)}{${pairs.sort().join(',')}}`
}

export type Difference = {
  /** Of series, or of `# HELP name`. */
  readonly pattern: RegExp
  readonly reason: string
}

/** What only Go programs say of their runtime, and what names the build. */
const RUNTIME: readonly Difference[] = [
  { pattern: /\b(?:go|promhttp)_/, reason: 'the Go runtime and its HTTP handler, which we have not' },
  { pattern: /\bprocess_/, reason: 'another process' },
  { pattern: /_exporter_build_info/, reason: 'another program' },
]

/**
 * Same families, types, helps and series, and the same values but where `moving` says that they go on between the two
 * readings. Every difference must be among `known`, with its reason.
 */
export function comparePages(
  ours: Page,
  theirs: Page,
  {
    known,
    moving,
    bracket,
  }: { readonly known: readonly Difference[]; readonly moving: RegExp; readonly bracket?: Page },
): { readonly compared: number; readonly exact: number } {
  const isKnown = (line: string): boolean => [...RUNTIME, ...known].some(({ pattern }) => pattern.test(line))
  const problems: string[] = []
  for (const line of theirs.keys())
    if (!ours.has(line) && !isKnown(line)) problems.push(`only theirs: ${line} ${theirs.get(line)}`)
  for (const line of ours.keys())
    if (!theirs.has(line) && !isKnown(line)) problems.push(`only ours: ${line} ${ours.get(line)}`)
  let compared = 0
  let exact = 0
  for (const [line, value] of theirs) {
    const mine = ours.get(line)
    if (mine === undefined || isKnown(line)) continue
    compared++
    if (mine === value || Number(mine) === Number(value)) exact++
    else if (line.startsWith('#') || !moving.test(line)) {
      // Ours again afterwards: a value that theirs lies between moved.
      const later = bracket?.get(line)
      const [a, b, c] = [Number(mine), Number(value), Number(later)]
      if (line.startsWith('#') || later === undefined || !(Math.min(a, c) <= b && b <= Math.max(a, c)))
        problems.push(`${line}: ours ${mine}${later === undefined ? '' : `, then ${later}`}, theirs ${value}`)
    }
  }
  assert.deepEqual(problems, [])
  return { compared, exact }
}

/** The agent's own page of one exporter. */
export const exporterPage = (agent: Agent, name: string): Promise<Page> => pageOf(`${agent.url}/metrics/${name}`)
