/**
 * TLS in front of a server, whose certificate, versions and rules for clients may change between two connections: they
 * are set anew just before the connection's handshake begins. Which clients come in is decided here and not by the
 * runtime, for runtimes differ in what they let through.
 */
import type { Socket } from 'node:net'
import { createServer, type PeerCertificate, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import type { ServerTls } from '../../protocol/env/mod.ts'

/** Read by the runtime at every connection; its types do not show it. */
type Changeable = { requestCert: boolean }

const RENEW_EVERY_MS = 5000

/**
 * @param onSocket gets the connections whose clients may come in
 * @throws whatever `current` throws, and the runtime for a certificate that it cannot use
 */
export function createRenewedTls(
  current: () => ServerTls,
  handshakeTimeoutMs: number,
  onError: (error: unknown, request: string) => void,
  onSocket: (socket: TLSSocket) => void,
): Server {
  let used = current()
  const server = createServer({
    ...contextOf(used),
    requestCert: used.clients !== 'none',
    rejectUnauthorized: false,
    handshakeTimeout: handshakeTimeoutMs,
  })
  const renew = (): void => {
    const now = current()
    if (now === used) return
    server.setSecureContext(contextOf(now))
    const changeable = server as unknown as Changeable
    changeable.requestCert = now.clients !== 'none'
    used = now
  }
  // Bun has chosen the certificate before it tells of a connection: there the next one gets the new certificate, or the
  // first one after this has looked.
  const timer = setInterval(() => {
    try {
      renew()
    } catch {
      // The connections that suffer from it tell.
    }
  }, RENEW_EVERY_MS).unref()
  server.on('close', () => clearInterval(timer))
  server.prependListener('connection', (socket: Socket) => {
    try {
      renew()
    } catch (error) {
      onError(error, 'TLS handshake')
      socket.destroy()
    }
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.on('error', () => {})
    const problem = refusal(used, socket)
    if (problem === null) return onSocket(socket)
    onError(new Error(problem), `TLS handshake of ${socket.remoteAddress}`)
    socket.destroy()
  })
  return server
}

function contextOf(tls: ServerTls): SecureContextOptions & { ecdhCurve?: string } {
  const isOld = tls.minVersion < 'TLSv1.2'
  const ciphers = tls.ciphers.length > 0 ? tls.ciphers.join(':') : isOld ? 'DEFAULT' : ''
  return {
    cert: tls.cert,
    key: tls.key,
    ...(tls.ca !== undefined && { ca: tls.ca }),
    // OpenSSL 3 speaks the old versions at its lowest security level only.
    ...(ciphers && { ciphers: isOld ? `${ciphers}:@SECLEVEL=0` : ciphers }),
    ...(tls.curves.length > 0 && { ecdhCurve: tls.curves.join(':') }),
    honorCipherOrder: tls.honorCipherOrder,
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
  }
}

/** Why the client may not come in; null when it may. */
function refusal({ clients, allowedSans }: ServerTls, socket: TLSSocket): string | null {
  if (clients === 'none' || clients === 'asked') return null
  const certificate = socket.getPeerCertificate()
  const isGiven = certificate !== null && Object.keys(certificate).length > 0
  if (!isGiven) return clients === 'verified if given' ? null : 'The client did not present a certificate'
  if (clients.startsWith('verified') && !socket.authorized)
    return `The certificate of the client cannot be verified: ${socket.authorizationError}`
  if (allowedSans !== null && !alternativeNames(certificate).some((name) => allowedSans.includes(name)))
    return `No name in the certificate of the client is one of client_allowed_sans: ${alternativeNames(certificate).join(', ')}`
  return null
}

/** `DNS:a, IP Address:1.2.3.4, URI:b, email:c` */
function alternativeNames({ subjectaltname }: PeerCertificate): string[] {
  return (subjectaltname ?? '').split(', ').map((entry) => entry.slice(entry.indexOf(':') + 1))
}
