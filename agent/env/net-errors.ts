/**
 * System errors in the words operators know from Prometheus: `dial tcp 127.0.0.1:1: connect: connection refused`.
 * Semantics: Go net.OpError and url.Error; node's codes are kept in `NetError.code`.
 */
import { NetError } from '../../protocol/env/mod.ts'

/** `host:port`, with brackets around IPv6. */
export function formatAddress(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** An error of `listen`, naming the address. */
export function listenError(error: unknown, host: string, port: number): NetError {
  const code = errorCode(error)
  const text = ERRNO_TEXTS[code] ?? errorMessage(error)
  const fix = LISTEN_FIXES[code]
  const message = `Cannot listen on ${formatAddress(host, port)}: ${text}${fix === undefined ? '' : `; ${fix}`}`
  return new NetError(code, message, { cause: error })
}

/** An error of connecting, resolving, TLS, reading or parsing: code and the text after `Get "http://…": `. */
export function describeSocketError(error: unknown, maxHeaderBytes: number): { code: string; text: string } {
  const first = firstError(error)
  const code = errorCode(first)
  const text = errorMessage(first)
  const { syscall, address, port, hostname } = first as NodeError
  if (syscall === 'getaddrinfo') {
    const reason = code === 'ENOTFOUND' ? 'no such host' : code === 'EAI_AGAIN' ? 'server misbehaving' : code
    return { code, text: `dial tcp: lookup ${hostname ?? '?'}: ${reason}` }
  }
  if (syscall === 'connect')
    return {
      code,
      text: `dial tcp ${formatAddress(address ?? '?', port ?? 0)}: connect: ${ERRNO_TEXTS[code] ?? text}`,
    }
  if (code === 'ECONNRESET' && syscall === undefined) return { code: 'UNEXPECTED_EOF', text: 'EOF' }
  if (code === 'HPE_HEADER_OVERFLOW')
    return { code, text: `net/http: server response headers exceeded ${maxHeaderBytes} bytes; aborted` }
  if (code.startsWith('HPE_')) {
    const reason = (first as { reason?: string }).reason ?? text
    return { code, text: `net/http: HTTP/1.x transport connection broken: malformed HTTP response: ${reason}` }
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return { code, text: `tls: ${tlsReason(first, text)}` }
  const x509 = X509_TEXTS[code]
  if (x509 !== undefined) return { code, text: `tls: failed to verify certificate: x509: ${x509}` }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return { code, text: `tls: failed to verify certificate: x509: certificate is not valid for this host: ${text}` }
  const known = ERRNO_TEXTS[code]
  return { code, text: known === undefined ? text : syscall === undefined ? known : `${syscall}: ${known}` }
}

/** The system's code of an error, or `EUNKNOWN`. */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : 'EUNKNOWN'
}

/** Go's words for a system code, where they are known. */
export function errnoText(code: string): string | undefined {
  return ERRNO_TEXTS[code]
}

export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

type NodeError = { syscall?: string; address?: string; port?: number; hostname?: string }

/** Node tries every address of a name and wraps the failures: the first is what Go reports. */
function firstError(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error
}

function tlsReason(error: unknown, text: string): string {
  if (/wrong.version.number|packet.length.too.long|unexpected.message/i.test(text))
    return 'first record does not look like a TLS handshake'
  const reason = (error as { reason?: unknown }).reason
  return typeof reason === 'string' ? reason : text.trim()
}

const LISTEN_FIXES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'stop the program that holds it or choose another port',
  EACCES: 'ports below 1024 need CAP_NET_BIND_SERVICE, or choose another port',
  EADDRNOTAVAIL: 'use an address of this host',
}

const ERRNO_TEXTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'cannot assign requested address',
  EACCES: 'permission denied',
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network is unreachable',
  ETIMEDOUT: 'connection timed out',
  EPIPE: 'broken pipe',
  EMFILE: 'too many open files',
  ENOENT: 'no such file or directory',
}

const X509_TEXTS: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: 'certificate signed by unknown authority',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'certificate signed by unknown authority',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'certificate signed by unknown authority',
  UNABLE_TO_GET_ISSUER_CERT: 'certificate signed by unknown authority',
  CERT_HAS_EXPIRED: 'certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'certificate has expired or is not yet valid',
}
