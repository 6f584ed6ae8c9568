/** `TlsOptions` in node's words. */
import type { SecureContextOptions, TlsOptions as ServerTls } from 'node:tls'
import type { TlsOptions } from '../../protocol/env/mod.ts'

export type ClientTls = SecureContextOptions & { servername?: string; rejectUnauthorized?: boolean }

/** PEM texts; without `ca` the system's authorities count. */
export function clientTlsOptions(options: TlsOptions | undefined): ClientTls {
  if (options === undefined) return { minVersion: 'TLSv1.2' }
  return {
    ...material(options),
    ...(options.serverName === undefined ? {} : { servername: options.serverName }),
    rejectUnauthorized: options.insecureSkipVerify !== true,
  }
}

/** A server with a `ca` asks every client for a certificate signed by it. */
export function serverTlsOptions(options: TlsOptions): ServerTls & SecureContextOptions {
  return {
    ...material(options),
    requestCert: options.ca !== undefined,
    rejectUnauthorized: options.ca !== undefined && options.insecureSkipVerify !== true,
  }
}

function material({ ca, cert, key, minVersion, maxVersion }: TlsOptions): SecureContextOptions {
  const isOld = minVersion === 'TLSv1' || minVersion === 'TLSv1.1' || maxVersion === 'TLSv1' || maxVersion === 'TLSv1.1'
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    minVersion: minVersion ?? (isOld ? maxVersion! : 'TLSv1.2'),
    ...(maxVersion === undefined ? {} : { maxVersion }),
    // OpenSSL 3 speaks the old versions at its lowest security level only; who asks for them by name gets them.
    ...(isOld ? { ciphers: 'DEFAULT@SECLEVEL=0' } : {}),
  }
}
