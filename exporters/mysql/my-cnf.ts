/**
 * Credentials from an option file of MySQL's clients. `[client]` is used where nothing else is asked for, every other
 * section is an `auth_module`; `[client.NAME]` takes what it does not say itself from `[client]`.
 * Semantics: mysqld_exporter config/config.go (v0.20); go-ini for child sections.
 */
/** Of the go-sql-driver: '' and `false` do without, `skip-verify` takes any certificate, `preferred` also a server without. */
const TLS_MODES = ['', 'true', 'false', 'skip-verify', 'preferred'] as const
export type TlsMode = (typeof TLS_MODES)[number]

export type Credentials = {
  readonly user: string
  readonly password: string
  readonly host: string
  readonly port: number
  /** '' for TCP. */
  readonly socket: string
  readonly tls: TlsMode
  /** Paths; '' for none. */
  readonly sslCa: string
  readonly sslCert: string
  readonly sslKey: string
  readonly sslSkipVerify: boolean
  /** The server may have the password as it is, for PAM, LDAP and tokens of clouds. */
  readonly allowCleartext: boolean
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
    const written = (at < 0 ? line : line.slice(0, at)).trim().replaceAll('_', '-')
    // Upstream's spelling is part of its interface.
    const key = written === 'ssl-skip-verfication' ? 'ssl-skip-verify' : written
    const value = at < 0 ? 'true' : expand(unquote(line.slice(at + 1).trim()), environment)
    current?.set(key, value)
  })
  // The flag stands for every section, the rest for [client] and what takes from it.
  const { sslSkipVerify = false, ...ofClient } = defaults
  for (const [name, value] of Object.entries(ofClient)) {
    const key = KEYS[name as keyof Credentials]
    const client = sections.get('client')!
    if (value !== '' && !client.has(key)) client.set(key, String(value))
  }
  const out = new Map<string, Credentials>()
  for (const name of sections.keys()) {
    const values = inherited(sections, name)
    if (values.has('user') || name === 'client') out.set(name, credentialsOf(values, { file, sslSkipVerify }))
  }
  return out
}

const KEYS: Readonly<Record<keyof Credentials, string>> = {
  user: 'user',
  password: 'password',
  host: 'host',
  port: 'port',
  socket: 'socket',
  tls: 'tls',
  sslCa: 'ssl-ca',
  sslCert: 'ssl-cert',
  sslKey: 'ssl-key',
  sslSkipVerify: 'ssl-skip-verify',
  allowCleartext: 'enable-cleartext-plugin',
}

const TRUE: ReadonlySet<string> = new Set(['true', '1', 'on', 'yes'])

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

function credentialsOf(
  values: ReadonlyMap<string, string>,
  { file, sslSkipVerify }: { readonly file: string; readonly sslSkipVerify: boolean },
): Credentials {
  const get = (key: string): string => values.get(key) ?? ''
  const isTrue = (key: string): boolean => TRUE.has(get(key).toLowerCase())
  const port = get('port') === '' ? 3306 : Number(get('port'))
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new MyCnfError(file, 0, `port must be from 1 to 65535, got "${get('port')}"`)
  const tls = TLS_MODES.find((mode) => mode === get('tls').toLowerCase())
  if (tls === undefined)
    throw new MyCnfError(file, 0, `tls must be true, false, skip-verify or preferred, got "${get('tls')}"`)
  return {
    user: get('user'),
    password: get('password'),
    host: get('host') || 'localhost',
    port,
    socket: get('socket'),
    tls,
    sslCa: get('ssl-ca'),
    sslCert: get('ssl-cert'),
    sslKey: get('ssl-key'),
    sslSkipVerify: values.has('ssl-skip-verify') ? isTrue('ssl-skip-verify') : sslSkipVerify,
    allowCleartext: isTrue('enable-cleartext-plugin'),
  }
}

/** A comment after a value begins with ` #`; within quotes everything counts. */
function unquote(text: string): string {
  const quoted = /^(['"])(.*)\1(?:\s+#.*)?$/.exec(text)
  return quoted ? quoted[2]! : text.replace(/\s+#.*$/, '')
}
