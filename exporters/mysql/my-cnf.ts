/**
 * Credentials from an option file of MySQL's clients. `[client]` is used where nothing else is asked for,
 * `[client.NAME]` is an `auth_module` and takes what it does not say itself from `[client]`.
 * Semantics: mysqld_exporter config/config.go (v0.20); go-ini for child sections.
 */
export type Credentials = {
  readonly user: string
  readonly password: string
  readonly host: string
  readonly port: number
  /** '' for TCP. */
  readonly socket: string
  /** Paths; '' for none. */
  readonly sslCa: string
  readonly sslCert: string
  readonly sslKey: string
  readonly sslSkipVerify: boolean
}

export class MyCnfError extends Error {
  readonly line: number
  constructor(file: string, line: number, problem: string) {
    super(`Cannot read ${file} at line ${line}: ${problem}`)
    this.name = 'MyCnfError'
    this.line = line
  }
}

const SECTION = /^client(?:\.[\w.-]+)?$/

/** Sections that are not a client's are left out. @throws MyCnfError */
export function parseMyCnf(text: string, file: string): ReadonlyMap<string, Credentials> {
  const sections = new Map<string, Map<string, string>>()
  let current: Map<string, string> | null = null
  text.split('\n').forEach((raw, i) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';') || line.startsWith('!')) return
    const section = /^\[(.+)\]$/.exec(line)
    if (section) {
      const name = section[1]!.trim()
      current = SECTION.test(name) ? new Map() : null
      if (current) sections.set(name, current)
      return
    }
    if (line.startsWith('[')) throw new MyCnfError(file, i + 1, `"${line}" does not end with ]`)
    const at = line.indexOf('=')
    const key = (at < 0 ? line : line.slice(0, at)).trim().replaceAll('_', '-')
    current?.set(key, at < 0 ? 'true' : unquote(line.slice(at + 1).trim()))
  })
  const base = sections.get('client') ?? new Map<string, string>()
  return new Map([...sections].map(([name, own]) => [name, credentialsOf(new Map([...base, ...own]), file)] as const))
}

function credentialsOf(values: ReadonlyMap<string, string>, file: string): Credentials {
  const get = (key: string): string => values.get(key) ?? ''
  const port = get('port') === '' ? 3306 : Number(get('port'))
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new MyCnfError(file, 0, `port must be from 1 to 65535, got "${get('port')}"`)
  return {
    user: get('user'),
    password: get('password'),
    host: get('host') || 'localhost',
    port,
    socket: get('socket'),
    sslCa: get('ssl-ca'),
    sslCert: get('ssl-cert'),
    sslKey: get('ssl-key'),
    sslSkipVerify: ['true', '1', 'on', 'yes'].includes(get('ssl-skip-verify').toLowerCase()),
  }
}

/** A comment after a value begins with ` #`; within quotes everything counts. */
function unquote(text: string): string {
  const quoted = /^(['"])(.*)\1(?:\s+#.*)?$/.exec(text)
  return quoted ? quoted[2]! : text.replace(/\s+#.*$/, '')
}
