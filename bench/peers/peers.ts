/**
 * The real programs that tests and benches run beside us. The newest ones that run on Debian 12 without installing are
 * Debian sid's packages, downloaded with a private source list into a cache folder and unpacked with `dpkg-deb -x`:
 * neither the system's packages nor its lists are touched.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

const PROGRAMS = {
  prometheus: 'prometheus',
  promtool: 'promtool',
  alertmanager: 'prometheus-alertmanager',
  amtool: 'prometheus-alertmanager',
  'victoria-metrics': 'victoria-metrics',
  vmagent: 'victoria-metrics',
  'nats-server': 'nats-server',
  'node-exporter': 'prometheus-node-exporter',
  'haproxy-exporter': 'prometheus-haproxy-exporter',
  'mysqld-exporter': 'prometheus-mysqld-exporter',
  'blackbox-exporter': 'prometheus-blackbox-exporter',
  pushgateway: 'prometheus-pushgateway',
} as const
export type PeerName = keyof typeof PROGRAMS

const BINARY: Readonly<Record<PeerName, string>> = {
  prometheus: 'usr/bin/prometheus',
  promtool: 'usr/bin/promtool',
  alertmanager: 'usr/bin/prometheus-alertmanager',
  amtool: 'usr/bin/amtool',
  'victoria-metrics': 'usr/bin/victoria-metrics',
  vmagent: 'usr/bin/vmagent',
  'nats-server': 'usr/sbin/nats-server',
  'node-exporter': 'usr/bin/prometheus-node-exporter',
  'haproxy-exporter': 'usr/bin/prometheus-haproxy-exporter',
  'mysqld-exporter': 'usr/bin/prometheus-mysqld-exporter',
  'blackbox-exporter': 'usr/bin/prometheus-blackbox-exporter',
  pushgateway: 'usr/bin/prometheus-pushgateway',
}
const LISTS_MAX_AGE_MS = 24 * 3600_000

export type Peer =
  | { readonly path: string; readonly version: string }
  | { readonly path: null; readonly reason: string }

/** The program, fetched on first use; where that is impossible, the reason (for a test's skip). */
export function peer(name: PeerName): Peer {
  const cache = process.env['HELIO_PEERS'] ?? path.join(os.homedir(), '.cache/heliograph/peers')
  const pack = PROGRAMS[name]
  const cached = unpacked(cache, pack)
  if (cached) return program(cached, name)
  try {
    return program(download(cache, pack), name)
  } catch (error) {
    return { path: null, reason: `${name} of Debian sid could not be fetched: ${firstLine(error)}` }
  }
}

function unpacked(cache: string, pack: string): string | null {
  if (!fs.existsSync(cache)) return null
  const prefix = `${pack}@`
  const names = fs.readdirSync(cache).filter((name) => name.startsWith(prefix))
  return names.length > 0 ? path.join(cache, names.sort().at(-1)!) : null
}

function program(root: string, name: PeerName): Peer {
  const file = path.join(root, BINARY[name])
  if (!fs.existsSync(file)) return { path: null, reason: `${root} holds no ${BINARY[name]}` }
  return { path: file, version: path.basename(root).split('@')[1] ?? '' }
}

function download(cache: string, pack: string): string {
  const apt = path.join(cache, '.apt')
  fs.mkdirSync(path.join(apt, 'lists/partial'), { recursive: true })
  fs.mkdirSync(path.join(apt, 'cache/archives/partial'), { recursive: true })
  const list = path.join(apt, 'sid.list')
  fs.writeFileSync(list, `deb ${debianMirror()} sid main\n`)
  const options = [
    '-qq',
    ...['Dir::Etc::sourceparts=-', `Dir::Etc::sourcelist=${list}`, `Dir::State::Lists=${apt}/lists`].flatMap((o) => [
      '-o',
      o,
    ]),
    ...[`Dir::Cache=${apt}/cache`, 'APT::Sandbox::User=root'].flatMap((o) => ['-o', o]),
  ]
  const fresh = fs
    .readdirSync(path.join(apt, 'lists'))
    .some(
      (file) =>
        file.includes('Packages') && Date.now() - fs.statSync(path.join(apt, 'lists', file)).mtimeMs < LISTS_MAX_AGE_MS,
    )
  // Test files run side by side, and apt gives up at once when another apt updates the same lists.
  if (!fresh) execFileSync('flock', [path.join(apt, 'update.lock'), 'apt-get', ...options, 'update'], { stdio: 'pipe' })
  const policy = execFileSync('apt-cache', [...options, 'policy', pack], { encoding: 'utf8' })
  const version = /Candidate: (\S+)/.exec(policy)?.[1]
  if (!version || version === '(none)') throw new Error(`no package ${pack} in sid`)
  const work = fs.mkdtempSync(path.join(apt, 'unpack-'))
  try {
    execFileSync('apt-get', [...options, 'download', pack], { cwd: work, stdio: 'pipe' })
    const deb = fs.readdirSync(work).find((file) => file.endsWith('.deb'))
    if (!deb) throw new Error(`apt-get downloaded nothing for ${pack}`)
    execFileSync('dpkg-deb', ['-x', deb, 'root'], { cwd: work, stdio: 'pipe' })
    const root = path.join(cache, `${pack}@${version.replace(/[:~]/g, '_')}`)
    // Two tests may fetch at once: the first rename wins, and both trees are the same.
    try {
      fs.renameSync(path.join(work, 'root'), root)
    } catch (error) {
      if (!fs.existsSync(root)) throw error
    }
    return root
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
}

function debianMirror(): string {
  const parts = '/etc/apt/sources.list.d'
  const files = [
    '/etc/apt/sources.list',
    ...(fs.existsSync(parts) ? fs.readdirSync(parts).map((f) => path.join(parts, f)) : []),
  ]
  for (const file of files) {
    if (!fs.existsSync(file)) continue
    const found = /^(?:deb|URIs:).*?(https?:\/\/\S*\/debian\/?)(?:\s|$)/m.exec(fs.readFileSync(file, 'utf8'))
    if (found) return found[1]!
  }
  throw new Error('no Debian mirror in /etc/apt')
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}
