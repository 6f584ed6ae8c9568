/**
 * HTTPS whose certificate, versions and rules for clients may change between two connections. The runtime takes them
 * when the server is made; here they are set anew just before the connection's handshake begins.
 */
import type { RequestListener } from 'node:http'
import { createServer, type Server, type ServerOptions } from 'node:https'
import type { Socket } from 'node:net'
import type { PeerCertificate, SecureContextOptions, TLSSocket } from 'node:tls'
import type { ServerTls } from '../../protocol/env/mod.ts'

/** What the runtime reads at every connection, and its types do not show. */
type Changeable = { requestCert: boolean; rejectUnauthorized: boolean }

/** @throws whatever `current` throws, and the runtime for a certificate that it cannot use */
export function createRenewedTlsServer(
  http: ServerOptions,
  current: () => ServerTls,
  onRequest: RequestListener,
  onError: (error: unknown, request: string) => void,
): Server {
  let used = current()
  const server = createServer({ ...http, ...contextOf(used), ...verification(used) }, onRequest)
  server.prependListener('connection', (socket: Socket) => {
    try {
      const now = current()
      if (now === used) return
      server.setSecureContext(contextOf(now))
      Object.assign(server as unknown as Changeable, verification(now))
      used = now
    } catch (error) {
      onError(error, 'TLS handshake')
      socket.destroy()
    }
  })
  server.prependListener('secureConnection', (socket: TLSSocket) => {
    const problem = refusal(used, socket)
    if (problem === null) return
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

function verification({ clients }: ServerTls): Changeable {
  return { requestCert: clients !== 'none', rejectUnauthorized: clients === 'verified' }
}

/** What the runtime did not check for itself. */
function refusal({ clients, allowedSans }: ServerTls, socket: TLSSocket): string | null {
  if (clients === 'none' || clients === 'asked') return null
  const certificate = socket.getPeerCertificate()
  const isGiven = certificate !== null && Object.keys(certificate).length > 0
  if (!isGiven) return clients === 'verified if given' ? null : 'The client did not present a certificate'
  if (clients === 'verified if given' && !socket.authorized)
    return `The certificate of the client cannot be verified: ${socket.authorizationError}`
  if (allowedSans !== null && !alternativeNames(certificate).some((name) => allowedSans.includes(name)))
    return `No name in the certificate of the client is one of client_allowed_sans: ${alternativeNames(certificate).join(', ')}`
  return null
}

/** `DNS:a, IP Address:1.2.3.4, URI:b, email:c` */
function alternativeNames({ subjectaltname }: PeerCertificate): string[] {
  return (subjectaltname ?? '').split(', ').map((entry) => entry.slice(entry.indexOf(':') + 1))
}
