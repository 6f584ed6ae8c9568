/**
 * Credentials from an option file of MySQL's clients. `[client]` is used where nothing else is asked for, every other
 * section is an `auth_module`; `[client.NAME]` takes what it does not say itself from `[client]`.
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

export type MyCnfOptions = {
  /** For messages. */
  readonly file: string
  /** What `[client]` does not say itself. */
  readonly defaults?: Partial<Credentials>
  /** `$NAME` and `${NAME}` in values stand for its variables. */
  readonly environment?: Readonly<Record<string, string | undefined>>
}

/**
 * Sections that name no user, such as `[mysqld]`, are nobody's credentials and are left out.
 * @throws MyCnfError
 */
export function parseMyCnf(
  text: string,
  { file, defaults = {}, environment = {} }: MyCnfOptions,
): ReadonlyMap<string, Credentials> {
  const sections = new Map<string, Map<string, string>>([['client', new Map()]])
  let current: Map<string, string> | null = null
  text.split('\n').forEach((raw, i) => {
    const line = raw.trim()
    if (line === '' || line.startsWith('#') || line.startsWith(';') || line.startsWith('!')) return
    const section = /^\[(.+)\]$/.exec(line)
    if (section) {
      const name = section[1]!.trim()
      current = sections.get(name) ?? new Map()
      sections.set(name, current)
      return
    }
    if (line.startsWith('[')) throw new MyCnfError(file, i + 1, `"${line}" does not end with ]`)
    const at = line.indexOf('=')
    const key = (at < 0 ? line : line.slice(0, at)).trim().replaceAll('_', '-')
    const value = at < 0 ? 'true' : expand(unquote(line.slice(at + 1).trim()), environment)
    current?.set(key, value)
  })
  for (const [name, value] of Object.entries(defaults)) {
    const key = KEYS[name as keyof Credentials]
    const client = sections.get('client')!
    if (value !== '' && !client.has(key)) client.set(key, String(value))
  }
  const out = new Map<string, Credentials>()
  for (const name of sections.keys()) {
    const values = inherited(sections, name)
    if (values.has('user') || name === 'client') out.set(name, credentialsOf(values, file))
  }
  return out
}

const KEYS: Readonly<Record<keyof Credentials, string>> = {
  user: 'user',
  password: 'password',
  host: 'host',
  port: 'port',
  socket: 'socket',
  sslCa: 'ssl-ca',
  sslCert: 'ssl-cert',
  sslKey: 'ssl-key',
  sslSkipVerify: 'ssl-skip-verify',
}

/** `a.b.c` takes from `a.b` what it does not say itself, and that from `a`. */
function inherited(
  sections: ReadonlyMap<string, ReadonlyMap<string, string>>,
  name: string,
): ReadonlyMap<string, string> {
  const dot = name.lastIndexOf('.')
  const own = sections.get(name) ?? []
  return dot < 0 ? new Map(own) : new Map([...inherited(sections, name.slice(0, dot)), ...own])
}

/** As Go's os.ExpandEnv: variables that are not set are empty. */
function expand(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$(?:\{(\w+)\}|([A-Za-z_]\w*))/g, (_, braced, bare) => environment[braced ?? bare] ?? '')
}

function credentialsOf(values: ReadonlyMap<string, string>, file: string): Credentials {
  const get = (key: string): string => values.get(key) ?? ''
  const port = get('port') === '' ? 3306 : Number(get('port'))
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new MyCnfError(file, 0, `port must be from 1 to 65535, got "${get('port')}"`)
  // Upstream's spelling of the second is part of its interface.
  const skipVerify = get('ssl-skip-verify') || get('ssl-skip-verfication')
  return {
    user: get('user'),
    password: get('password'),
    host: get('host') || 'localhost',
    port,
    socket: get('socket'),
    sslCa: get('ssl-ca'),
    sslCert: get('ssl-cert'),
    sslKey: get('ssl-key'),
    sslSkipVerify: ['true', '1', 'on', 'yes'].includes(skipVerify.toLowerCase()),
  }
}

/** A comment after a value begins with ` #`; within quotes everything counts. */
function unquote(text: string): string {
  const quoted = /^(['"])(.*)\1(?:\s+#.*)?$/.exec(text)
  return quoted ? quoted[2]! : text.replace(/\s+#.*$/, '')
}
