/**
 * Which server is asked, and as whom: flags, option file and the parameters of a probe together.
 * Semantics: mysqld_exporter config/config.go, ReloadConfig and FormDSN (v0.20). Differs: an option file is read only
 * where a flag names it, and one that cannot be read is an error.
 */
import type { Disk, TlsOptions } from '../../protocol/env/mod.ts'
import { booleanFlag, FlagError, type Flags, stringFlag } from '../contract.ts'
import { type Credentials, parseMyCnf } from './my-cnf.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** By the names of their sections; `client` is the one that is scraped unless something else is asked for. */
export type Sections = ReadonlyMap<string, Credentials>

/** @throws FlagError for an option file that cannot be read, or an address that is none */
export function readSections(disk: Disk, flags: Flags, environment: Environment): Sections {
  const file = stringFlag(flags, 'config.my-cnf', '')
  const defaults = {
    user: stringFlag(flags, 'mysqld.username', ''),
    password: passwordOf(disk, flags, environment),
    sslSkipVerify: booleanFlag(flags, 'tls.insecure-skip-verify', false),
    ...addressOf(stringFlag(flags, 'mysqld.address', 'localhost:3306'), 'mysqld.address'),
  }
  const plain = { tls: '', sslCa: '', sslCert: '', sslKey: '', allowCleartext: false } as const
  if (file === '') return new Map([['client', { ...defaults, ...plain }]])
  try {
    return parseMyCnf(disk.readText(file), { file, defaults, environment })
  } catch (error) {
    throw new FlagError('config.my-cnf', (error as Error).message)
  }
}

/** Of the file that is named, so that it need not stand in a configuration; else of the environment, as upstream. */
function passwordOf(disk: Disk, flags: Flags, environment: Environment): string {
  const file = stringFlag(flags, 'mysqld.password-file', '')
  if (file === '') return environment['MYSQLD_EXPORTER_PASSWORD'] ?? ''
  try {
    return disk.readText(file).replace(/\r?\n$/, '')
  } catch (error) {
    throw new FlagError('mysqld.password-file', `cannot read "${file}": ${(error as Error).message}`)
  }
}

/** `host:port`, `[::1]:3306`, or `unix:///path`. @throws FlagError */
export function addressOf(text: string, flag: string): Pick<Credentials, 'host' | 'port' | 'socket'> {
  const socket = /^unix:(?:\/\/)?(\/.+)$/.exec(text)
  if (socket) return { host: 'localhost', port: 3306, socket: socket[1]! }
  const match = /^(\[[^\]]+\]|[^:/]+)(?::(\d{1,5}))?$/.exec(text)
  if (!match) throw new FlagError(flag, `must be HOST:PORT or unix:///PATH, got "${text}"`)
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2] ?? 3306), socket: '' }
}

/**
 * null: nothing asks for TLS; leave to skip the check of the certificate does. An authority that is named is asked
 * whatever `tls` says. Differs: a certificate of ours is shown where no authority is named, too.
 * Rejects for files that cannot be read.
 */
export function tlsOf(disk: Disk, { tls, sslCa, sslCert, sslKey, sslSkipVerify }: Credentials): TlsOptions | null {
  const takesAny = sslSkipVerify || (sslCa === '' && (tls === 'skip-verify' || tls === 'preferred'))
  if (!takesAny && tls !== 'true' && sslCa === '' && sslCert === '' && sslKey === '') return null
  return {
    ...(sslCa === '' ? {} : { ca: disk.readText(sslCa) }),
    ...(sslCert === '' ? {} : { cert: disk.readText(sslCert) }),
    ...(sslKey === '' ? {} : { key: disk.readText(sslKey) }),
    insecureSkipVerify: takesAny,
  }
}

/** A server that has no TLS is spoken to without. */
export const mayDoWithoutTls = ({ tls, sslCa, sslSkipVerify }: Credentials): boolean =>
  tls === 'preferred' && sslCa === '' && !sslSkipVerify
