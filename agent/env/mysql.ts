/**
 * Connections to MySQL and MariaDB, by mysql2. The driver is loaded at the first connection, for it costs some
 * megabytes. Values come as the text that the server sends, as Go's driver gives them to upstream: no integer of 64 bits
 * and no decimal loses a digit.
 */
import { connect, isIP, type Socket } from 'node:net'
import type { Connection, ConnectionOptions, SslOptions } from 'mysql2'
import {
  type MysqlConnection,
  type MysqlTarget,
  type QueryResult,
  SqlError,
  type SqlValue,
} from '../../exporters/mysql/mod.ts'
import { clientTlsOptions } from './net-tls.ts'

/** As the server's packets are limited by default; a page of statistics is far below. */
const MAX_ROWS = 200_000
/** The driver's own words name an option that nobody here can set. */
const CLEARTEXT_REFUSED =
  'The server asks for the password as it is; enable-cleartext-plugin = true in the option file allows that, best with TLS'

/**
 * The whole life of the connection is bounded by `target.timeoutMs`: after that it is cut, and what was asked rejects.
 * Rejects when the server cannot be reached or refuses the user or a session variable.
 */
export async function connectMysql(target: MysqlTarget): Promise<MysqlConnection> {
  const { createConnection } = await import('mysql2')
  const connection = createConnection(optionsOf(target))
  let cut: Error | null = null
  // Errors reach the calls under way; one that comes between two calls must not end the process.
  connection.on('error', () => {})
  const timer = setTimeout(() => {
    cut = new Error(`context deadline exceeded: the server did not answer within ${target.timeoutMs / 1000} s`)
    connection.destroy()
    fail?.(cut)
  }, target.timeoutMs)
  let fail: ((error: Error) => void) | null = null
  const bounded = <T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> =>
    new Promise((resolve, reject) => {
      if (cut) return reject(cut)
      fail = reject
      start((error, value) => {
        fail = null
        if (error) reject(cut ?? error)
        else resolve(value as T)
      })
    })
  const query = (sql: string, parameters: readonly string[] = []): Promise<QueryResult> =>
    bounded((done) => ask(connection, sql, parameters, done))
  const close = async (): Promise<void> => {
    clearTimeout(timer)
    if (!cut) connection.end(() => connection.destroy())
  }
  try {
    await bounded<void>((done) => connection.connect((error) => done(error)))
    const settings = Object.entries(target.sessionVariables).map(([name, value]) => `${name} = ${literal(value)}`)
    if (settings.length > 0) await query(`SET ${settings.join(', ')}`)
  } catch (error) {
    clearTimeout(timer)
    connection.destroy()
    const { code } = error as { code?: string }
    if (code === 'HANDSHAKE_NO_SSL_SUPPORT' && target.isTlsOptional) return connectMysql({ ...target, tls: null })
    if (code === 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED') throw new Error(CLEARTEXT_REFUSED, { cause: error })
    throw error
  }
  return { query, close }
}

function optionsOf(target: MysqlTarget): ConnectionOptions {
  const { host, port, socket, user, password, tls, allowCleartext, timeoutMs } = target
  return {
    ...(socket === '' ? { host, port } : { socketPath: socket }),
    user,
    password,
    connectTimeout: timeoutMs,
    // Compiled row readers need `eval`, and cost more than they save at a few rows a query.
    disableEval: true,
    // None is prepared, and the driver makes four lists of so many places for every connection: half a megabyte by default.
    maxPreparedStatements: 1,
    // A server must not be able to ask for a file of this host.
    flags: ['-LOCAL_FILES'],
    enableCleartextPlugin: allowCleartext,
    ...(tls === null ? {} : { ssl: sslOptions(tls) }),
    ...(tls === null || isIP(host) === 0 || socket !== '' ? {} : { stream: () => addressedSocket(host, port) }),
  }
}

/**
 * The driver hides an address from the check of the certificate's names, which then asks for "localhost"; Node finds it
 * at the socket. Where it does not, the check fails, and nothing is let in.
 */
function addressedSocket(host: string, port: number): Socket {
  return Object.assign(connect({ host, port }), { _host: host })
}

/** The driver checks the name in a certificate only when told to. */
function sslOptions(tls: NonNullable<MysqlTarget['tls']>): SslOptions {
  return { ...clientTlsOptions(tls), verifyIdentity: tls.insecureSkipVerify !== true } as SslOptions
}

function ask(
  connection: Connection,
  sql: string,
  parameters: readonly string[],
  done: (error: Error | null, result?: QueryResult) => void,
): void {
  const options = {
    sql,
    rowsAsArray: true,
    // Buffers, made to text below: with a function of ours the driver makes an object of each field for it.
    typeCast: false,
  }
  connection.query(options, [...parameters], (error, rows, fields) => {
    if (error) {
      const { errno } = error as { errno?: number }
      const isServers = typeof errno === 'number' && errno >= 1000
      return done(isServers ? new SqlError(`Error ${errno}: ${error.message}`, errno, { cause: error }) : error)
    }
    // Statements that are no questions have no rows.
    if (!Array.isArray(rows)) return done(null, { columns: [], rows: [] })
    if (rows.length > MAX_ROWS) return done(new Error(`The answer has more than ${MAX_ROWS} rows: ${sql.slice(0, 80)}`))
    const texts = (rows as unknown as (Buffer | null)[][]).map((row) => row.map(textOf))
    done(null, { columns: fields.map(({ name }) => name), rows: texts })
  })
}

const textOf = (value: Buffer | null): SqlValue => (value === null ? null : value.toString('utf8'))

const literal = (value: string): string => (/^\d+$/.test(value) ? value : `'${value.replace(/['\\]/g, '\\$&')}'`)
