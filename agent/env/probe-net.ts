/** `ProbeNet` on node:net, node:tls, node:http2 and `net-udp.ts`; ICMP by `net-ping.ts`. */
import type { X509Certificate } from 'node:crypto'
import { lookup as systemLookup } from 'node:dns/promises'
import { isIP, connect as netConnect, type Socket } from 'node:net'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import {
  type ByteSocket,
  type ListenAddress,
  NetError,
  type ProbeNet,
  type StartTls,
  type TlsCertificate,
  type TlsSession,
} from '../../protocol/env/mod.ts'
import { describeSocketError, errorCode, formatAddress } from './net-errors.ts'
import { exchangeHttp2 } from './net-http2.ts'
import { ping } from './net-ping.ts'
import { tcpByteSocket } from './net-sockets.ts'
import { clientTlsOptions } from './net-tls.ts'
import { askUdp } from './net-udp.ts'

/** Of the sockets that were handed out. */
const sockets = new WeakMap<ByteSocket, Socket>()

export const probeNet: ProbeNet = {
  lookup,
  connect: ({ host, port }, { timeoutMs, localAddress }) =>
    opened(
      netConnect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) }),
      'connect',
      `dial tcp ${formatAddress(host, port)}`,
      timeoutMs,
    ),
  connectUnix: (path, { timeoutMs }) => opened(netConnect({ path }), 'connect', `dial unix ${path}`, timeoutMs),
  startTls,
  exchangeHttp2: (socket, request) => exchangeHttp2(nodeSocketOf(socket), request),
  askUdp,
  ping,
}

async function lookup(host: string, { timeoutMs }: { readonly timeoutMs: number }): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host]
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NetError('TIMEOUT', `lookup ${host}: i/o timeout`)), timeoutMs)
  })
  try {
    const found = await Promise.race([systemLookup(host, { all: true, order: 'verbatim' }), late])
    return found.map(({ address }) => address)
  } catch (error) {
    if (error instanceof NetError) throw error
    const code = errorCode(error)
    const reason = code === 'ENOTFOUND' ? 'no such host' : code === 'EAI_AGAIN' ? 'server misbehaving' : code
    throw new NetError(code, `lookup ${host}: ${reason}`, { cause: error })
  } finally {
    clearTimeout(timer)
  }
}

function nodeSocketOf(socket: ByteSocket): Socket {
  const found = sockets.get(socket)
  if (!found) throw new Error('BUG: a socket of another adapter')
  return found
}

function handedOut(socket: Socket): ByteSocket {
  const bytes = tcpByteSocket(socket)
  sockets.set(bytes, socket)
  return bytes
}

function opened(socket: Socket, ready: 'connect' | 'secureConnect', dial: string, timeoutMs: number) {
  return new Promise<ByteSocket>((resolve, reject) => {
    const fail = (error: NetError): void => {
      clearTimeout(timer)
      socket.destroy()
      reject(error)
    }
    const timer = setTimeout(() => fail(new NetError('TIMEOUT', `${dial}: i/o timeout`)), timeoutMs)
    const onError = (error: Error): void => {
      const { code, text } = describeSocketError(error, 0)
      fail(new NetError(code, text.startsWith('dial ') ? text : `${dial}: ${text}`, { cause: error }))
    }
    const onClose = (): void => fail(new NetError('UNEXPECTED_EOF', `${dial}: EOF`))
    socket.on('error', onError)
    socket.once('close', onClose)
    socket.once(ready, () => {
      clearTimeout(timer)
      const bytes = handedOut(socket)
      socket.off('error', onError)
      socket.off('close', onClose)
      resolve(bytes)
    })
  })
}

async function startTls(socket: ByteSocket, { host, tls, timeoutMs, alpn = [] }: StartTls) {
  const raw = nodeSocketOf(socket)
  raw.removeAllListeners('data')
  const secure = tlsConnect({
    socket: raw,
    host,
    ...clientTlsOptions(tls),
    // SNI carries names only, never addresses.
    ...(tls.serverName === undefined && isIP(host) === 0 ? { servername: host } : {}),
    ...(alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] }),
  })
  const bytes = await opened(secure, 'secureConnect', `tls ${host}`, timeoutMs)
  return { socket: bytes, session: sessionOf(secure) }
}

function sessionOf(socket: TLSSocket): TlsSession {
  const cipher = socket.getCipher()
  const leaf = socket.getPeerX509Certificate()
  return {
    version: socket.getProtocol() ?? '',
    cipher: cipher?.standardName ?? cipher?.name ?? '',
    alpn: socket.alpnProtocol || '',
    chain: leaf === undefined ? [] : chainOf(leaf),
    isVerified: socket.authorized,
  }
}

/** A root is its own issuer. */
function chainOf(leaf: X509Certificate): readonly TlsCertificate[] {
  const out: TlsCertificate[] = []
  const seen = new Set<string>()
  for (let each: X509Certificate | undefined = leaf; each && !seen.has(each.fingerprint256); ) {
    seen.add(each.fingerprint256)
    out.push(certificateOf(each))
    each = each.issuerCertificate
  }
  return out
}

export function certificateOf(certificate: X509Certificate): TlsCertificate {
  const serial = certificate.serialNumber.toLowerCase()
  const names = certificate.subjectAltName?.matchAll(/(?:^|, )DNS:("(?:[^"\\]|\\.)*"|[^,]*)/g) ?? []
  return {
    notAfterMs: Date.parse(certificate.validTo),
    fingerprintSha256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    subject: distinguishedName(certificate.subject),
    issuer: distinguishedName(certificate.issuer),
    dnsNames: Array.from(names, ([, name = '']) => (name.startsWith('"') ? (JSON.parse(name) as string) : name)),
    serialNumber: serial.length % 2 === 0 ? serial : `0${serial}`,
  }
}

/** Node gives one part a line, the most general first. */
function distinguishedName(lines: string | undefined): string {
  return (lines ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^(serialNumber|street|postalCode)=/, (name) => name.toUpperCase()))
    .reverse()
    .join(',')
}
